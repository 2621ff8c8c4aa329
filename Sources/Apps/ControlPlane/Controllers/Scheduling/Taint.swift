import KubeMachinery
import Primitives

/// A taint of a node and what pods tolerate of it.
struct Taint: Hashable, Sendable {
    enum Effect: String, Sendable { case noSchedule = "NoSchedule", preferNoSchedule = "PreferNoSchedule", noExecute = "NoExecute" }

    var key: String
    var value = ""
    var effect: Effect
    var timeAdded: Timestamp?

    static let notReady = "node.kubernetes.io/not-ready"
    static let unreachable = "node.kubernetes.io/unreachable"
    static let unschedulable = "node.kubernetes.io/unschedulable"
}

extension Taint {
    /// nil where the effect is unknown.
    init?(json: JSONValue) {
        guard let key = json["key"].string, let effect = json["effect"].string.flatMap(Effect.init(rawValue:)) else { return nil }
        self.init(key: key, value: json["value"].string ?? "", effect: effect, timeAdded: json["timeAdded"].string.flatMap(Timestamp.init(rfc3339:)))
    }

    var json: JSONValue {
        var json: JSONValue = ["key": .string(key), "effect": .string(effect.rawValue)]
        if !value.isEmpty { json["value"] = .string(value) }
        if let timeAdded { json["timeAdded"] = .string(timeAdded.rfc3339) }
        return json
    }

    /// The same taint, whenever it was added.
    func matches(_ other: Taint) -> Bool { key == other.key && effect == other.effect }

    /// The tolerations of a pod that cover this taint.
    func tolerations(of pod: KubeObject) -> [JSONValue] {
        pod.spec["tolerations"].elements.filter { toleration in
            if let wanted = toleration["effect"].string, !wanted.isEmpty, wanted != effect.rawValue { return false }
            let wantedKey = toleration["key"].string ?? ""
            if wantedKey.isEmpty { return toleration["operator"].string == "Exists" }
            guard wantedKey == key else { return false }
            return toleration["operator"].string == "Exists" || toleration["value"].string ?? "" == value
        }
    }

    func isTolerated(by pod: KubeObject) -> Bool { !tolerations(of: pod).isEmpty }
}

extension KubeObject {
    /// The taints of a node as they stand in its spec.
    var taints: [Taint] { spec["taints"].elements.compactMap(Taint.init(json:)) }
}

import KubeMachinery
import Primitives

/// What controllers ask of objects.
extension KubeObject {
    var nodeName: String { spec["nodeName"].string ?? "" }
    var phase: String { status["phase"].string ?? "" }
    var isTerminating: Bool { deletionTimestamp != nil }
    /// A pod whose containers have ended for good.
    var isFinished: Bool { phase == "Succeeded" || phase == "Failed" }
    /// A pod that counts as a replica.
    var isActive: Bool { !isFinished && !isTerminating }
    var replicas: Int { spec["replicas"].count ?? 1 }

    func condition(_ type: String) -> JSONValue { status["conditions"].elements.first { $0["type"].string == type } ?? .null }
    func isTrue(_ condition: String) -> Bool { self.condition(condition)["status"].string == "True" }

    /// When a pod that is ready has been so for `minReadySeconds`; nil where it is not ready.
    func availableSince(minReadySeconds: Int) -> Timestamp? {
        guard isTrue("Ready") else { return nil }
        let since = condition("Ready")["lastTransitionTime"].string.flatMap(Timestamp.init(rfc3339:)) ?? creationTimestamp ?? Timestamp(seconds: 0)
        return since + .seconds(minReadySeconds)
    }

    func isOwned(by owner: KubeObject) -> Bool { controller?["uid"].string == owner.uid }

    /// The reference that makes this object the controller of another.
    var controllerReference: JSONValue {
        [
            "apiVersion": .string(apiVersion), "kind": .string(kind), "name": .string(name), "uid": .string(uid), "controller": true,
            "blockOwnerDeletion": true,
        ]
    }
}

extension JSONValue {
    /// A number that is no more than what counts of things can be.
    var count: Int? { int.flatMap { Int32(exactly: $0) }.map(Int.init) }

    /// An `IntOrString` of `total`: a number, or a percentage that is rounded up or down.
    func scaled(of total: Int, roundingUp: Bool) -> Int? {
        if let count { return count }
        guard let text = string, text.hasSuffix("%"), let percent = Int(text.dropLast()), (0...10_000).contains(percent) else { return nil }
        let product = percent.multipliedReportingOverflow(by: total)
        guard !product.overflow else { return nil }
        return (product.partialValue + (roundingUp ? 99 : 0)) / 100
    }
}

/// Sets a condition in a list of conditions; its transition time moves with its status alone. Equal content changes nothing.
func setting(
    _ type: String, _ status: String, reason: String, message: String, in conditions: JSONValue, at now: Timestamp, updates: Bool = false
) -> JSONValue {
    var list = conditions.elements
    let place = list.firstIndex { $0["type"].string == type }
    let old = place.map { list[$0] } ?? .null
    if old["status"].string == status, old["reason"].string == reason, old["message"].string == message { return conditions }
    var new: JSONValue = ["type": .string(type), "status": .string(status)]
    if updates { new["lastUpdateTime"] = .string(now.rfc3339) }
    new["lastTransitionTime"] = old["status"].string == status ? old["lastTransitionTime"] : .string(now.rfc3339)
    new["reason"] = .string(reason)
    new["message"] = .string(message)
    if let place { list[place] = new } else { list.append(new) }
    return .array(list)
}

import KubeMachinery
import KubeResources
import Primitives

/// What is taken of the events that nodes report: the members of an Event and nothing else, so that no label, owner or finalizer comes with it.
enum EdgeEvent {
    private static let members = [
        "involvedObject", "reason", "message", "source", "firstTimestamp", "lastTimestamp", "count", "type", "eventTime", "series", "action",
        "related", "reportingComponent", "reportingInstance",
    ]
    private static let changing = ["count", "lastTimestamp", "message", "series"]

    static func event(_ reported: KubeObject) -> KubeObject {
        var event = KubeObject(apiVersion: "v1", kind: "Event", namespace: reported.namespace, name: reported.name)
        for member in members { if let value = reported.json.member(member), !value.isNull { event.json[member] = value } }
        return event
    }

    /// What may change about an event that happens again.
    static func patch(_ reported: JSONValue) -> JSONValue {
        var patch: JSONValue = [:]
        for member in changing { if let value = reported.member(member), !value.isNull { patch[member] = value } }
        return patch
    }
}

extension NodeAuthorization {
    /// A node tells of itself and of its own pods, in their namespace and under their names. Pods that are gone may be told of:
    /// their end is an event too.
    func decide(event: KubeObject, in contents: NodeContents) -> Decision {
        let subject = event.json["involvedObject"]
        let name = subject["name"].string ?? ""
        guard event.json["source"]["host"].string == node else { return deny(event, "its source is not node \"\(node)\"") }
        guard !name.isEmpty, event.name.hasPrefix(name + ".") else { return deny(event, "its name does not begin with the name of its object") }
        switch subject["kind"].string {
        case "Node": return name == node ? .allowed : deny(event, "node \"\(node)\" tells of itself only, not of node \"\(name)\"")
        case "Pod":
            guard let namespace = subject["namespace"].string, namespace == event.namespace else {
                return deny(event, "it is not in the namespace of its pod")
            }
            guard let pod = contents.pod(ObjectKey(namespace: namespace, name: name)), pod.node != node else { return .allowed }
            return deny(event, "pod \"\(namespace)/\(name)\" is not bound to node \"\(node)\"")
        default: return deny(event, "nodes tell of nodes and pods only")
        }
    }

    private func deny(_ event: KubeObject, _ cause: String) -> Decision { deny(Resources.events, event.name, cause) }
}

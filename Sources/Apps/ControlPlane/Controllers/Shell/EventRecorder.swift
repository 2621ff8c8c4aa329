import KubeMachinery
import KubeResources
import Logging
import Primitives

/// Writes the events that `kubectl describe` shows; one that cannot be written is logged and left.
struct EventRecorder: Sendable {
    enum Kind: String, Sendable { case normal = "Normal", warning = "Warning" }

    let api: any KubeAPI
    let component: String
    let clock: any MomentSource
    let logger: Logger

    func record(_ kind: Kind, _ reason: String, _ message: String, about object: KubeObject) async {
        let now = clock.now().wall
        let namespace = object.namespace ?? "default"
        var event = KubeObject(
            apiVersion: "v1", kind: "Event", namespace: namespace,
            name: "\(object.name).\(String(UInt64.random(in: (1 << 60)...(.max)), radix: 16))")
        event.json["involvedObject"] = [
            "apiVersion": .string(object.apiVersion), "kind": .string(object.kind), "name": .string(object.name), "uid": .string(object.uid),
            "resourceVersion": .string(object.resourceVersion),
        ]
        if let namespace = object.namespace { event.json["involvedObject"]["namespace"] = .string(namespace) }
        event.json["type"] = .string(kind.rawValue)
        event.json["reason"] = .string(reason)
        event.json["message"] = .string(message)
        event.json["source"] = ["component": .string(component)]
        event.json["reportingComponent"] = .string(component)
        event.json["reportingInstance"] = ""
        event.json["firstTimestamp"] = .string(now.rfc3339)
        event.json["lastTimestamp"] = .string(now.rfc3339)
        event.json["count"] = 1
        do {
            _ = try await api.create(Resources.events, event)
        } catch {
            logger.debug("event not written", metadata: ["reason": "\(reason)", "error": "\(error)"])
        }
    }
}

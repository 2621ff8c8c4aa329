package import Primitives

/// Conditions of a pod's status as the kubelet words them (`spec/05 §15.9`).
package enum PodConditions {
    /// The types whose value the kubelet alone decides, in the order it writes them.
    package static let owned = ["Initialized", "Ready", "ContainersReady", "PodScheduled"]

    /// One condition; `transition` is when its status last changed.
    package static func condition(
        _ type: String, _ isTrue: Bool, reason: String = "", message: String = "", transition: Timestamp? = nil
    ) -> JSONValue {
        var value: JSONValue = ["type": .string(type), "status": isTrue ? "True" : "False", "lastProbeTime": .null]
        value["lastTransitionTime"] = transition.map { .string($0.rfc3339) } ?? .null
        if !reason.isEmpty { value["reason"] = .string(reason) }
        if !message.isEmpty { value["message"] = .string(message) }
        return value
    }

    static func initialized(_ pod: PodView, statuses: [JSONValue], regular: [JSONValue], phase: String) -> JSONValue {
        let known = Dictionary(statuses.map { ($0["name"].string ?? "", $0) }, uniquingKeysWith: { first, _ in first })
        let unknown = pod.initContainers.map(\.name).filter { known[$0] == nil }
        let incomplete = pod.initContainers.filter { known[$0.name]?[$0.isRestartable ? "started" : "ready"].bool == false }.map(\.name)
        if phase == "Succeeded", unknown.isEmpty { return condition("Initialized", true, reason: "PodCompleted") }
        if regular.contains(where: ContainerStatus.hasStarted) { return condition("Initialized", true) }
        let message = sentence([("containers with unknown status", unknown), ("containers with incomplete status", incomplete)])
        guard !message.isEmpty else { return condition("Initialized", true) }
        return condition("Initialized", false, reason: "ContainersNotInitialized", message: message)
    }

    /// `statuses` are those of restartable init containers and of regular ones.
    static func containersReady(_ pod: PodView, statuses: [JSONValue], phase: String) -> JSONValue {
        let known = Dictionary(statuses.map { ($0["name"].string ?? "", $0) }, uniquingKeysWith: { first, _ in first })
        let unknown = pod.lastingContainers.map(\.name).filter { known[$0] == nil }
        let unready = pod.lastingContainers.map(\.name).filter { known[$0]?["ready"].bool == false }
        if phase == "Succeeded", unknown.isEmpty { return condition("ContainersReady", false, reason: "PodCompleted") }
        if phase == "Failed" { return condition("ContainersReady", false, reason: "PodFailed") }
        let message = sentence([("containers with unknown status", unknown), ("containers with unready status", unready)])
        guard !message.isEmpty else { return condition("ContainersReady", true) }
        return condition("ContainersReady", false, reason: "ContainersNotReady", message: message)
    }

    static func ready(_ pod: PodView, containersReady: JSONValue, foreign: [JSONValue]) -> JSONValue {
        guard containersReady["status"] == "True" else {
            var ready = containersReady
            ready["type"] = "Ready"
            return ready
        }
        let complaints = pod.spec["readinessGates"].elements.compactMap { gate -> String? in
            let type = gate["conditionType"].string ?? ""
            guard let condition = foreign.first(where: { $0["type"].string == type }) else {
                return "corresponding condition of pod readiness gate \"\(type)\" does not exist."
            }
            guard condition["status"] != "True" else { return nil }
            return "the status of pod readiness gate \"\(type)\" is not \"True\", but \(condition["status"].string ?? "")"
        }
        guard complaints.isEmpty else {
            return condition("Ready", false, reason: "ReadinessGatesNotReady", message: complaints.joined(separator: ", "))
        }
        return condition("Ready", true)
    }

    private static func sentence(_ parts: [(String, [String])]) -> String {
        parts.filter { !$0.1.isEmpty }.map { "\($0.0): [\($0.1.joined(separator: " "))]" }.joined(separator: ", ")
    }
}

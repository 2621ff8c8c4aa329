import KubeMachinery
import PodCore
import Primitives

/// Which container's log is meant: the rules of the kubelet over the pod's newest status (`spec/05 §23.4`).
enum ContainerLogSource {
    /// The runtime's ID of the container.
    static func containerID(_ name: String, of pod: PodView, isPrevious: Bool) throws(ServedFailure) -> String {
        let lists = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"]
        let statuses = lists.lazy.flatMap { pod.object.status[$0].elements }
        let subject = "container \"\(name)\" in pod \"\(pod.name)\""
        guard let status = statuses.first(where: { $0["name"].string == name }) else {
            throw ServedFailure(400, "\(subject) is not available")
        }
        let last = status["lastState"]["terminated"]
        let lastID = id(last)
        if isPrevious {
            guard let lastID else { throw ServedFailure(400, "previous terminated \(subject) not found") }
            return lastID
        }
        let state = status["state"]
        if !state["running"].isNull {
            guard let current = id(status) else { throw ServedFailure(400, "\(subject) is not available") }
            return current
        }
        if !state["terminated"].isNull || !last.isNull {
            guard let ended = id(state["terminated"]) ?? lastID else { throw ServedFailure(400, "\(subject) is terminated") }
            return ended
        }
        guard !state["waiting"].isNull else { throw ServedFailure(400, "\(subject) is waiting to start - no logs yet") }
        let reason = state["waiting"]["reason"].string ?? ""
        let words =
            switch reason {
            case "ErrImagePull": "image can't be pulled"
            case "ImagePullBackOff": "trying and failing to pull image"
            default: reason
            }
        throw ServedFailure(400, "\(subject) is waiting to start: \(words)")
    }

    /// What stands behind `containerd://`; nil where there is nothing.
    private static func id(_ status: JSONValue) -> String? {
        guard let text = status["containerID"].string, !text.isEmpty else { return nil }
        guard let scheme = text.firstRange(of: "://") else { return text }
        return String(text[scheme.upperBound...])
    }
}

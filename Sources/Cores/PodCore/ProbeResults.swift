import Primitives

/// What a probe is asked for.
package enum ProbeKind: String, Sendable, Hashable, CaseIterable { case liveness = "Liveness", readiness = "Readiness", startup = "Startup" }

/// What the tries of a probe add up to.
package enum ProbeOutcome: Sendable, Hashable { case success, failure, unknown }

/// The settled results of probes, by container ID.
package struct ProbeResults: Sendable, Hashable {
    private struct Key: Hashable {
        var kind: ProbeKind
        var containerID: String
    }
    private var outcomes: [Key: ProbeOutcome] = [:]

    package init() {}

    /// What the cluster was told of containers before the agent was started anew: they go on to be started and ready until a probe fails.
    package init(_ pod: PodView) {
        for status in pod.object.status["containerStatuses"].elements {
            guard let container = pod.container(named: status["name"].string ?? ""), let id = status["containerID"].string?.split(separator: "/").last
            else { continue }
            if container.startupProbe != nil, status["started"] == true { set(.startup, String(id), .success) }
            if container.readinessProbe != nil, status["ready"] == true { set(.readiness, String(id), .success) }
        }
    }

    /// The outcome of a container's probe, nil before there is a probe for it.
    package func outcome(_ kind: ProbeKind, _ containerID: String) -> ProbeOutcome? { outcomes[Key(kind: kind, containerID: containerID)] }

    /// Takes an outcome in; nil forgets it.
    package mutating func set(_ kind: ProbeKind, _ containerID: String, _ outcome: ProbeOutcome?) {
        outcomes[Key(kind: kind, containerID: containerID)] = outcome
    }

    /// Forgets a container that is gone.
    package mutating func forget(_ containerID: String) { for kind in ProbeKind.allCases { set(kind, containerID, nil) } }
}

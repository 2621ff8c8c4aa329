import KubeMachinery
import Primitives

extension PodLifecycle {
    /// Stops what still runs. A shorter grace replaces a longer one, never the other way round (`spec/05 §14.1`).
    mutating func terminate(_ observation: PodObservation, _ actions: inout PodActions) {
        let ready = observation.sandboxes.filter(\.isReady).map(\.id)
        guard !observation.alive.isEmpty || !ready.isEmpty else {
            stage = .terminated
            return
        }
        let asked = stopGrace
        let shortest = min(grace ?? asked, asked)
        grace = shortest
        actions.podKill = podKill(observation, sandboxes: ready, grace: shortest)
    }

    /// The grace of a stop that no probe asked for: the deletion's, the pod's, or two seconds.
    var stopGrace: Duration { graceOverride ?? pod.deletionGrace ?? pod.terminationGrace ?? StopBudget.minimum }

    func podKill(_ observation: PodObservation, sandboxes: [String], grace: Duration) -> PodKill {
        PodKill(
            containers: observation.alive.map {
                ContainerKill(id: $0.id, name: $0.name, message: "Stopping container \($0.name)", reason: .deletion, grace: grace)
            }, sandboxes: sandboxes)
    }

    func kill(_ container: ContainerState, _ reason: ContainerKill.Reason, _ message: String) -> ContainerKill {
        ContainerKill(id: container.id, name: container.name, message: message, reason: reason, grace: killGrace(container.name, reason))
    }

    private func killGrace(_ name: String, _ reason: ContainerKill.Reason) -> Duration {
        if let deletion = pod.deletionGrace { return deletion }
        let container = pod.container(named: name)
        let probe: JSONValue? =
            switch reason {
            case .liveness: container?.livenessProbe
            case .startup: container?.startupProbe
            default: nil
            }
        if pod.terminationGrace != nil, let seconds = probe?["terminationGracePeriodSeconds"].int { return .seconds(seconds) }
        return pod.terminationGrace ?? StopBudget.minimum
    }
}

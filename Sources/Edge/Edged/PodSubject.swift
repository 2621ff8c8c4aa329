import PodCore
import Primitives
import Synchronization

/// A pod of the node as usage and eviction look at it.
struct PodSubject: Sendable {
    var pod: PodView
    var startTime: Timestamp?
    /// When running containers were started, by ID.
    var started: [String: Timestamp]
    /// Where volumes are on the host, by name.
    var volumePaths: [String: String]
    /// Whether something of the pod may run that has not been told to go for the node's sake.
    var isEvictable: Bool
}

extension PodWorker {
    /// What usage and eviction want to know.
    var subject: PodSubject {
        var started: [String: Timestamp] = [:]
        for (id, state) in knownContainers where state.phase == .running { started[id] = state.startedAt ?? state.createdAt }
        return PodSubject(
            pod: lifecycle.pod, startTime: lifecycle.status["startTime"].string.flatMap { Timestamp(rfc3339: $0) }, started: started,
            volumePaths: volumes.mounted.mapValues(\.hostPath), isEvictable: lifecycle.isEvictable)
    }

    /// Ends the pod for the node's sake, or because it took more than it may; a turn that runs is cut short.
    func evict(_ message: String, grace: Duration, isDisruption: Bool) {
        guard lifecycle.isEvictable else { return }
        lifecycle.evict(reason: "Evicted", message: message, grace: grace, isDisruption: isDisruption, now: context.clock.now())
        interrupt()
    }

    /// Ends the pod to make room for a critical one.
    func preempt() {
        guard lifecycle.isEvictable else { return }
        lifecycle.evict(
            reason: Preemption.reason, message: Preemption.message, grace: pod.terminationGrace ?? StopBudget.minimum,
            disruption: Preemption.disruption, now: context.clock.now())
        interrupt()
    }

    /// Whether nothing of the pod runs any more, and its volumes are given back.
    var hasReleased: Bool { lifecycle.stage == .finished }
}

/// The pods of whichever supervisor runs now: each run of the kubelet has one of its own.
final class CurrentPods: Sendable {
    private let supervisor = Mutex<PodSupervisor?>(nil)

    func follow(_ current: PodSupervisor) { supervisor.withLock { $0 = current } }
    func subjects() async -> [PodSubject] { await supervisor.withLock { $0 }?.subjects() ?? [] }
}

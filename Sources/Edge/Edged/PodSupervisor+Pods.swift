import Logging
import PodCore

/// What usage and eviction want of the pods.
extension PodSupervisor {
    /// The pods that may run; with `withStorageLimits` those whose local storage is limited.
    func subjects(withStorageLimits: Bool = false) async -> [PodSubject] {
        var subjects: [PodSubject] = []
        for worker in measuredWorkers(withStorageLimits: withStorageLimits) where await worker.lifecycle.couldHaveRunningContainers {
            subjects.append(await worker.subject)
        }
        return subjects
    }

    /// Ends a pod for the node's sake, or because it took more than it may.
    func evict(_ uid: String, _ message: String, grace: Duration, isDisruption: Bool) async {
        guard let worker = worker(uid) else { return }
        await worker.evict(message, grace: grace, isDisruption: isDisruption)
        wake(uid)
    }

    /// Ends a pod to make room for a critical one, which is admitted at once.
    func preempt(_ pod: PodView) async {
        guard let worker = worker(pod.uid) else { return }
        context.logger.warning("pod makes room for a critical one", metadata: ["pod": "\(pod.object.key)"])
        context.events.record(KubeletEvent(.pod(pod), .warning, reason: Preemption.reason, message: Preemption.message))
        await worker.preempt()
        wake(pod.uid)
    }

    /// Whether nothing of the pod runs any more, and its volumes are given back.
    func hasReleased(_ uid: String) async -> Bool { await worker(uid)?.hasReleased ?? true }
}

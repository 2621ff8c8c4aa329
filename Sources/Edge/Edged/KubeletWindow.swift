import KubeMachinery
import PodCore
import Primitives
import Synchronization

/// Looks at the pods of whichever supervisor runs now: each run of the kubelet has one of its own.
final class KubeletWindow: KubeletView {
    private let supervisor = Mutex<PodSupervisor?>(nil)
    private let clock: any MomentSource

    init(clock: any MomentSource) { self.clock = clock }

    func show(_ current: PodSupervisor) { supervisor.withLock { $0 = current } }

    func pods() async -> [KubeObject] {
        var pods: [KubeObject] = []
        for worker in await workers() { if let pod = await worker.served { pods.append(pod) } }
        return pods.sorted { ($0.namespace ?? "", $0.name) < ($1.namespace ?? "", $1.name) }
    }

    func pod(_ key: ObjectKey) async -> KubeObject? {
        for worker in await workers() where worker.key == key { if let pod = await worker.served { return pod } }
        return nil
    }

    func timeSinceSync() async -> Duration? {
        guard let tick = await supervisor.withLock({ $0 })?.lastTick else { return nil }
        return clock.now().uptime - tick
    }

    private func workers() async -> [PodWorker] { await supervisor.withLock { $0 }?.workers ?? [] }
}

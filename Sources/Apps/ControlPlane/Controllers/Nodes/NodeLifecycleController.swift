import KubeClient
import KubeMachinery
import KubeResources
import Logging
import Primitives

/// Marks nodes that no longer report, taints them, and evicts the pods that do not tolerate a taint.
actor NodeLifecycleController {
    private let api: any KubeAPI
    private let informers: InformerSet
    private let keepsEdgePods: Bool
    private let clock: any MomentSource
    private let events: EventRecorder
    private let logger: Logger
    private var health = NodeHealth()

    /// `keepsEdgePods`: whether a node with the label `node-role.kubernetes.io/edge` keeps its pods while it is out of reach.
    init(api: any KubeAPI, informers: InformerSet, keepsEdgePods: Bool, clock: any MomentSource, logger: Logger) {
        self.api = api
        self.informers = informers
        self.keepsEdgePods = keepsEdgePods
        self.clock = clock
        self.logger = logger
        events = EventRecorder(api: api, component: "node-controller", clock: clock, logger: logger)
    }

    /// Looks at all nodes every 5 s and at one as soon as it changes.
    func run() async throws {
        let informers = informers
        await informers.leases.synced()
        let reconciler = Reconciler<ObjectKey>(
            sources: [
                .init(informer: informers.nodes) { [$0.object.key] },
                .init(informer: informers.pods) { change in
                    guard case .added(let pod) = change, !pod.nodeName.isEmpty else { return [] }
                    return [ObjectKey(name: pod.nodeName)]
                },
            ], workers: 1, clock: clock, logger: logger
        ) { [self] key in try await look(at: key) }
        try await reconciler.run()
    }

    private func look(at key: ObjectKey) async throws -> Duration? {
        guard let node = await informers.nodes.object(key) else {
            health.keep(await informers.nodes.objects())
            return nil
        }
        let lease = await informers.leases.object(ObjectKey(namespace: "kube-node-lease", name: key.name))
        let now = clock.now()
        let plan = NodePlan(node, health.look(at: node, lease: lease, now: now.uptime), now: now.wall)
        var current = node
        if let status = plan.status {
            current.status = status
            current = try await api.update(Resources.nodes, current, subresource: "status")
            logger.warning("node does not report", metadata: ["node": "\(key)"])
            await events.record(.normal, "NodeNotReady", "Node \(key.name) status is now: NodeNotReady", about: node)
        }
        if let taints = plan.taints {
            current.spec["taints"] = .array(taints.map(\.json))
            if taints.isEmpty { current.spec.removeMember("taints") }
            current = try await api.update(Resources.nodes, current)
            logger.info("taints of node changed", metadata: ["node": "\(key)", "taints": "\(taints.map(\.key))"])
        }
        try await evict(from: current, now: now.wall)
        return .seconds(5)
    }

    private func evict(from node: KubeObject, now: Timestamp) async throws {
        guard node.taints.contains(where: { $0.effect == .noExecute }) else { return }
        let keeps = keepsEdgePods && node.labels["node-role.kubernetes.io/edge"] != nil
        for pod in await informers.pods.objects(where: { $0.nodeName == node.name && $0.isActive }) {
            guard case .at(let deadline) = TaintEviction(of: pod, on: node, keepsUnreachable: keeps), deadline <= now else { continue }
            do {
                _ = try await api.delete(Resources.pods, pod.key, options: ["preconditions": ["uid": .string(pod.uid)]])
                await events.record(.normal, "TaintManagerEviction", "Marking for deletion Pod \(pod.key)", about: pod)
            } catch let status as KubeStatus where status.isNotFound {
                continue
            }
        }
    }
}

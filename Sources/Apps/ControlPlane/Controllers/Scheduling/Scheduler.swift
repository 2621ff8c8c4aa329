import KubeClient
import KubeMachinery
import KubeResources
import Logging
import Primitives

/// Binds pods without a node to one that fits; says why where none does, and looks again when nodes or pods change.
actor Scheduler {
    private let api: any KubeAPI
    private let informers: InformerSet
    private let clock: any MomentSource
    private let events: EventRecorder
    private let logger: Logger
    /// Bindings that succeeded and that the informer has not shown yet, by pod uid.
    private var assumed: [String: String] = [:]

    init(api: any KubeAPI, informers: InformerSet, clock: any MomentSource, logger: Logger) {
        self.api = api
        self.informers = informers
        self.clock = clock
        self.logger = logger
        events = EventRecorder(api: api, component: "default-scheduler", clock: clock, logger: logger)
    }

    func run() async throws {
        let informers = informers
        let waiting: @Sendable (InformerChange) async -> [ObjectKey] = { _ in
            await informers.pods.objects(where: Self.isWaiting).map(\.key)
        }
        let reconciler = Reconciler<ObjectKey>(
            sources: [
                .init(informer: informers.pods) { change in
                    switch change {
                    case .deleted: await waiting(change)
                    case .updated(let old, let new) where !old.isFinished && new.isFinished: await waiting(change)
                    default: Self.isWaiting(change.object) ? [change.object.key] : []
                    }
                },
                .init(informer: informers.nodes, keys: waiting),
            ], workers: 1, clock: clock, logger: logger
        ) { [self] key in
            try await schedule(key)
            return nil
        }
        try await reconciler.run()
    }

    private static func isWaiting(_ pod: KubeObject) -> Bool {
        let scheduler = pod.spec["schedulerName"].string ?? ""
        return pod.nodeName.isEmpty && pod.isActive && (scheduler.isEmpty || scheduler == "default-scheduler")
            && pod.spec["schedulingGates"].elements.isEmpty
    }

    private func schedule(_ key: ObjectKey) async throws {
        guard let pod = await informers.pods.object(key), Self.isWaiting(pod), assumed[pod.uid] == nil else { return }
        let nodes = await informers.nodes.objects().filter { !$0.isTerminating }
        let podsByNode = placed(await informers.pods.objects(where: { !$0.isFinished }))
        switch SchedulingDecision(pod, nodes: nodes, podsByNode: podsByNode) {
        case .bind(let node): try await bind(pod, to: node)
        case .unschedulable(let message): try await refuse(pod, message)
        }
    }

    /// The pods by node, those included that were bound just now.
    private func placed(_ pods: [KubeObject]) -> [String: [KubeObject]] {
        var result: [String: [KubeObject]] = [:]
        var stillAssumed: [String: String] = [:]
        for pod in pods {
            if !pod.nodeName.isEmpty {
                result[pod.nodeName, default: []].append(pod)
            } else if let node = assumed[pod.uid] {
                stillAssumed[pod.uid] = node
                result[node, default: []].append(pod)
            }
        }
        assumed = stillAssumed
        return result
    }

    private func bind(_ pod: KubeObject, to node: String) async throws {
        var binding = KubeObject(apiVersion: "v1", kind: "Binding", namespace: pod.namespace, name: pod.name)
        binding.uid = pod.uid
        binding.json["target"] = ["apiVersion": "v1", "kind": "Node", "name": .string(node)]
        _ = try await api.create(Resources.pods, namespace: pod.namespace, name: pod.name, binding, subresource: "binding")
        assumed[pod.uid] = node
        logger.info("pod bound", metadata: ["pod": "\(pod.key)", "node": "\(node)"])
        await events.record(.normal, "Scheduled", "Successfully assigned \(pod.key) to \(node)", about: pod)
    }

    private func refuse(_ pod: KubeObject, _ message: String) async throws {
        let before = pod.status["conditions"]
        let after = setting("PodScheduled", "False", reason: "Unschedulable", message: message, in: before, at: clock.now().wall)
        guard before != after else { return }
        var status = pod
        status.status["conditions"] = after
        _ = try await api.update(Resources.pods, status, subresource: "status")
        await events.record(.warning, "FailedScheduling", message, about: pod)
    }
}

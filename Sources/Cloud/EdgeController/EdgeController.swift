package import DeliveryCore
import EdgeMessages
package import KubeClient
package import KubeMachinery
import KubeResources
package import Logging
package import Primitives

/// The bridge between the cluster's objects and the nodes: changes go down, requests and reports come up (`spec/01 §8`).
///
/// Nodes that are not connected here are told nothing; when one connects it gets what it should have, and its session
/// leaves out what its sync records say it already holds.
package actor EdgeController: NodeUplink {
    package struct Configuration: Sendable {
        /// Nodes may ask for what is not theirs.
        package var allowsAllNodeRequests = false
        /// How long a request waits for the first lists before it is answered with 503.
        package var syncTimeout: Duration = .seconds(20)

        package init() {}
    }

    let api: any KubeAPI
    let downlink: any NodeDownlink
    let configuration: Configuration
    let clock: any MomentSource
    let logger: Logger
    /// When it was last said that the cluster does not take events of nodes.
    var eventRefusalToldAt: Duration?
    /// The live copies that this controller keeps; others may read them too.
    package nonisolated let informers: [GroupVersionResource: Informer]

    var downstream = Downstream()
    private var connectedNodes: Set<String> = []
    /// The leases that this cloud renews, as they were written last.
    var leases: [String: RenewedLease] = [:]
    private var isSynced = false
    private var syncWaiters: [UInt64: AsyncStream<Void>.Continuation] = [:]
    private var nextWaiter: UInt64 = 0

    /// `downlink` is where messages for nodes go.
    package init(
        api: any KubeAPI, downlink: any NodeDownlink, configuration: Configuration = Configuration(), clock: any MomentSource = SystemClock(),
        logger: Logger
    ) {
        self.api = api
        self.downlink = downlink
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
        var informers: [GroupVersionResource: Informer] = [:]
        for resource in [Resources.nodes, Resources.pods, Resources.configMaps, Resources.secrets] {
            informers[resource] = Informer(api: api, resource: resource, clock: clock, logger: logger)
        }
        self.informers = informers
    }

    /// Keeps the copies and tells nodes what changes, until the task is cancelled.
    package func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for informer in informers.values { group.addTask { try await informer.run() } }
            group.addTask { try await self.follow() }
            try await group.waitForAll()
        }
    }

    /// Whether the first lists have been read, so that requests can be judged.
    package var hasSynced: Bool { isSynced }

    /// Returns once the first lists have been read, or when the task is cancelled.
    package func synced() async {
        if isSynced { return }
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        nextWaiter += 1
        let id = nextWaiter
        syncWaiters[id] = continuation
        for await _ in stream {}
        syncWaiters[id] = nil
    }

    // MARK: - The way down

    package func connected(_ node: String) async {
        connectedNodes.insert(node)
        if isSynced { await replay(node) }
    }

    package func disconnected(_ node: String) {
        connectedNodes.remove(node)
        leases[node] = nil
    }

    func isConnected(_ node: String) -> Bool { connectedNodes.contains(node) }

    private func follow() async throws {
        for informer in informers.values { await informer.synced() }
        try Task.checkCancellation()
        for node in await objects(Resources.nodes) { _ = downstream.nodeChanged(.added(node)) }
        for pod in await objects(Resources.pods) { _ = downstream.podChanged(.added(pod)) }
        isSynced = true
        for waiter in syncWaiters.values { waiter.finish() }
        syncWaiters = [:]
        logger.info("cluster state read", metadata: ["edgeNodes": "\(downstream.contents.edgeNodes.count)"])
        for node in connectedNodes.sorted() { await replay(node) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (resource, informer) in informers {
                let changes = await informer.changes()
                group.addTask { for await change in changes { await self.take(change, of: resource) } }
            }
            try await group.waitForAll()
        }
    }

    private func take(_ change: InformerChange, of resource: GroupVersionResource) async {
        let directives =
            switch resource {
            case Resources.nodes: downstream.nodeChanged(change)
            case Resources.pods: downstream.podChanged(change)
            case Resources.configMaps: downstream.configMapChanged(change)
            default: downstream.secretChanged(change)
            }
        for directive in directives {
            switch directive {
            case .send(let message, let node):
                if connectedNodes.contains(node) { await downlink.deliver(message, to: node) }
            case .disconnect(let node): await downlink.disconnect(node)
            case .replay(let node):
                if connectedNodes.contains(node) { await replay(node) }
            }
        }
    }

    private func replay(_ node: String) async {
        let entries = downstream.contents.pods(on: node)
        var pods: [ObjectKey: KubeObject] = [:]
        var configMaps: [ObjectKey: KubeObject] = [:]
        var secrets: [ObjectKey: KubeObject] = [:]
        for entry in entries {
            pods[entry.key] = await cached(Resources.pods, entry.key)
            for name in entry.references.configMaps {
                let key = ObjectKey(namespace: entry.key.namespace, name: name)
                configMaps[key] = await cached(Resources.configMaps, key)
            }
            for name in entry.references.secrets {
                let key = ObjectKey(namespace: entry.key.namespace, name: name)
                secrets[key] = await cached(Resources.secrets, key)
            }
        }
        let messages = downstream.replay(node: node, pod: { pods[$0] }, configMap: { configMaps[$0] }, secret: { secrets[$0] })
        logger.debug("telling a node what it should have", metadata: ["node": "\(node)", "objects": "\(messages.count)"])
        for message in messages { await downlink.deliver(message, to: node) }
    }

    func cached(_ resource: GroupVersionResource, _ key: ObjectKey) async -> KubeObject? { await informers[resource]?.object(key) }

    private func objects(_ resource: GroupVersionResource) async -> [KubeObject] { await informers[resource]?.objects() ?? [] }
}

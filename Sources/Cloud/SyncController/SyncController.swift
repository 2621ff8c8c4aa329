package import DeliveryCore
import EdgeMessages
package import KubeClient
package import KubeMachinery
import KubeResources
package import Logging
package import Primitives

/// Heals what a session missed: compares the sync records of connected nodes with the cluster when a node connects and every 5 s
/// (`spec/01 §6.6`).
package actor SyncController {
    package struct Configuration: Sendable {
        package var interval: Duration = .seconds(5)

        package init() {}
    }

    private let api: any KubeAPI
    private let downlink: any NodeDownlink
    private let configuration: Configuration
    private let clock: any MomentSource
    private let logger: Logger
    private let wake = Signal()

    /// Live copies by resource: those that were given and those made for kinds that records name.
    private var informers: [GroupVersionResource: Informer]
    private let owned: [Informer]
    private var awaited: [GroupVersionResource] = []
    private var tracker = ChangeTracker()

    /// `informers` are copies that others keep and this controller reads.
    package init(
        api: any KubeAPI, downlink: any NodeDownlink, informers: [GroupVersionResource: Informer] = [:],
        configuration: Configuration = Configuration(), clock: any MomentSource = SystemClock(), logger: Logger
    ) {
        self.api = api
        self.downlink = downlink
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
        var all = informers
        var owned: [Informer] = []
        for resource in [Resources.nodes, Resources.objectSyncs, Resources.clusterObjectSyncs] where all[resource] == nil {
            let informer = Informer(api: api, resource: resource, clock: clock, logger: logger)
            all[resource] = informer
            owned.append(informer)
        }
        self.informers = all
        self.owned = owned
    }

    /// Says that a node has connected: its records are compared at once.
    package func connected(_ node: String) { wake.set() }

    /// Compares until the task is cancelled.
    package func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for informer in owned { group.addTask { try await informer.run() } }
            for resource in [Resources.nodes, Resources.objectSyncs, Resources.clusterObjectSyncs] { await informers[resource]?.synced() }
            while true {
                try Task.checkCancellation()
                await compareAll()
                for resource in awaited {
                    guard let informer = informers[resource] else { continue }
                    group.addTask { try await informer.run() }
                    group.addTask { [wake] in
                        await informer.synced()
                        wake.set()
                    }
                }
                awaited = []
                await wake.wait(until: clock.now().uptime + configuration.interval, clock: clock)
            }
        }
    }

    /// One comparison of all records.
    func compareAll() async {
        let connected = Set(await downlink.connectedNodes())
        let nodes = await knownNodes()
        var uids: Set<String> = []
        for resource in [Resources.objectSyncs, Resources.clusterObjectSyncs] {
            guard let informer = informers[resource], await informer.hasSynced else { continue }
            for object in await informer.objects() {
                guard let record = RecordedObject(object) else { continue }
                uids.insert(record.uid)
                let isConnected = connected.contains(record.node)
                let lookup = isConnected ? await lookUp(record) : .unknown
                let directive = SyncComparison.compare(
                    record, nodeExists: nodes.map { $0.contains(record.node) || isConnected }, isConnected: isConnected, lookup)
                if let directive { await perform(directive, resource) }
            }
        }
        tracker.keep(only: uids)
    }

    private func perform(_ directive: SyncDirective, _ resource: GroupVersionResource) async {
        switch directive {
        case .send(let message, let node): await downlink.deliver(message, to: node)
        case .removeRecord(let key):
            do {
                _ = try await api.delete(resource, key, options: ["gracePeriodSeconds": 0])
                logger.info("sync record of a node that is gone removed", metadata: ["record": "\(key)"])
            } catch let status as KubeStatus where status.isNotFound {
            } catch {
                logger.warning("sync record not removed", metadata: ["record": "\(key)", "error": "\(error)"])
            }
        }
    }

    /// nil until the nodes have been listed.
    private func knownNodes() async -> Set<String>? {
        guard let informer = informers[Resources.nodes], await informer.hasSynced else { return nil }
        return Set(await informer.objects().map(\.name))
    }

    private func lookUp(_ record: RecordedObject) async -> ObjectLookup {
        let resource = KindResources.resource(of: record.kind)
        guard let informer = informers[resource] else {
            informers[resource] = Informer(api: api, resource: resource, clock: clock, logger: logger)
            awaited.append(resource)
            return .unknown
        }
        guard await informer.hasSynced else { return .unknown }
        guard let object = await informer.object(record.key) else { return .absent }
        return .found(object, changedAt: tracker.changedAt(object, isPod: resource == Resources.pods))
    }
}

package import DeliveryCore
import EdgeMessages
package import KubeClient
package import KubeMachinery
import KubeResources
package import Logging
package import Primitives

/// Heals what a session missed: compares the sync records of connected nodes with the cluster when a node connects and every 5 s
/// (`spec/01 §6.6`), those alone that something has happened to.
package actor SyncController {
    package struct Configuration: Sendable {
        package var interval: Duration = .seconds(5)
        /// Every so many comparisons all records are looked at, not only those that something has happened to.
        package var fullEvery = 60

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
    /// The live copies of the sync records, for others to read.
    package nonisolated let records: [GroupVersionResource: Informer]
    private var awaited: [GroupVersionResource] = []
    private var tracker = ChangeTracker()
    private var table = RecordTable()
    private var report = DeliveryReport()
    private var nextReport: Duration = .zero
    /// nil until the nodes have been listed.
    private var knownNodes: Set<String>?

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
        records = all.filter { [Resources.objectSyncs, Resources.clusterObjectSyncs].contains($0.key) }
    }

    /// Says that a node has connected: its records are compared at once.
    package func connected(_ node: String) {
        table.nodeChanged(node)
        wake.set()
    }

    /// Compares until the task is cancelled.
    package func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for informer in owned { group.addTask { try await informer.run() } }
            for resource in [Resources.nodes, Resources.objectSyncs, Resources.clusterObjectSyncs] { await informers[resource]?.synced() }
            await readAll()
            for resource in Array(informers.keys) { group.addTask { await self.follow(resource) } }
            var passes = 0
            while true {
                try Task.checkCancellation()
                passes += 1
                if passes.isMultiple(of: configuration.fullEvery) { table.openAll() }
                await compareOpen()
                await writeReport()
                for resource in awaited {
                    guard let informer = informers[resource] else { continue }
                    group.addTask { try await informer.run() }
                    group.addTask { [wake] in
                        await informer.synced()
                        wake.set()
                        await self.follow(resource)
                    }
                }
                awaited = []
                await wake.wait(until: clock.now().uptime + configuration.interval, clock: clock)
            }
        }
    }

    /// The records of this cluster, and those of them that are to be compared or were found behind.
    package var counts: (records: Int, open: Int) { (table.count, table.openCount) }

    // MARK: - What changes

    /// Takes in what the informers hold.
    private func readAll() async {
        if let nodes = informers[Resources.nodes], await nodes.hasSynced {
            let nodes = await nodes.objects()
            knownNodes = Set(nodes.map(\.name))
            for node in nodes { report.learn(node) }
        }
        for resource in [Resources.objectSyncs, Resources.clusterObjectSyncs] {
            for object in await informers[resource]?.objects() ?? [] { if let record = RecordedObject(object) { table.set(record) } }
        }
    }

    private func follow(_ resource: GroupVersionResource) async {
        guard let informer = informers[resource] else { return }
        for await change in await informer.changes() { take(change, resource) }
    }

    private func take(_ change: InformerChange, _ resource: GroupVersionResource) {
        let object = change.object
        switch resource {
        case Resources.objectSyncs, Resources.clusterObjectSyncs:
            if case .deleted = change {
                if let record = table[object.key] { report.settled(object.key, node: record.node) }
                if let uid = table.remove(object.key) { tracker.forget(uid) }
            } else if let record = RecordedObject(object) {
                table.set(record)
            }
        default:
            if resource == Resources.nodes { take(change, node: object.name) }
            table.objectChanged(resource, object.key)
        }
    }

    /// That a node comes or goes matters, and what its conditions say of deliveries and of the line.
    private func take(_ change: InformerChange, node: String) {
        if case .deleted = change {
            knownNodes?.remove(node)
            report.forget(node: node)
            table.nodeChanged(node)
        } else {
            report.learn(change.object)
            if knownNodes?.insert(node).inserted == true { table.nodeChanged(node) }
        }
    }

    // MARK: - Comparing

    /// One comparison of all records.
    func compareAll() async {
        table.openAll()
        await compareOpen()
    }

    /// Compares the records that something has happened to; those that are not right yet are compared again the next time.
    private func compareOpen() async {
        let open = table.takeOpen()
        guard !open.isEmpty else { return }
        let (connected, stores) = (Set(await downlink.connectedNodes()), await downlink.stores())
        for key in open {
            guard let record = table[key] else { continue }
            let isConnected = connected.contains(record.node)
            let lookup = await lookUp(record)
            let directive = SyncComparison.compare(
                record, nodeExists: knownNodes.map { $0.contains(record.node) || isConnected }, isConnected: true,
                isOtherStore: isConnected && stores[record.node] != record.store, lookup)
            guard let directive else {
                if case .unknown = lookup { table.reopen(key) } else { report.settled(key, node: record.node) }
                continue
            }
            if case .send = directive {
                report.waits(record, now: clock.now())
                // Its node is told when it connects.
                guard isConnected else { continue }
            }
            table.reopen(key)
            guard await isConfirmed(directive, record) else { continue }
            await perform(directive, key.namespace == nil ? Resources.clusterObjectSyncs : Resources.objectSyncs)
        }
    }

    /// Says of nodes whether they have what is theirs, where that has changed for longer than a moment.
    private func writeReport() async {
        // A fleet that connects at once wakes the comparison often.
        guard clock.now().uptime >= nextReport else { return }
        nextReport = clock.now().uptime + configuration.interval
        let due = report.due(connected: Set(await downlink.connectedNodes()), now: clock.now())
        for (node, condition) in due {
            do {
                _ = try await api.patch(
                    Resources.nodes, ObjectKey(name: node), ["status": ["conditions": [condition]]], .strategic, subresource: "status")
            } catch {
                report.failed(node)
                logger.debug("condition of a node not written", metadata: ["node": "\(node)", "error": "\(error)"])
            }
        }
    }

    /// That something is gone is the API's to say: a record may be of another cloudcore, which has seen what this one's copies do not show yet.
    private func isConfirmed(_ directive: SyncDirective, _ record: RecordedObject) async -> Bool {
        do {
            switch directive {
            case .send(let message, _) where message.route.operation != EdgeOperation.delete: return true
            case .send: return try await api.get(KindResources.resource(of: record.kind), record.key).uid != record.uid
            case .removeRecord: return try await api.get(Resources.nodes, ObjectKey(name: record.node)).name != record.node
            }
        } catch let status as KubeStatus where status.isNotFound {
            return true
        } catch {
            logger.debug("not known whether an object is gone", metadata: ["record": "\(record.record)", "error": "\(error)"])
            return false
        }
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

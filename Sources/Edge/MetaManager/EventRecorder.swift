package import DeliveryCore
internal import EdgeMessages
internal import KubeMachinery
package import Logging
package import ObjectStore
package import PodCore
package import Primitives
internal import Synchronization

/// Takes the kubelet's events, and tells the cloud of them when it is there and wants them.
///
/// What the cloud has not heard waits in memory within the bounds of `EventBacklog`, and a few seconds later on the disk, all in one
/// transaction: nothing is written while events get through. `EventCorrelator` decides what is sent, `EventBacklog` what is dropped.
package final class EventRecorder: EventSink {
    package struct Configuration: Sendable {
        /// Whom events are sent to.
        package enum Receiver: Sendable, Hashable {
            /// Clouds that announce that they take events; an unchanged v1.17 cloud never does.
            case announced
            /// Every cloud: for Go clouds from v1.19 on, which take events and never confirm them.
            case any
            case nobody
        }

        package var nodeName: String
        package var receiver = Receiver.announced
        /// How long to wait for more before what waits is written to the disk.
        package var saveDelay = Duration.seconds(5)
        /// How long to wait after the cloud could not take an event.
        package var retryDelay = Duration.seconds(5)
        /// How long one event may take.
        package var timeout = Duration.seconds(30)
        package var limits = EventBacklog.Limits()

        package init(nodeName: String) { self.nodeName = nodeName }
    }

    private struct State {
        var correlator = EventCorrelator()
        var backlog: EventBacklog
        /// Whether it was logged that the cloud refuses events: it may refuse them all.
        var isRefusalTold = false
        /// How many dropped events have been logged.
        var toldDropped = 0
    }

    private let configuration: Configuration
    private let store: ObjectStore
    private let uplink: any CloudUplink
    private let clock: any MomentSource
    private let logger: Logger
    private let state: Mutex<State>
    private let hasNews = Signal()
    private let isUnsaved = Signal()
    private let shelf: EventShelf

    package init(configuration: Configuration, store: ObjectStore, uplink: any CloudUplink, clock: any MomentSource, logger: Logger) {
        self.configuration = configuration
        self.store = store
        self.uplink = uplink
        self.clock = clock
        self.logger = logger
        state = Mutex(State(backlog: EventBacklog(configuration.limits)))
        shelf = EventShelf(store: store, nodeName: configuration.nodeName)
    }

    package func record(_ event: KubeletEvent) {
        guard configuration.receiver != .nobody else { return }
        let now = clock.now()
        let isTaken = state.withLock { state in
            guard let record = state.correlator.correlate(event, now: now) else { return false }
            state.backlog.add(record)
            return true
        }
        guard isTaken else { return }
        hasNews.set()
        isUnsaved.set()
    }

    /// Events that wait: for tests and metrics.
    package var waiting: Int { state.withLock { $0.backlog.entries.count } }

    /// Sends and keeps until cancelled; what waits then is kept for the next start.
    package func run() async throws {
        guard configuration.receiver != .nobody else { return await Signal().wait() }
        await restore()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { for await isConnected in await self.uplink.connectivity() where isConnected { self.hasNews.set() } }
            group.addTask { await self.keepSending() }
            group.addTask { await self.keepSaving() }
            await group.next()
            group.cancelAll()
        }
        await save()
        try Task.checkCancellation()
    }

    // MARK: - Sending

    private func keepSending() async {
        while !Task.isCancelled {
            await hasNews.wait()
            guard await uplink.isConnected() else { continue }
            let isOffered = await uplink.offers(.events)
            guard isOffered || configuration.receiver == .any else {
                // This cloud would only log an error for each.
                state.withLock { $0.backlog.removeAll() }
                isUnsaved.set()
                continue
            }
            if await sendAll(isConfirmed: isOffered) { continue }
            try? await clock.wait(until: clock.now().uptime + configuration.retryDelay)
            hasNews.set()
        }
    }

    /// Sends what waits, one after the other; false where the cloud could not take one now.
    private func sendAll(isConfirmed: Bool) async -> Bool {
        while !Task.isCancelled, let entry = state.withLock({ $0.backlog.next }) {
            do {
                let isTaken = try await send(entry, isConfirmed: isConfirmed)
                state.withLock { if isTaken { $0.backlog.sent(entry.record) } else { $0.backlog.refused(entry.record) } }
                isUnsaved.set()
            } catch {
                // With the connection gone the next one begins anew.
                return await !uplink.isConnected()
            }
        }
        return true
    }

    /// Whether the cloud took it; throws where it may take it later.
    private func send(_ entry: EventBacklog.Entry, isConfirmed: Bool) async throws -> Bool {
        let object = entry.record.object(node: configuration.nodeName)
        var message = entry.isKnown ? EdgeMessage.patchEvent(object, entry.record.patch) : EdgeMessage.createEvent(object)
        guard isConfirmed else {
            await uplink.post(message)
            return true
        }
        message.wantsAnswer = true
        guard case .failure(let status) = try await uplink.request(message, timeout: configuration.timeout).answer else { return true }
        if status.isRetryable { throw status }
        let isNews = state.withLock { state in
            defer { state.isRefusalTold = true }
            return !state.isRefusalTold
        }
        logger.log(level: isNews ? .info : .debug, "cloud refused an event", metadata: ["event": "\(object.key)", "error": "\(status)"])
        return false
    }

    // MARK: - Keeping

    private func restore() async {
        do {
            let kept = try await shelf.read()
            guard !kept.isEmpty else { return }
            state.withLock { $0.backlog.restore(kept) }
            hasNews.set()
        } catch {
            logger.warning("events that waited for the cloud cannot be read: they are lost", metadata: ["error": "\(error)"])
        }
    }

    private func keepSaving() async {
        while !Task.isCancelled {
            await isUnsaved.wait()
            try? await clock.wait(until: clock.now().uptime + configuration.saveDelay)
            if Task.isCancelled { return }
            await save()
        }
    }

    private func save() async {
        let (entries, dropped) = state.withLock { state in
            defer { state.toldDropped = state.backlog.dropped }
            return (state.backlog.entries, state.backlog.dropped - state.toldDropped)
        }
        if dropped > 0 {
            logger.warning("events dropped, too many wait for the cloud", metadata: ["dropped": "\(dropped)", "waiting": "\(entries.count)"])
        }
        do {
            try await shelf.write(entries)
        } catch {
            logger.warning("events that wait for the cloud cannot be written", metadata: ["error": "\(error)"])
        }
    }
}

/// The waiting events in the edge's store, written as differences.
private actor EventShelf {
    private let store: ObjectStore
    private let nodeName: String
    /// What is on the disk: the count by key.
    private var written: [ObjectKey: EventBacklog.Entry] = [:]

    init(store: ObjectStore, nodeName: String) {
        self.store = store
        self.nodeName = nodeName
    }

    /// Everything that is kept, in the order of the first occurrences.
    func read() async throws -> [EventBacklog.Entry] {
        var entries: [EventBacklog.Entry] = []
        var unreadable: [StoreWrite] = []
        for row in try await store.list(EdgeRecords.events, namespace: nil, limit: nil, after: nil).objects {
            if let record = EventRecord(KubeObject(row.json["event"])) {
                entries.append(EventBacklog.Entry(record, isKnown: row.json["isKnown"] == true))
            } else {
                unreadable.append(.remove(EdgeRecords.events, row.key))
            }
        }
        if !unreadable.isEmpty { try await store.apply(unreadable) }
        written = Dictionary(entries.map { ($0.record.key, $0) }, uniquingKeysWith: { $1 })
        return entries.sorted { $0.record.number < $1.record.number }
    }

    /// Makes the disk hold these; touches it only where it does not.
    func write(_ entries: [EventBacklog.Entry]) async throws {
        let wanted = Dictionary(entries.map { ($0.record.key, $0) }, uniquingKeysWith: { $1 })
        var writes: [StoreWrite] = written.keys.filter { wanted[$0] == nil }.map { .remove(EdgeRecords.events, $0) }
        for (key, entry) in wanted where written[key] != entry {
            var row = KubeObject(apiVersion: "edge.kubeedge.io/v1", kind: "WaitingEvent", namespace: key.namespace, name: key.name)
            row.json["event"] = entry.record.object(node: nodeName).json
            row.json["isKnown"] = .bool(entry.isKnown)
            writes.append(.put(EdgeRecords.events, row))
        }
        guard !writes.isEmpty else { return }
        try await store.apply(writes)
        written = wanted
    }
}

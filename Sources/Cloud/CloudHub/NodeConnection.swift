import DeliveryCore
import EdgeMessages
import EdgeTransport
import KubeMachinery
import Logging
import Primitives

/// Runs one `NodeSession` over one connection: reads, sends, keeps the time, and performs the directives.
///
/// At rest it is the one task that waits for messages. Whatever is to be done, sending too, has a task of its own while it lasts, and the time is kept by
/// the `AlarmClock` of all sessions.
actor NodeConnection {
    private var core: NodeSession
    private let node: String
    private let channel: any MessageChannel
    private let uplinks: [UpstreamRoute: any NodeUplink]
    private let kubernetesCA: String
    private let records: SyncRecordKeeper
    /// The store of the node, where it announces one.
    nonisolated var store: StoreIdentity? { records.store }
    private let reports: NodeReports
    private let clock: any MomentSource
    private let alarms: AlarmClock
    private let metrics: HubMetrics
    private let logger: Logger
    /// How long reports that are being handled may take after the end of the session.
    private let drainTime = Duration.seconds(30)
    /// What is being done, bounded by the session's record commands and by the lanes; it is cancelled at the end of the session.
    private var works: [UInt64: Task<Void, Never>] = [:]
    /// Reports that are being handled: to their end, even when the session ends.
    private var reportWorks: [UInt64: Task<Void, Never>] = [:]
    private var lastWork: UInt64 = 0
    private let reportDone = Signal()
    private var isDrained = false
    private var isSending = false
    private let leavesLease: Bool
    private let renewals: Turnstile
    private var isRenewingLease = false
    /// Requests of the same resource wait for each other; when a node floods, what does not fit is dropped and the node asks again.
    private var lanes = KeyedLanes<String, (EdgeMessage, UpstreamRoute)>(concurrency: 16, capacity: 1024)

    init(
        core: NodeSession, channel: any MessageChannel, uplinks: [UpstreamRoute: any NodeUplink], kubernetesCA: String, renewals: Turnstile,
        records: SyncRecordKeeper, reports: NodeReports, clock: any MomentSource, alarms: AlarmClock, metrics: HubMetrics, logger: Logger
    ) {
        self.core = core
        node = core.node
        self.channel = channel
        self.uplinks = uplinks
        self.kubernetesCA = kubernetesCA
        self.records = records
        self.reports = reports
        self.renewals = renewals
        self.clock = clock
        self.alarms = alarms
        self.metrics = metrics
        self.logger = logger
        leavesLease = channel.capabilities.contains(PeerCapability.leases.rawValue)
    }

    /// Serves until the session is over, and tells `left` why it is. Returns when the reports are handled that were being handled then.
    func run(left: @Sendable (NodeSessionEnd) async -> Void) async {
        await reports.begin(epoch: core.epoch)
        if let time = nextLook { await alarms.set(time) { await self.keepTime() } }
        for uplink in uplinks.values { start { [node] in await uplink.connected(node) } }
        await read()
        await channel.close(core.ending?.rawValue ?? "")
        for work in works.values { work.cancel() }
        for work in Array(works.values) { await work.value }
        await left(core.ending ?? .stopped)
        let deadline = clock.now().uptime + drainTime
        while !reportWorks.isEmpty, !Task.isCancelled, clock.now().uptime < deadline {
            await reportDone.wait(until: deadline, clock: clock)
        }
        isDrained = true
        for work in reportWorks.values { work.cancel() }
        for work in Array(reportWorks.values) { await work.value }
    }

    /// Does something beside what else goes on; once the session is over, reports alone, and those as long as they may take.
    private func start(isReport: Bool = false, _ body: @escaping @Sendable () async -> Void) {
        guard core.ending == nil || (isReport && !isDrained) else { return }
        add(isReport: isReport, body)
    }

    private func add(isReport: Bool = false, _ body: @escaping @Sendable () async -> Void) {
        lastWork += 1
        let number = lastWork
        // WAITED: by `run`. A group would be a part of the stack of every session at rest.
        let work = Task {
            await body()
            if isReport {
                reportWorks[number] = nil
                reportDone.set()
            } else {
                works[number] = nil
            }
        }
        if isReport { reportWorks[number] = work } else { works[number] = work }
    }

    func finish(_ reason: NodeSessionEnd) { perform(core.finish(reason)) }

    /// What waits here.
    var backlog: HubMetrics.Backlog {
        let backlog = core.backlog
        return HubMetrics.Backlog(once: backlog.once, objects: backlog.objects, inFlight: backlog.inFlight, records: backlog.records)
    }

    func deliver(_ message: EdgeMessage) { perform(core.deliver(message, now: clock.now())) }

    // MARK: - Loops

    private func read() async {
        do {
            for try await payload in channel.messages() { receive(payload) }
        } catch {
            logger.debug("connection broke", metadata: ["cause": "\(error)"])
        }
        finish(Task.isCancelled ? .stopped : .connectionLost)
    }

    private func receive(_ payload: [UInt8]) {
        do {
            let message = try EdgeMessage(wire: payload)
            let directives = core.received(message, now: clock.now())
            metrics.received(message, acknowledgedAfter: core.acknowledgedAfter)
            perform(directives)
            if UpstreamRoute(message) == .keepalive { livedOn() }
        } catch {
            logger.warning("message dropped, it cannot be read", metadata: ["cause": "\(error)", "bytes": "\(payload.count)"])
        }
    }

    /// The node has shown that it lives.
    private func livedOn() {
        guard leavesLease, !isRenewingLease else { return }
        isRenewingLease = true
        start { await self.renewLease() }
    }

    /// Sends until nothing is left to send.
    private func send() async {
        while core.ending == nil, let message = core.nextMessage(now: clock.now()) {
            metrics.sent(message, isRepeat: core.isRepeat)
            do {
                try await channel.send(message.wire)
                core.sendFinished(now: clock.now())
            } catch {
                logger.debug("message not sent", metadata: ["resource": "\(message.route.resource)", "cause": "\(error)"])
                finish((error as? TransportError)?.code == .timedOut ? .sendTimeout : .sendFailed)
            }
        }
        isSending = false
    }

    /// No later than what is sent now may wait for its acknowledgement: so no message has to set the alarm anew.
    private var nextLook: Duration? {
        core.nextDeadline.map { min($0, clock.now().uptime + core.configuration.resendInterval) }
    }

    private func keepTime() -> Duration? {
        guard core.ending == nil else { return nil }
        if core.heard(bytes: channel.receivedBytes, now: clock.now()) { livedOn() }
        if let deadline = core.nextDeadline, deadline <= clock.now().uptime { perform(core.timerFired(now: clock.now())) }
        return nextLook
    }

    // MARK: - Directives

    private func perform(_ directives: [NodeSessionDirective]) {
        for directive in directives {
            switch directive {
            case .record(let command): start { await self.write(command) }
            case .handle(let message, let route): enqueue(message, route)
            case .note(let note): log(note)
            // Ends the reading, with it `run`.
            case .end(let reason): add { [channel] in await channel.close(reason.rawValue) }
            }
        }
        guard core.hasMessage, core.ending == nil, !isSending else { return }
        isSending = true
        start { await self.send() }
    }

    private func enqueue(_ message: EdgeMessage, _ route: UpstreamRoute) {
        guard lanes.add((message, route), key: Self.lane(message)) else {
            logger.warning("message dropped, the node sends faster than it is served", metadata: ["resource": "\(message.route.resource)"])
            return
        }
        startHandlers()
    }

    private static func lane(_ message: EdgeMessage) -> String { message.isRepeatable ? message.lane : message.route.resource }

    private func startHandlers() {
        while let (_, (message, route)) = lanes.next() {
            start(isReport: message.isRepeatable) { await self.handle(message, route) }
        }
    }

    private func write(_ command: SyncRecordCommand) async {
        let (outcome, cause) = await records.perform(command)
        if let cause { logger.warning("sync record not written", metadata: ["record": "\(command.key.name)", "cause": "\(cause)"]) }
        metrics.recorded(command, outcome)
        perform(core.recordDone(uid: command.key.uid, outcome, now: clock.now()))
    }

    private func handle(_ message: EdgeMessage, _ route: UpstreamRoute) async {
        // The newer connection is the node: what the older one still had to say does not count. Reports know that by their epoch.
        guard message.isRepeatable || core.ending != .replaced else { return }
        let begin = clock.now().uptime
        if let answer = await answer(message, route) { deliver(answer) }
        metrics.answered(message, after: clock.now().uptime - begin)
        lanes.finish(Self.lane(message))
        startHandlers()
    }

    private func renewLease() async {
        _ = try? await renewals.pass { [uplinks, node] in for uplink in uplinks.values { await uplink.alive(node) } }
        isRenewingLease = false
    }

    private func answer(_ message: EdgeMessage, _ route: UpstreamRoute) async -> EdgeMessage? {
        if route == .kubernetesCA { return message.reply(.string(kubernetesCA), source: EdgeSource.cloudHub) }
        guard let uplink = uplinks[route] else {
            logger.debug("message dropped, nobody handles it", metadata: ["resource": "\(message.route.resource)", "route": "\(route)"])
            guard message.wantsAnswer else { return nil }
            return message.reply(
                KubeStatus(code: 404, reason: "NotFound", message: "no module of this cloud takes reports on \(message.route.resource)"))
        }
        guard message.isRepeatable else { return await uplink.handle(message, from: node) }
        return await reports.answer(message, epoch: core.epoch) { [node] in
            if let answer = await uplink.handle(message, from: node) { return answer }
            return message.wantsAnswer ? message.confirmation() : nil
        }
    }

    private func log(_ note: NodeSessionNote) {
        switch note {
        case .unknownAcknowledgement(let id): logger.trace("acknowledgement of nothing that waits", metadata: ["id": "\(id)"])
        case .edgeFailure(let text): logger.warning("the edge reports a failure", metadata: ["cause": "\(text)"])
        case .forgedSource(let source): logger.warning("message dropped, it speaks for the cloud", metadata: ["source": "\(source)"])
        case .withoutVersion(let resource): logger.error("object dropped, it has no version", metadata: ["resource": "\(resource)"])
        case .onceOverflow(let resource): logger.warning("oldest message dropped, the queue is full", metadata: ["resource": "\(resource)"])
        case .unacknowledged(let resource): logger.warning("object put off, the edge does not acknowledge it", metadata: ["resource": "\(resource)"])
        case .recordFailed(let name): logger.debug("sync record put off", metadata: ["record": "\(name)"])
        }
    }
}

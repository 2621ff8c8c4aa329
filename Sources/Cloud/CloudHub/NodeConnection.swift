import DeliveryCore
import EdgeMessages
import EdgeTransport
import KubeMachinery
import Logging
import Primitives

/// Runs one `NodeSession` over one connection: reads, sends, keeps the time, and performs the directives.
actor NodeConnection {
    /// What runs beside the loops; bounded by the session's record commands and by the lanes.
    private enum Work: Sendable {
        case record(SyncRecordCommand)
        case handle(EdgeMessage, UpstreamRoute)
        case alive

        /// Whether it is handled to its end even when the session ends.
        var isReport: Bool { if case .handle(let message, _) = self { message.isRepeatable } else { false } }
    }

    private var core: NodeSession
    private let node: String
    private let channel: any MessageChannel
    private let uplinks: [UpstreamRoute: any NodeUplink]
    private let kubernetesCA: String
    private let records: SyncRecordKeeper
    private let reports: NodeReports
    private let clock: any MomentSource
    private let metrics: HubMetrics
    private let logger: Logger
    /// How long reports that are being handled may take after the end of the session.
    private let drainTime = Duration.seconds(30)
    private var reportsRunning = 0
    private let drainSignal = Signal()
    private let senderSignal = Signal()
    private let leavesLease: Bool
    private let renewals: Turnstile
    private var isRenewingLease = false
    private let work: AsyncStream<Work>
    private let workFeed: AsyncStream<Work>.Continuation
    /// Requests of the same resource wait for each other; when a node floods, what does not fit is dropped and the node asks again.
    private var lanes = KeyedLanes<String, (EdgeMessage, UpstreamRoute)>(concurrency: 16, capacity: 1024)

    init(
        core: NodeSession, channel: any MessageChannel, uplinks: [UpstreamRoute: any NodeUplink], kubernetesCA: String, renewals: Turnstile,
        records: SyncRecordKeeper, reports: NodeReports, clock: any MomentSource, metrics: HubMetrics, logger: Logger
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
        self.metrics = metrics
        self.logger = logger
        leavesLease = channel.capabilities.contains(PeerCapability.leases.rawValue)
        (work, workFeed) = AsyncStream.makeStream()
    }

    /// Serves until the session is over, and tells `left` why it is. Returns when the reports are handled that were being handled then.
    func run(left: @Sendable (NodeSessionEnd) async -> Void) async {
        await reports.begin(epoch: core.epoch)
        await withDiscardingTaskGroup { handlers in
            await withDiscardingTaskGroup { group in
                group.addTask { await self.read() }
                group.addTask { await self.send() }
                group.addTask { await self.keepTime() }
                for uplink in uplinks.values { group.addTask { await uplink.connected(self.node) } }
                for await item in work {
                    if item.isReport {
                        reportsRunning += 1
                        handlers.addTask { await self.perform(item) }
                    } else {
                        group.addTask { await self.perform(item) }
                    }
                }
                // Here the session is over, or the whole server stops.
                finish(.stopped)
                await channel.close(core.ending?.rawValue ?? "")
                group.cancelAll()
            }
            await left(core.ending ?? .stopped)
            let deadline = clock.now().uptime + drainTime
            while reportsRunning > 0, !Task.isCancelled, clock.now().uptime < deadline {
                await drainSignal.wait(until: deadline, clock: clock)
            }
            handlers.cancelAll()
        }
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
        finish(.connectionLost)
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
        workFeed.yield(.alive)
    }

    private func send() async {
        while core.ending == nil, !Task.isCancelled {
            guard let message = core.nextMessage(now: clock.now()) else {
                await senderSignal.wait()
                continue
            }
            metrics.sent(message, isRepeat: core.isRepeat)
            do {
                try await channel.send(message.wire)
                core.sendFinished(now: clock.now())
            } catch {
                logger.debug("message not sent", metadata: ["resource": "\(message.route.resource)", "cause": "\(error)"])
                finish((error as? TransportError)?.code == .timedOut ? .sendTimeout : .sendFailed)
            }
        }
    }

    /// Sleeps no longer than what is sent now may wait for its acknowledgement: so nothing has to wake it, and a session at rest is one timer.
    private func keepTime() async {
        while !Task.isCancelled, let deadline = core.nextDeadline {
            try? await clock.wait(until: min(deadline, clock.now().uptime + core.configuration.resendInterval))
            if core.heard(bytes: channel.receivedBytes, now: clock.now()) { livedOn() }
            if let deadline = core.nextDeadline, deadline <= clock.now().uptime { perform(core.timerFired(now: clock.now())) }
        }
    }

    // MARK: - Directives

    private func perform(_ directives: [NodeSessionDirective]) {
        for directive in directives {
            switch directive {
            case .record(let command): workFeed.yield(.record(command))
            case .handle(let message, let route): enqueue(message, route)
            case .note(let note): log(note)
            case .end: workFeed.finish()
            }
        }
        if core.hasMessage || core.ending != nil { senderSignal.set() }
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
        while let (_, element) = lanes.next() { workFeed.yield(.handle(element.0, element.1)) }
    }

    private func perform(_ item: Work) async {
        switch item {
        case .record(let command):
            let (outcome, cause) = await records.perform(command)
            if let cause {
                logger.warning("sync record not written", metadata: ["record": "\(command.key.name)", "cause": "\(cause)"])
            }
            metrics.recorded(command, outcome)
            perform(core.recordDone(uid: command.key.uid, outcome, now: clock.now()))
        case .handle(let message, let route):
            // The newer connection is the node: what the older one still had to say does not count. Reports know that by their epoch.
            guard item.isReport || core.ending != .replaced else { return }
            let begin = clock.now().uptime
            if let answer = await answer(message, route) { deliver(answer) }
            metrics.answered(message, after: clock.now().uptime - begin)
            lanes.finish(Self.lane(message))
            startHandlers()
            guard item.isReport else { return }
            reportsRunning -= 1
            drainSignal.set()
        case .alive: await renewLease()
        }
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

package import DeliveryCore
package import EdgeMessages
package import Logging
package import ObjectStore
package import Primitives

/// The durable way up: reports are on the disk before their callers go on, and stay there until the cloud has them.
///
/// `OutboxCore` decides; this writes what it wants written, one transaction after the other, and sends what it wants sent.
package actor ReportOutbox: DurableUplink {
    package struct Configuration: Sendable {
        package var core = OutboxCore.Configuration()
        /// How long the proof of one report may take.
        package var timeout = Duration.seconds(30)
        /// How long to wait before the rows of the last run are read again, where that failed.
        package var readDelay = Duration.seconds(5)

        package init() {}
    }

    private let configuration: Configuration
    private let shelf: any OutboxShelf
    private let uplink: any ReportUplink
    private let clock: any MomentSource
    private let logger: Logger
    private var core: OutboxCore
    /// Callers by their tickets.
    private var waiters: [UInt64: CheckedContinuation<OutboxError?, Never>] = [:]
    private var isStopped = false
    private let writeSignal = Signal()
    private let sendSignal = Signal()
    private let timerSignal = Signal()

    package init(
        configuration: Configuration = Configuration(), store: ObjectStore, uplink: any ReportUplink, clock: any MomentSource, logger: Logger
    ) {
        self.init(configuration: configuration, shelf: StoredOutbox(store: store), uplink: uplink, clock: clock, logger: logger)
    }

    init(configuration: Configuration, shelf: any OutboxShelf, uplink: any ReportUplink, clock: any MomentSource, logger: Logger) {
        self.configuration = configuration
        self.shelf = shelf
        self.uplink = uplink
        self.clock = clock
        self.logger = logger
        core = OutboxCore(configuration: configuration.core)
    }

    package func report(_ message: EdgeMessage, as kind: ReportKind) async throws(OutboxError) {
        guard !isStopped else { throw OutboxError(code: .stopped, message: "the report is not kept: the edge stops") }
        let error = await withCheckedContinuation { continuation in
            let (ticket, directives) = core.post(message, as: kind)
            waiters[ticket] = continuation
            perform(directives)
        }
        if let error { throw error }
    }

    /// Reports that wait for the cloud, their bytes, and events that were dropped since the start: for tests and metrics.
    package var backlog: (count: Int, bytes: Int, dropped: UInt64) { (core.backlog.count, core.backlog.bytes, core.droppedEvents) }

    /// Reports whose transaction has not begun, and whether the rows of the last run are known: for tests.
    var unwritten: Int { core.backlog.unwritten }
    var isRestored: Bool { core.isRestored }

    /// Writes and sends until cancelled; reports that are not on the disk by then fail.
    package func run() async throws {
        isStopped = false
        await restore()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.followConnection() }
            group.addTask { await self.keepWriting() }
            group.addTask { await self.keepSending() }
            group.addTask { await self.keepTime() }
            await group.next()
            group.cancelAll()
        }
        isStopped = true
        core.disconnected()
        perform(core.stop())
        try Task.checkCancellation()
    }

    // MARK: - Loops

    private func restore() async {
        while !Task.isCancelled, !core.isRestored {
            do {
                let summaries = try await shelf.summaries()
                core.restore(summaries, now: clock.now())
                if !summaries.isEmpty { logger.info("reports of the last run wait for the cloud", metadata: ["count": "\(summaries.count)"]) }
            } catch {
                perform(core.restoreFailed("\(error)"))
                try? await clock.wait(until: clock.now().uptime + configuration.readDelay)
            }
        }
    }

    private func followConnection() async {
        for await isConnected in await uplink.connectivity() {
            if isConnected { core.connected(now: clock.now()) } else { core.disconnected() }
            wake()
        }
    }

    private func keepWriting() async {
        while !Task.isCancelled {
            let (batch, directives) = core.nextWrite()
            perform(directives)
            guard let batch else {
                await writeSignal.wait()
                continue
            }
            var failure: String?
            do { try await shelf.commit(batch) } catch { failure = "\(error)" }
            perform(core.writeFinished(failure: failure, now: clock.now()))
        }
    }

    private func keepSending() async {
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                guard let turn = core.nextTurn(now: clock.now()) else {
                    await sendSignal.wait()
                    continue
                }
                group.addTask {
                    let outcome = await self.send(turn)
                    await self.finish(turn, outcome)
                }
            }
            group.cancelAll()
        }
    }

    private func keepTime() async {
        while !Task.isCancelled {
            await timerSignal.wait(until: core.nextDeadline, clock: clock)
            core.timerFired(now: clock.now())
            if core.hasWrite { writeSignal.set() }
            if core.hasTurn(now: clock.now()) { sendSignal.set() }
        }
    }

    // MARK: - Sending

    private func finish(_ turn: OutboxTurn, _ outcome: OutboxOutcome) { perform(core.finished(turn, outcome, now: clock.now())) }

    private func send(_ turn: OutboxTurn) async -> OutboxOutcome {
        var message: EdgeMessage
        do {
            guard let row = try await shelf.row(turn.number) else { return .unreadable("its row cannot be read") }
            message = row.message
        } catch { return .later("\(error)") }
        let isConfirmed = await uplink.offers(.confirmations)
        let proof = message.proof(isConfirmed: isConfirmed)
        message.wantsAnswer = isConfirmed
        do {
            let answer = try await uplink.report(message, proof: proof, timeout: configuration.timeout)
            guard proof == .answer, let refusal = answer.refusal else { return .confirmed }
            return refusal.isRetryable || refusal.isConflict ? .later("\(refusal)") : .refused("\(refusal)")
        } catch UplinkError.timedOut {
            return .later("the cloud does not answer")
        } catch {
            return .lost
        }
    }

    // MARK: - Directives

    private func perform(_ directives: [OutboxDirective]) {
        for directive in directives {
            switch directive {
            case .resume(let ticket, let error): waiters.removeValue(forKey: ticket)?.resume(returning: error)
            case .note(let note): log(note)
            }
        }
        wake()
    }

    private func wake() {
        if core.hasWrite { writeSignal.set() }
        if core.hasTurn(now: clock.now()) { sendSignal.set() }
        timerSignal.set()
    }

    private func log(_ note: OutboxNote) {
        switch note {
        case .dropped(let count, let lane):
            logger.warning(
                "oldest reports dropped, too many wait for the cloud",
                metadata: ["dropped": "\(count)", "resource": "\(lane)", "total": "\(core.droppedEvents)"])
        case .refused(let lane, let cause): logger.warning("cloud refused a report", metadata: ["resource": "\(lane)", "cause": "\(cause)"])
        case .putOff(let lane, let cause): logger.info("report waits for the cloud", metadata: ["resource": "\(lane)", "cause": "\(cause)"])
        case .unreadable(let lane, let cause):
            logger.error("report lost, it cannot be read", metadata: ["resource": "\(lane)", "cause": "\(cause)"])
        case .notWritten(let cause): logger.error("reports cannot be kept", metadata: ["cause": "\(cause)"])
        }
    }
}

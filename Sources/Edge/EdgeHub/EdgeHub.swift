package import DeliveryCore
package import EdgeMessages
package import EdgeTransport
package import Logging
package import Primitives

/// The edge's end of the line: keeps one connection to the cloud and passes messages both ways.
package actor EdgeHub: ReportUplink {
    package typealias Connect = @Sendable () async throws -> any MessageChannel

    enum Work: Sendable {
        case connect(epoch: UInt64)
        case prove(epoch: UInt64)
        case apply(Delivery)
    }

    /// A message on its way to a module.
    struct Delivery: Sendable {
        /// Messages with the same lane are applied in order.
        var lane: String
        /// What the session is told afterwards; nil for a message that is not acknowledged.
        var id: String?
        var message: EdgeMessage
        var target: any CloudDownlink
    }

    /// How long the round trip may take that proves reports.
    let proofTime = Duration.seconds(30)
    let connect: Connect
    let downlink: any CloudDownlink
    let modules: [String: any CloudDownlink]
    let clock: any MomentSource
    let metrics: LineMetrics
    let logger: Logger
    var core: EdgeSession
    var generator = SystemRandomNumberGenerator()
    var channel: (any MessageChannel)?
    /// When the line was made or broke last, and why it is not there.
    var changedAt: Timestamp?
    var lastFailure: String?
    var waiters: [String: CheckedContinuation<EdgeMessage, any Error>] = [:]
    let observers = ConnectivityObservers()
    /// Requests whose task was cancelled; the timer's loop clears them away.
    let abandoned = AbandonedRequests()
    let senderSignal = Signal()
    let timerSignal = Signal()
    let roomSignal = Signal()
    var timerDeadline: Duration?
    let work: AsyncStream<Work>
    let workFeed: AsyncStream<Work>.Continuation
    /// Messages for the same resource are applied one after the other; when all places are taken, reading stops (D-21).
    var lanes = KeyedLanes<String, Delivery>(concurrency: 8, capacity: 100)

    /// `connect` opens a connection, with the certificates that are current then. `downlink` makes objects durable;
    /// `modules` take the messages of the groups `twin`, `user` and `taskmanager`, which are not acknowledged.
    package init(
        connect: @escaping Connect, downlink: any CloudDownlink, modules: [String: any CloudDownlink] = [:],
        clock: any MomentSource = SystemClock(), configuration: EdgeSession.Configuration = EdgeSession.Configuration(),
        metrics: LineMetrics = LineMetrics(), logger: Logger
    ) {
        self.connect = connect
        self.downlink = downlink
        self.modules = modules
        self.clock = clock
        self.metrics = metrics
        self.logger = logger
        core = EdgeSession(configuration: configuration, now: clock.now())
        (work, workFeed) = AsyncStream.makeStream()
    }

    /// Keeps the line until it is cancelled; open requests fail then. To be called once.
    package func run() async throws {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.keepTime() }
            perform(core.start(now: clock.now()))
            // Ends when this task is cancelled.
            for await item in work { group.addTask { await self.perform(item) } }
            await channel?.close("the edge stops")
            group.cancelAll()
        }
        perform(core.closed(epoch: core.epoch, now: clock.now(), using: &generator))
        observers.finish()
        try Task.checkCancellation()
    }

    /// Closes the connection; the next one is made at once, or after a pause where this one was short.
    ///
    /// For a certificate that was renewed.
    package func reconnect(_ reason: String) async { await channel?.close(reason) }

    // MARK: - CloudUplink

    package func request(_ message: EdgeMessage, timeout: Duration) async throws -> EdgeMessage {
        var message = message
        if waiters[message.header.id] != nil { message.header.id = UniqueID.next() }
        return try await answer(to: message.header.id) { [message] in $0.request(message, timeout: timeout, now: $1) }
    }

    package func report(_ message: EdgeMessage, proof: ReportProof, timeout: Duration) async throws -> EdgeMessage {
        // A former task that sent it was cancelled, and is not cleared away yet.
        guard waiters[message.header.id] == nil else { throw UplinkError.notConnected }
        return try await answer(to: message.header.id) { $0.report(message, proof: proof, timeout: timeout, now: $1) }
    }

    private func answer(
        to id: String, _ begin: @Sendable (inout EdgeSession, Moment) -> [EdgeSessionDirective]
    ) async throws -> EdgeMessage {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                guard !Task.isCancelled else { return continuation.resume(throwing: CancellationError()) }
                waiters[id] = continuation
                perform(begin(&core, clock.now()))
            }
        } onCancel: {
            abandoned.insert(id)
            timerSignal.set()
        }
    }

    func dropAbandoned() {
        for id in abandoned.take() {
            core.abandon(id)
            waiters.removeValue(forKey: id)?.resume(throwing: CancellationError())
        }
    }

    package func post(_ message: EdgeMessage) { perform(core.post(message)) }

    package func isConnected() -> Bool { core.isOnline }

    package func offers(_ capability: PeerCapability) -> Bool { channel?.capabilities.contains(capability.rawValue) ?? false }

    package func connectivity() -> AsyncStream<Bool> { observers.stream(now: core.isOnline) }
}

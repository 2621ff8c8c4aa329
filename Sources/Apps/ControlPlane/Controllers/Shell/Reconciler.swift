import KubeClient
import KubeMachinery
import Logging
import Primitives

/// Turns changes of objects into keys and works on each key until it fails no more.
///
/// A key is worked on by one worker at a time and waits in the queue once at most; failures come back after a delay that doubles up to 30 s.
actor Reconciler<Key: Hashable & Sendable> {
    /// Changes of one collection, and the keys that each concerns.
    struct Source: Sendable {
        let informer: Informer
        let keys: @Sendable (InformerChange) async -> [Key]
    }

    private let sources: [Source]
    private let workers: Int
    private let clock: any MomentSource
    private let logger: Logger
    /// Brings one key in order; returns after how long to look again although nothing changed, nil for never.
    private let reconcile: @Sendable (Key) async throws -> Duration?

    private var queue = WorkQueue<Key>(initialDelay: .milliseconds(20), delayLimit: .seconds(30))
    private var running = 0
    private var armed: Duration?
    private let wakeups: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation

    init(
        sources: [Source], workers: Int = 4, clock: any MomentSource, logger: Logger, reconcile: @escaping @Sendable (Key) async throws -> Duration?
    ) {
        self.sources = sources
        self.workers = workers
        self.clock = clock
        self.logger = logger
        self.reconcile = reconcile
        (wakeups, wake) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Works until cancelled; the informers run elsewhere. Nothing is done before all of them have synced.
    func run() async throws {
        for source in sources { await source.informer.synced() }
        try await withThrowingDiscardingTaskGroup { group in
            for source in sources { group.addTask { await self.feed(source) } }
            wake.yield()
            for await _ in wakeups {
                while running < workers, let key = queue.take(at: clock.now().uptime) {
                    running += 1
                    group.addTask { await self.work(key) }
                }
                guard let deadline = queue.nextDeadline, armed.map({ deadline < $0 }) ?? true else { continue }
                armed = deadline
                group.addTask { await self.ring(at: deadline) }
            }
            group.cancelAll()
        }
    }

    /// Has the key looked at soon.
    func enqueue(_ keys: [Key]) {
        for key in keys { queue.add(key) }
        if !keys.isEmpty { wake.yield() }
    }

    private func feed(_ source: Source) async {
        for await change in await source.informer.changes() { enqueue(await source.keys(change)) }
    }

    private func ring(at deadline: Duration) async {
        do { try await clock.wait(until: deadline) } catch { return }
        if armed == deadline { armed = nil }
        wake.yield()
    }

    private func work(_ key: Key) async {
        do {
            let again = try await reconcile(key)
            queue.forget(key)
            if let again { queue.add(key, at: clock.now().uptime + again) }
        } catch is CancellationError {
            return
        } catch {
            let status = error as? KubeStatus
            let isOrdinary = status?.isConflict == true || status?.isNotFound == true || status?.isAlreadyExists == true
            logger.log(level: isOrdinary ? .debug : .warning, "reconciling failed, trying again", metadata: ["key": "\(key)", "error": "\(error)"])
            queue.retry(key, at: clock.now().uptime)
        }
        queue.done(key)
        running -= 1
        wake.yield()
    }
}

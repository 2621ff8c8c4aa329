import DequeModule
package import EdgeMessages
package import Primitives

/// What of the edge's reports is written, dropped, sent and forgotten, and when.
///
///     post ──▶ unwritten ──(its transaction is on the disk: the caller returns)──▶ waiting ──▶ out ──▶ confirmed ──▶ row removed
///                                                                                   ▲          │
///                                                                                   └──────────┘ connection lost, no answer
///
/// Only an index is kept here: the messages lie on the disk. The shell feeds events, performs the directives, and pulls what is to be
/// written with `nextWrite` and what is to be sent with `nextTurn`. Rules:
///
/// - **Order.** On a lane one report is out at a time, the oldest first. A newer state takes the place of one of its key that waits; where an event of
///   the lane stands behind that place, it goes to the end instead. While the older one is out, the newer waits behind it.
/// - **Bounds.** Rows and bytes on the disk are limited, and so is one report. Room is made by dropping events that wait, the oldest first, counted
///   and noted. A state is never dropped: where only states and reports under way are left, `post` fails with `full`, and its caller knows.
/// - **Durability.** `post` is answered after its transaction, which holds everything that was posted meanwhile. When the transaction fails nothing
///   has changed: what was to be replaced or dropped is still there.
/// - **Confirmation.** A row is removed when the cloud has the report, a moment later and together with others. A crash in between sends
///   it again with the same id; rows are removed in the order in which they were confirmed, so an old state never comes after a newer one.
package struct OutboxCore: Sendable {
    package struct Configuration: Sendable {
        /// Bytes of messages that the disk may hold.
        package var byteLimit = 32 << 20
        /// Reports that the disk may hold.
        package var countLimit = 8192
        /// Bytes of one message: what a ServiceBus may send (`spec/01 §5.11`), and its base64.
        package var reportLimit = 8 << 20
        /// Reports that may be under way at once.
        package var window = 16
        /// Reports written in one transaction.
        package var batchLimit = 256
        /// How long a row may outlive its confirmation, so that rows are removed together.
        package var removalDelay: Duration = .seconds(1)
        /// Pause before something that failed is tried again; it doubles.
        package var retryDelay: Duration = .seconds(2)
        package var retryDelayLimit: Duration = .seconds(60)

        package init() {}
    }

    package let configuration: Configuration
    /// Events that were dropped for want of room since the start.
    package internal(set) var droppedEvents: UInt64 = 0
    /// Whether the rows of the last run are known.
    package internal(set) var isRestored = false

    var entries: [UInt64: OutboxEntry] = [:]
    var lanes: [String: OutboxLane] = [:]
    /// The newest entry of each state.
    var states: [OutboxStateKey: UInt64] = [:]
    /// Numbers of events, the oldest first; some may be gone.
    var events: Deque<UInt64> = []
    var lastNumber: UInt64 = 0
    /// Bytes of the entries.
    var bytes = 0

    var unwritten: Deque<OutboxPost> = []
    var unwrittenBytes = 0
    var lastTicket: UInt64 = 0
    var writing: OutboxPlan?
    /// Rows that are done with, in the order of their confirmations.
    var removals: [UInt64] = []
    /// When the rows that are done with are to be removed; nil where there are none, or `areRemovalsDue`.
    var removalDue: Duration?
    var areRemovalsDue = false
    var writeBackoff: Backoff

    /// Counts connections; 0 before the first.
    var line: UInt64 = 0
    var isConnected = false
    var pausedUntil: Duration?
    var lineBackoff: Backoff
    /// Lanes whose first report may go, each once; some may be empty by now.
    var turns: Deque<String> = []
    var queued: Set<String> = []
    var delayed: Set<String> = []
    var outCount = 0

    package init(configuration: Configuration = Configuration()) {
        precondition(configuration.reportLimit <= configuration.byteLimit, "a report may be larger than the outbox")
        self.configuration = configuration
        writeBackoff = Backoff(initial: configuration.retryDelay, limit: configuration.retryDelayLimit)
        lineBackoff = writeBackoff
    }
}

/// What the index knows of a report on the disk.
struct OutboxEntry: Sendable, Hashable {
    enum Phase: Sendable, Hashable {
        case waiting
        /// The transaction under way replaces or drops it.
        case held
        case out
    }

    let lane: String
    let kind: ReportKind
    var size: Int
    var phase = Phase.waiting
}

struct OutboxStateKey: Sendable, Hashable {
    let lane: String
    let key: String
}

struct OutboxLane: Sendable {
    /// What is on the disk, in order.
    var numbers: Deque<UInt64> = []
    var lastEvent: UInt64 = 0
    var retryAt: Duration?
    var backoff: Backoff
}

/// A report whose caller waits.
struct OutboxPost: Sendable {
    let ticket: UInt64
    let kind: ReportKind
    let message: EdgeMessage
    let size: Int
}

extension OutboxCore {
    /// What is held: for tests and metrics.
    package var backlog: (count: Int, bytes: Int, unwritten: Int, out: Int) { (entries.count, bytes, unwritten.count, outCount) }

    /// Whether nothing is left to write, to send or to remove.
    package var isIdle: Bool { entries.isEmpty && unwritten.isEmpty && writing == nil && removals.isEmpty }

    /// Takes a report; the outcome comes as `.resume` with the ticket, at once where there is no room.
    package mutating func post(_ message: EdgeMessage, as kind: ReportKind) -> (ticket: UInt64, directives: [OutboxDirective]) {
        lastTicket += 1
        let post = OutboxPost(ticket: lastTicket, kind: kind, message: message, size: message.wire.count)
        guard post.size <= configuration.reportLimit else {
            let text = "a report of \(post.size) bytes on \(message.route.resource) is too large: the limit is \(configuration.reportLimit) bytes"
            return (post.ticket, [.resume(ticket: post.ticket, OutboxError(code: .tooLarge, message: text))])
        }
        guard unwrittenBytes + post.size <= configuration.byteLimit, unwritten.count < configuration.countLimit else {
            return (post.ticket, [refuse(post)])
        }
        unwritten.append(post)
        unwrittenBytes += post.size
        return (post.ticket, [])
    }

    func refuse(_ post: OutboxPost) -> OutboxDirective {
        .resume(
            ticket: post.ticket,
            OutboxError(
                code: .full,
                message: "no room for a report on \(post.message.route.resource): \(entries.count) reports of \(bytes) bytes wait for the cloud"))
    }

    /// Takes the rows of the last run, the first thing after the start.
    package mutating func restore(_ rows: [OutboxSummary], now: Moment) {
        precondition(!isRestored, "the outbox was read twice")
        isRestored = true
        for row in rows.sorted(by: { $0.number < $1.number }) {
            lastNumber = max(lastNumber, row.number)
            if let older = integrate(row) { forget(older, now: now) }
        }
    }

    /// Says that the rows of the last run could not be read: whoever waits is told, and nothing is written until `restore`.
    package mutating func restoreFailed(_ cause: String) -> [OutboxDirective] {
        precondition(!isRestored, "the outbox was read already")
        return failUnwritten(OutboxError(code: .notWritten, message: "reports cannot be kept: \(cause)")) + [.note(.notWritten(cause: cause))]
    }

    /// Fails everybody who waits: the edge stops.
    package mutating func stop() -> [OutboxDirective] {
        let error = OutboxError(code: .stopped, message: "the report may not be kept: the edge stops")
        let posts = writing?.posts ?? []
        writing?.posts = []
        return posts.map { .resume(ticket: $0.ticket, error) } + failUnwritten(error)
    }

    private mutating func failUnwritten(_ error: OutboxError) -> [OutboxDirective] {
        defer {
            unwritten.removeAll()
            unwrittenBytes = 0
        }
        return unwritten.map { .resume(ticket: $0.ticket, error) }
    }

    /// Puts a row that is on the disk in its place; returns a waiting state that it has made obsolete.
    mutating func integrate(_ row: OutboxSummary) -> UInt64? {
        let lane = row.lane
        let entry = OutboxEntry(lane: lane, kind: row.kind, size: row.size)
        if let replaced = entries.updateValue(entry, forKey: row.number) {
            bytes -= replaced.size
        } else {
            let empty = OutboxLane(backoff: Backoff(initial: configuration.retryDelay, limit: configuration.retryDelayLimit))
            lanes[lane, default: empty].numbers.append(row.number)
        }
        bytes += entry.size
        var obsolete: UInt64?
        switch row.kind {
        case .event:
            lanes[lane]?.lastEvent = row.number
            events.append(row.number)
            if events.count > 2 * entries.count + 64 { events.removeAll { entries[$0] == nil } }
        case .state(let key):
            let older = states.updateValue(row.number, forKey: OutboxStateKey(lane: lane, key: key))
            if let older, older != row.number, let phase = entries[older]?.phase, phase != .out { obsolete = older }
        }
        offer(lane)
        return obsolete
    }

    /// Takes an entry out of the index; its row is removed with the next transaction.
    mutating func forget(_ number: UInt64, now: Moment) {
        erase(number)
        removals.append(number)
        if removalDue == nil, !areRemovalsDue { removalDue = now.uptime + configuration.removalDelay }
    }

    mutating func erase(_ number: UInt64) {
        guard let entry = entries.removeValue(forKey: number) else { return }
        bytes -= entry.size
        if case .state(let key) = entry.kind {
            let stateKey = OutboxStateKey(lane: entry.lane, key: key)
            if states[stateKey] == number { states[stateKey] = nil }
        }
        guard let index = lanes[entry.lane]?.numbers.firstIndex(of: number) else { return }
        lanes[entry.lane]?.numbers.remove(at: index)
        if lanes[entry.lane]?.numbers.isEmpty == true {
            lanes[entry.lane] = nil
            delayed.remove(entry.lane)
        } else {
            offer(entry.lane)
        }
    }
}

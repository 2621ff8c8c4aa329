import DequeModule
package import EdgeMessages
package import Primitives

/// The cloud's end of the session with one node: what is sent when, what an acknowledgement means, when the session is over.
///
/// Objects wait in slots, one for each UID, the newest version wins; up to `window` of them are out at once (D-22).
///
///     new ──▶ opening record ──▶ behind (another object at the same path) ──▶ ready ──▶ sent ──▶ acknowledged ──▶ record written
///                                                                              ▲         │
///                                                                              └─ delayed ◀─ five sends without an answer
///
/// The shell feeds events, performs the directives, and pulls what is to be sent with `nextMessage`, one at a time: so a slow link
/// holds messages back here, where newer ones replace them. Unknown acknowledgements are harmless; nothing a peer sends traps.
package struct NodeSession: Sendable {
    package struct Configuration: Sendable {
        /// Object messages that may be out without an acknowledgement; under 100, which is what a Go edge queues (D-21).
        package var window = 16
        package var resendInterval: Duration = .seconds(5)
        /// Sends of one round; then the object makes way for others for a while.
        package var sendsInRound = 5
        package var keepaliveTimeout: Duration = .seconds(30)
        /// Bytes of a node between two looks that stand for a keepalive: more than its pings and pongs make, less than any message on the way.
        package var lifeBytes = 2048
        /// Messages that are sent once and wait for it; beyond that the oldest is dropped.
        package var onceLimit = 1024
        /// Objects that may wait; beyond that the session ends and the node is brought up to date from its records.
        package var objectLimit = 16_384
        /// Record commands that may be under way at once.
        package var recordConcurrency = 8

        package init() {}
    }

    package let node: String
    package let epoch: UInt64
    package let configuration: Configuration
    /// Why the session is over; nil while it lives.
    package internal(set) var ending: NodeSessionEnd?

    var slots: [SlotKey: ObjectSlot] = [:]
    /// The slots that are sent or delayed: those with a deadline.
    var timed: Set<SlotKey> = []
    /// The slots of one path in the order in which they have to reach the edge.
    var queues: [String: [SlotKey]] = [:]
    var ready: Deque<SlotKey> = []
    var resends: Deque<SlotKey> = []
    /// Slots by the id of the message that is out.
    var inFlight: [String: SlotKey] = [:]
    var once: Deque<EdgeMessage> = []
    var isObjectNext = false
    /// The version of each object that the edge is known to hold.
    var delivered: [String: UInt64] = [:]
    /// The UID that the edge is known to hold at a path.
    var owners: [String: String] = [:]
    var deleted: RecentSet<String>
    var deferred: [NodeSessionDirective] = []
    var records: [String: RecordSlot] = [:]
    var recordQueue: Deque<String> = []
    var recordsRunning = 0
    var lastKeepalive: Duration
    var heardBytes = 0
    var isSending = false
    /// The object that is being sent.
    var sendingKey: SlotKey?
    /// How long the acknowledgement that was received last took; nil where the last message was none.
    package internal(set) var acknowledgedAfter: Duration?
    /// Whether `nextMessage` gave an object that was sent before.
    package internal(set) var isRepeat = false

    package init(node: String, epoch: UInt64, configuration: Configuration = Configuration(), now: Moment) {
        self.node = node
        self.epoch = epoch
        self.configuration = configuration
        deleted = RecentSet(capacity: 4096)
        lastKeepalive = now.uptime
    }
}

/// What the shell of a session is to do.
package enum NodeSessionDirective: Sendable, Hashable {
    /// Perform a command on a sync record, then call `recordDone`.
    case record(SyncRecordCommand)
    /// Hand a message of the edge to its handler, in order for each resource.
    case handle(EdgeMessage, UpstreamRoute)
    /// Log it.
    case note(NodeSessionNote)
    /// Close the connection: the session is over.
    case end(NodeSessionEnd)
}

/// Why a session is over.
package enum NodeSessionEnd: String, Sendable, Hashable {
    case connectionLost, keepaliveTimeout, sendTimeout, sendFailed, replaced, nodeDeleted, overloaded, stopped
}

/// What a log should say once.
package enum NodeSessionNote: Sendable, Hashable {
    case unknownAcknowledgement(of: String)
    case edgeFailure(String)
    case forgedSource(String)
    case withoutVersion(resource: String)
    case onceOverflow(dropped: String)
    case unacknowledged(resource: String)
    case recordFailed(name: String)
}

/// What a slot is known by.
enum SlotKey: Sendable, Hashable {
    case object(uid: String)
    /// An object without a UID.
    case path(String)
    /// The answer to a query, by its own id.
    case reply(String)
}

/// An object on its way.
struct ObjectSlot: Sendable {
    enum State: Sendable, Hashable {
        case openingRecord
        /// Another object at the same path goes first.
        case behind
        case ready
        /// Without a time to send it again while the socket has not taken it.
        case sent(at: Duration, resendAt: Duration?)
        /// The time to send it again has come.
        case resending
        case delayed(until: Duration)
    }

    /// The newest version.
    var message: EdgeMessage
    /// The version that is out.
    var sent: EdgeMessage?
    var state: State
    var sends = 0
    var backoff = Backoff(initial: .seconds(1), limit: .seconds(60))

    /// When a slot that is sent or delayed is due.
    var deadline: Duration? {
        switch state {
        case .sent(_, let time): time
        case .delayed(let time): time
        case .openingRecord, .behind, .ready, .resending: nil
        }
    }
    var path: String { message.route.resource }
    var isDelete: Bool { message.route.operation == EdgeOperation.delete }
}

extension NodeSession {
    /// Ends the session from outside; the first reason stands.
    package mutating func finish(_ reason: NodeSessionEnd) -> [NodeSessionDirective] {
        guard ending == nil else { return [] }
        ending = reason
        return [.end(reason)]
    }

    /// When `timerFired` has to be called at the latest; nil once the session is over.
    package var nextDeadline: Duration? {
        guard ending == nil else { return nil }
        var deadline = lastKeepalive + configuration.keepaliveTimeout
        for key in timed { if let time = slots[key]?.deadline { deadline = min(deadline, time) } }
        for record in records.values { if let time = record.retryAt { deadline = min(deadline, time) } }
        return deadline
    }

    /// Says how many bytes have come over the connection so far; true where they stand for a keepalive: while a large message comes in over a slow
    /// link, keepalives wait behind it.
    package mutating func heard(bytes: Int, now: Moment) -> Bool {
        let news = bytes - heardBytes
        heardBytes = bytes
        guard news >= configuration.lifeBytes, now.uptime - lastKeepalive >= configuration.keepaliveTimeout / 3 else { return false }
        lastKeepalive = now.uptime
        return true
    }

    /// Does what is due.
    package mutating func timerFired(now: Moment) -> [NodeSessionDirective] {
        guard ending == nil else { return [] }
        if now.uptime >= lastKeepalive + configuration.keepaliveTimeout { return finish(.keepaliveTimeout) }
        return resendDue(now: now.uptime) + takeDeferred() + retryRecords(now: now.uptime)
    }

    /// Messages and objects that wait here: for tests and metrics.
    package var backlog: (once: Int, objects: Int, inFlight: Int, records: Int) { (once.count, slots.count, inFlight.count, records.count) }
}

import DequeModule
package import EdgeMessages
package import Primitives

/// The edge's end of the line: when to connect, what to send next, which answer belongs to which request, what to acknowledge.
///
/// It outlives connections; each has an epoch, and events of an old one are ignored.
///
///     offline ──(time to try)──▶ connecting ──▶ online ──(lost)──▶ offline, with growing and jittered pauses (D-19)
///
/// The shell feeds events, performs the directives, and pulls what is to be sent with `nextMessage`, one at a time.
/// That the cloud is silent but gone is for the connection to find out (WebSocket pings, D-18): Go clouds never answer a keepalive.
package struct EdgeSession: Sendable {
    package struct Configuration: Sendable {
        package var heartbeat: Duration = .seconds(15)
        /// Requests and reports a second, and at once after a pause; keepalives and acknowledgements are free.
        package var messagesPerSecond: Double = 30
        package var messageBurst: Double = 60
        /// Reports that may wait; beyond that the oldest is dropped.
        package var postLimit = 1024
        /// Requests that may be open; beyond that they fail at once.
        package var requestLimit = 1024
        /// Messages whose ids are remembered, so that a repeated one is acknowledged without being applied again.
        package var memory = 2048
        /// How long a connection has to last for the pauses to begin small again.
        package var stableAfter: Duration = .seconds(30)

        package init() {}
    }

    enum Phase: Sendable, Hashable {
        case idle
        case offline(retryAt: Duration)
        case connecting
        case online(since: Duration)
    }

    package let configuration: Configuration
    /// Counts connection attempts.
    package internal(set) var epoch: UInt64 = 0
    var phase: Phase = .idle
    var backoff = Backoff(initial: .seconds(1), limit: .seconds(24), jitter: 0.25)
    var bucket: TokenBucket
    var keepaliveAt: Duration = .zero

    var requests: [String: OpenRequest] = [:]
    var requestCount: UInt64 = 0
    var posts: [PostKey: EdgeMessage] = [:]
    var postCount: UInt64 = 0
    /// Requests and reports that wait to be sent, in order.
    var outgoing: Deque<Outgoing> = []
    /// Events of the kubelet and reports of the outbox, which give way to everything else.
    var background: Deque<Outgoing> = []
    /// Acknowledgements and complaints that wait to be sent.
    var acknowledgements: Deque<EdgeMessage> = []
    /// The report that is being sent; after a break it is sent again.
    var sending: (key: PostKey, message: EdgeMessage)?
    /// The report to be proved by a round trip that is being sent.
    var sendingUnproved: String?
    /// Reports that have gone to the socket, and those whose round trip is under way.
    var unproved: [String] = []
    var proving: [String] = []
    var isSending = false

    /// Messages that are being made durable.
    var applying: [String: Pending] = [:]
    /// Ids of messages that are durable.
    var applied: RecentSet<String>

    package init(configuration: Configuration = Configuration(), now: Moment) {
        self.configuration = configuration
        bucket = TokenBucket(rate: configuration.messagesPerSecond, burst: configuration.messageBurst, now: now.uptime)
        applied = RecentSet(capacity: configuration.memory)
    }
}

/// What the shell of the edge is to do.
package enum EdgeSessionDirective: Sendable {
    /// Connect, then call `connected` or `closed` with this epoch.
    case connect(epoch: UInt64)
    /// Tell everybody who asked that the cloud is there, or is not.
    case connectivity(Bool)
    /// Hand an answer, or the reason why there is none, to whoever waits for the request with this id.
    case resume(id: String, Result<EdgeMessage, UplinkError>)
    /// Make a message durable, in order for each resource; then call `applyFinished` with the id.
    ///
    /// An answer to a query comes as an `update`; it may overtake a change, so the store keeps the newer version.
    case apply(id: String, EdgeMessage)
    /// Hand a message to the module of its group (`twin`, `user`, `taskmanager`); nothing is to be reported back.
    case hand(EdgeMessage)
    /// Make a round trip over the connection of this epoch, then call `proved`.
    case prove(epoch: UInt64)
    /// Log it.
    case note(EdgeSessionNote)
}

/// What a log should say once.
package enum EdgeSessionNote: Sendable, Hashable {
    /// An answer that nobody waits for any more.
    case lateAnswer(resource: String)
    case unknownGroup(String)
    case postDropped(resource: String)
    case applyFailed(resource: String, String)
}

/// A request that has no answer yet.
struct OpenRequest: Sendable {
    var message: EdgeMessage
    var deadline: Duration
    /// The place in the order of asking.
    var order: UInt64
    /// Whether it waits for the answer to another request for the same object.
    var rides = false
    /// What ends it.
    var proof = ReportProof.answer
    var isSent = false
}

/// What reports replace each other.
struct PostKey: Sendable, Hashable {
    var operation: String
    var resource: String
    /// Not 0 for reports that never replace each other.
    var number: UInt64
}

/// An entry of the queue of what is to be sent.
enum Outgoing: Sendable, Hashable {
    case request(String)
    case post(PostKey)
}

/// A message that is being made durable.
struct Pending: Sendable {
    var message: EdgeMessage
    /// The connection over which it came last: over another one the acknowledgement would be unknown.
    var epoch: UInt64
    /// The requests that it answers.
    var waiters: [String] = []
}

extension EdgeSession {
    package var isOnline: Bool { if case .online = phase { true } else { false } }

    /// Begins to connect.
    package mutating func start(now: Moment) -> [EdgeSessionDirective] {
        guard phase == .idle else { return [] }
        return connect()
    }

    mutating func connect() -> [EdgeSessionDirective] {
        epoch += 1
        phase = .connecting
        return [.connect(epoch: epoch)]
    }

    /// The connection stands: a keepalive is due at once.
    package mutating func connected(epoch: UInt64, now: Moment) -> [EdgeSessionDirective] {
        guard epoch == self.epoch, phase == .connecting else { return [] }
        phase = .online(since: now.uptime)
        keepaliveAt = now.uptime
        isSending = false
        return [.connectivity(true)]
    }

    /// The connection broke or could not be made: open requests fail, reports wait.
    package mutating func closed(epoch: UInt64, now: Moment, using generator: inout some RandomNumberGenerator) -> [EdgeSessionDirective] {
        guard epoch == self.epoch else { return [] }
        var directives: [EdgeSessionDirective] = []
        switch phase {
        case .idle, .offline: return []
        case .connecting: break
        case .online(let since):
            if now.uptime - since >= configuration.stableAfter { backoff.reset() }
            directives.append(.connectivity(false))
        }
        phase = .offline(retryAt: now.uptime + backoff.next(using: &generator))
        acknowledgements.removeAll()
        isSending = false
        sendingUnproved = nil
        unproved.removeAll()
        proving.removeAll()
        if let sending {
            self.sending = nil
            if posts[sending.key] == nil {
                posts[sending.key] = sending.message
                outgoing.prepend(.post(sending.key))
            }
        }
        return directives + failRequests()
    }

    private mutating func failRequests() -> [EdgeSessionDirective] {
        let failed = requests.sorted { $0.key < $1.key }
        requests.removeAll()
        outgoing.removeAll { if case .request = $0 { true } else { false } }
        background.removeAll { if case .request = $0 { true } else { false } }
        return failed.map { .resume(id: $0.key, .failure($0.value.isSent ? .connectionLost : .notConnected)) }
    }

    /// When `timerFired` has to be called at the latest; nil before `start` and while a connection is being made without requests.
    package func nextDeadline(now: Moment) -> Duration? {
        var deadlines = requests.values.map(\.deadline)
        switch phase {
        case .idle, .connecting: break
        case .offline(let retryAt): deadlines.append(retryAt)
        case .online:
            // While something is being sent the sender asks for more by itself.
            guard !isSending else { break }
            deadlines.append(keepaliveAt)
            if !outgoing.isEmpty { deadlines.append(bucket.nextToken(now: now.uptime)) }
            if !background.isEmpty { deadlines.append(bucket.nextToken(leaving: reserve, now: now.uptime)) }
        }
        return deadlines.min()
    }

    /// Does what is due. Afterwards there may be something to send.
    package mutating func timerFired(now: Moment) -> [EdgeSessionDirective] {
        var directives: [EdgeSessionDirective] = []
        for (id, _) in requests.filter({ $0.value.deadline <= now.uptime }).sorted(by: { $0.key < $1.key }) {
            let request = requests.removeValue(forKey: id)
            outgoing.removeAll { $0 == .request(id) }
            background.removeAll { $0 == .request(id) }
            directives.append(.resume(id: id, .failure(.timedOut)))
            // Those that ride on it still have time: the answer is asked for once more.
            if let request, !request.rides { askAgain(request.message) }
        }
        if case .offline(let retryAt) = phase, retryAt <= now.uptime { directives += connect() }
        return directives
    }

    /// What waits here: for tests and metrics.
    package var backlog: (requests: Int, posts: Int, acknowledgements: Int, applying: Int) {
        (
            requests.count + applying.values.reduce(0) { $0 + $1.waiters.count }, posts.count, acknowledgements.count, applying.count
        )
    }
}

internal import KubeMachinery
internal import Synchronization

/// The recent history of a store and those who follow it. Everything in it is bounded.
struct WatchFeed {
    /// Followers whose reader has gone away, told from whatever thread it ended on.
    private final class Departures: Sendable {
        private let ids = Mutex<[Int]>([])

        func add(_ id: Int) { ids.withLock { $0.append(id) } }

        func take() -> [Int] {
            ids.withLock { ids in
                defer { ids = [] }
                return ids
            }
        }
    }

    private struct Follower {
        let resource: GroupResource?
        let namespace: String?
        let continuation: AsyncStream<StorageEvent>.Continuation

        func wants(_ event: StorageEvent) -> Bool {
            (resource == nil || resource == event.resource) && (namespace == nil || namespace == event.object.namespace)
        }
    }

    private let length: Int
    /// How many events a follower may leave unread before its stream ends.
    private let slack: Int
    private var history: [StorageEvent] = []
    /// The newest revision that the history no longer holds.
    private(set) var forgotten: UInt64
    private var followers: [Int: Follower] = [:]
    private var nextFollower = 0
    private let departures = Departures()

    init(length: Int, slack: Int, startingAfter revision: UInt64) {
        self.length = length
        self.slack = slack
        forgotten = revision
    }

    /// How many follow now.
    var followerCount: Int {
        mutating get {
            forgetDeparted()
            return followers.count
        }
    }

    mutating func publish(_ event: StorageEvent) {
        forgetDeparted()
        history.append(event)
        // Forgetting in strides keeps the cost of each event constant.
        if history.count > length + length / 4 + 1 {
            let excess = history.count - length
            forgotten = history[excess - 1].revision
            history.removeFirst(excess)
        }
        for (id, follower) in followers where follower.wants(event) {
            if case .enqueued = follower.continuation.yield(event) { continue }
            follower.continuation.finish()
            followers[id] = nil
        }
    }

    /// A stream of what comes after `revision`; nil where that is no longer known.
    mutating func follow(_ resource: GroupResource?, namespace: String?, after revision: UInt64?) -> AsyncStream<StorageEvent>? {
        forgetDeparted()
        if let revision, revision < forgotten { return nil }
        let missed = revision.map { revision in history.filter { $0.revision > revision } } ?? []
        let (stream, continuation) = AsyncStream.makeStream(
            of: StorageEvent.self, bufferingPolicy: .bufferingOldest(slack + missed.count))
        let id = nextFollower
        nextFollower += 1
        let follower = Follower(resource: resource, namespace: namespace, continuation: continuation)
        for event in missed where follower.wants(event) { continuation.yield(event) }
        followers[id] = follower
        continuation.onTermination = { [departures] _ in departures.add(id) }
        return stream
    }

    private mutating func forgetDeparted() { for id in departures.take() { followers[id] = nil } }

    mutating func finish() {
        for follower in followers.values { follower.continuation.finish() }
        followers = [:]
    }
}

import EdgeMessages
import Primitives
import Synchronization

/// What all hollow nodes of this process count together.
final class HollowTally: Sendable {
    struct Counts: Sendable {
        var connected = 0
        /// Nodes whose lease the present connection has renewed.
        var served = 0
        var registered = 0
        var renewals = 0
        var failures = 0
        /// Objects that were applied and acknowledged.
        var applied = 0
    }

    private struct State {
        var counts = Counts()
        var requests: [Duration] = []
        var sinceWrite: [Duration] = []
        var sinceMessage: [Duration] = []
        /// The newest stamp that each node has of each resource.
        var stamps: [String: [String: Int64]] = [:]
        /// Nodes that have a pod.
        var pods: Set<String> = []
    }

    private let state = Mutex(State())

    var counts: Counts { state.withLock { $0.counts } }

    func count(_ member: WritableKeyPath<Counts, Int>, _ change: Int = 1) { state.withLock { $0.counts[keyPath: member] += change } }

    func note(request: Duration) { state.withLock { $0.requests.append(request) } }

    /// An object has arrived; where a measurement wrote it, its content says when: nanoseconds of uptime.
    func note(_ message: EdgeMessage, at node: String, now: Moment) {
        let stamp = message.content["data"][HollowStamp.member].string.flatMap { Int64($0) }
        state.withLock { state in
            state.counts.applied += 1
            if message.route.operation != EdgeOperation.delete, message.resource.path?.type == EdgeType.pod { state.pods.insert(node) }
            guard let stamp else { return }
            state.sinceWrite.append(now.uptime - .nanoseconds(stamp))
            state.sinceMessage.append(.milliseconds(now.wall.milliseconds - message.header.timestamp))
            let known = state.stamps[node]?[message.route.resource] ?? 0
            state.stamps[node, default: [:]][message.route.resource] = max(stamp, known)
        }
    }

    /// Forgets what was measured so far: a warm start is over.
    func clearTimes() {
        state.withLock { state in
            state.requests = []
            state.sinceWrite = []
            state.sinceMessage = []
        }
    }

    var times: (requests: [Duration], sinceWrite: [Duration], sinceMessage: [Duration]) {
        state.withLock { ($0.requests, $0.sinceWrite, $0.sinceMessage) }
    }

    var nodesWithPods: Int { state.withLock { $0.pods.count } }

    /// How many of the last writes have not reached a node: resource in wire form → stamp.
    func missing(_ written: [String: Int64], at nodes: [String]) -> Int {
        state.withLock { state in
            nodes.reduce(0) { sum, node in sum + written.count { (state.stamps[node]?[$0.key] ?? 0) < $0.value } }
        }
    }
}

/// The time in a ConfigMap that a measurement writes.
enum HollowStamp {
    static let member = "stamp"

    static func now(_ clock: any MomentSource) -> Int64 {
        let (seconds, attoseconds) = clock.now().uptime.components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}

/// The shares of sorted times that a table shows, in milliseconds.
enum HollowTimes {
    static func summary(_ times: [Duration]) -> JSONValue {
        guard !times.isEmpty else { return ["count": 0] }
        let sorted = times.sorted()
        func share(_ part: Double) -> JSONValue { decimal(sorted[min(sorted.count - 1, Int(Double(sorted.count) * part))] / .milliseconds(1)) }
        return [
            "count": .integer(Int64(times.count)), "p50": share(0.5), "p90": share(0.9), "p99": share(0.99), "p999": share(0.999), "max": share(1),
        ]
    }

    static func decimal(_ value: Double) -> JSONValue { .decimal("\((value * 1000).rounded() / 1000)") }
}

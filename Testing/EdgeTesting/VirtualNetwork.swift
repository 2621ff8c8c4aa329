import Primitives

/// Connections with delay that break, go silent in one or both directions, and leave messages under way behind them.
///
/// Within a connection messages stay in order, as TCP keeps them; those of an old connection may arrive after those of a new one.
package struct VirtualNetwork: Sendable {
    package enum End: Sendable, Hashable {
        case edge, cloud

        package var other: End { self == .edge ? .cloud : .edge }
    }

    private struct Connection {
        /// When the last message towards an end arrives there.
        var arrival: [End: Duration] = [:]
        /// Ends that get nothing any more, and do not know it.
        var deaf: Set<End> = []
        /// When an end learns that the connection is gone; nothing that would arrive later arrives.
        var closing: [End: Duration] = [:]
    }

    /// How long a message is under way.
    package var delay: ClosedRange<Double>
    private var connections: [Int: Connection] = [:]
    private var last = 0

    package init(delay: ClosedRange<Double> = 0.001...0.2) { self.delay = delay }

    /// A new connection.
    package mutating func open() -> Int {
        last += 1
        connections[last] = Connection()
        return last
    }

    /// When a message that is sent now arrives at an end; nil where it never does.
    package mutating func send(to end: End, over id: Int, now: Duration, using generator: inout some RandomNumberGenerator) -> Duration? {
        guard var connection = connections[id] else { return nil }
        let arrival = max(now + .seconds(Double.random(in: delay, using: &generator)), connection.arrival[end] ?? .zero)
        connection.arrival[end] = arrival
        connections[id] = connection
        if connection.deaf.contains(end) { return nil }
        if let closing = connection.closing[end], arrival >= closing { return nil }
        return arrival
    }

    /// Makes a connection silent towards an end: a half-open link.
    package mutating func mute(_ end: End, _ id: Int) { connections[id]?.deaf.insert(end) }

    /// Whether a message that arrives now at an end is still received there.
    package func isHeard(at end: End, over id: Int, now: Duration) -> Bool {
        guard let connection = connections[id], !connection.deaf.contains(end) else { return false }
        return connection.closing[end].map { now < $0 } ?? true
    }

    /// Whether an end has learnt that the connection is gone.
    package func isClosed(at end: End, _ id: Int, now: Duration) -> Bool {
        guard let connection = connections[id] else { return true }
        return connection.closing[end].map { $0 <= now } ?? false
    }

    /// Ends a connection; returns when each end learns of it. Messages under way that arrive before that still arrive.
    package mutating func cut(_ id: Int, now: Duration, using generator: inout some RandomNumberGenerator) -> [(end: End, time: Duration)] {
        guard connections[id] != nil else { return [] }
        var notices: [(end: End, time: Duration)] = []
        for end in [End.edge, .cloud] where connections[id]?.closing[end] == nil {
            let time = now + .seconds(Double.random(in: 0...(2 * delay.upperBound), using: &generator))
            connections[id]?.closing[end] = time
            notices.append((end, time))
        }
        return notices
    }

    /// Forgets a connection that both ends have given up.
    package mutating func forget(_ id: Int) { connections[id] = nil }
}

package import Primitives

/// Turns what happens into what the cluster is told: counts what repeats, joins what is alike, and holds back who talks too much.
///
/// The rules are client-go's (`EventCorrelator`): the same event again raises the count of the first; the tenth message that differs in nothing
/// else within ten minutes, and those after it, become one event `(combined from similar events): …`; an object may have 25 events at
/// once and one more every five minutes. Windows are counted in uptime, so that a clock that is set changes nothing.
package struct EventCorrelator: Sendable {
    package struct Limits: Sendable {
        /// Different messages of the same object, type and reason from which on they are joined.
        package var similar = 10
        /// Without a similar event for this long the joining ends.
        package var window = Duration.seconds(600)
        package var burst = 25.0
        package var refill = Duration.seconds(300)
        /// Entries of each memory; the least recently used go first.
        package var memory = 1024
        /// A longer message is cut, bytes.
        package var messageBytes = 2048

        package init() {}
    }

    private struct Count {
        var number: UInt64
        var count: Int64
        var first: Timestamp
    }

    private struct Group {
        var messages: [Int] = []
        var lastAt: Duration
    }

    private struct Allowance {
        var tokens: Double
        var at: Duration
    }

    private let limits: Limits
    private var counts: RecentTable<Count>
    private var groups: RecentTable<Group>
    private var allowances: RecentTable<Allowance>
    private var lastNumber: UInt64 = 0

    package init(_ limits: Limits = Limits()) {
        self.limits = limits
        counts = RecentTable(limit: limits.memory)
        groups = RecentTable(limit: limits.memory)
        allowances = RecentTable(limit: limits.memory)
    }

    /// The record to send: one with a count of 1 is new, any other is the newer state of an earlier one. nil where the object has used up
    /// what it may say; the occurrence counts all the same.
    package mutating func correlate(_ event: KubeletEvent, now: Moment) -> EventRecord? {
        let (event, key) = joined(cut(event), now)
        var count = counts[key] ?? Count(number: nextNumber(now.wall), count: 0, first: now.wall)
        count.count += 1
        counts[key] = count
        guard isAllowed(event.subject, now.uptime) else { return nil }
        return EventRecord(event, number: count.number, count: count.count, first: count.first, last: now.wall)
    }

    private func cut(_ event: KubeletEvent) -> KubeletEvent {
        guard event.message.utf8.count > limits.messageBytes else { return event }
        var event = event
        event.message = String(decoding: event.message.utf8.prefix(limits.messageBytes), as: UTF8.self) + "…"
        return event
    }

    /// The event itself, or what it is joined to, with the key that its count is kept under.
    private mutating func joined(_ event: KubeletEvent, _ now: Moment) -> (KubeletEvent, Int) {
        var object = event.subject
        object.fieldPath = ""
        let groupKey = Self.hash(object, event.level, event.reason)
        var group = groups[groupKey] ?? Group(lastAt: now.uptime)
        if now.uptime - group.lastAt > limits.window { group.messages = [] }
        group.lastAt = now.uptime
        let message = Self.hash(event.message)
        if !group.messages.contains(message) { group.messages.append(message) }
        let isJoined = group.messages.count >= limits.similar
        if isJoined { group.messages.removeFirst() }
        groups[groupKey] = group
        guard isJoined else { return (event, Self.hash(event)) }
        var joined = event
        joined.message = "(combined from similar events): \(event.message)"
        return (joined, groupKey)
    }

    private mutating func isAllowed(_ subject: KubeletEvent.Subject, _ now: Duration) -> Bool {
        var object = subject
        object.fieldPath = ""
        let key = Self.hash(object)
        var allowance = allowances[key] ?? Allowance(tokens: limits.burst, at: now)
        allowance.tokens = min(limits.burst, allowance.tokens + max(now - allowance.at, .zero) / limits.refill)
        allowance.at = now
        let isAllowed = allowance.tokens >= 1
        if isAllowed { allowance.tokens -= 1 }
        allowances[key] = allowance
        return isAllowed
    }

    /// Names of events never repeat, even where the clock stands still or is set back.
    private mutating func nextNumber(_ now: Timestamp) -> UInt64 {
        let nanoseconds = UInt64(clamping: Int128(now.seconds) * 1_000_000_000 + Int128(now.nanoseconds))
        lastNumber = max(nanoseconds, lastNumber &+ 1)
        return lastNumber
    }

    private static func hash<each Part: Hashable>(_ parts: repeat each Part) -> Int {
        var hasher = Hasher()
        repeat hasher.combine(each parts)
        return hasher.finalize()
    }
}

/// Values by key, of which only the recently used stay.
struct RecentTable<Value: Sendable>: Sendable {
    private var values: [Int: (value: Value, usedAt: UInt64)] = [:]
    private var uses: UInt64 = 0
    private let limit: Int

    init(limit: Int) { self.limit = max(limit, 4) }

    var count: Int { values.count }

    subscript(key: Int) -> Value? {
        get { values[key]?.value }
        set {
            guard let newValue else {
                values[key] = nil
                return
            }
            uses += 1
            values[key] = (newValue, uses)
            guard values.count > limit else { return }
            // A quarter goes at once, so that this is rare.
            let border = values.values.map(\.usedAt).sorted()[limit / 4]
            values = values.filter { $0.value.usedAt > border }
        }
    }
}

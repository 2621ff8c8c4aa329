/// Keys to work on: each is in the queue at most once, is worked on by one worker at a time, and comes back later after a failure.
///
/// The queue is bounded by the number of different keys. A key that is added while it is worked on is handed out again after `done`.
package struct WorkQueue<Key: Hashable & Sendable>: Sendable {
    private var ready: [Key] = []
    private var head = 0
    private var queued: Set<Key> = []
    private var working: Set<Key> = []
    /// Added again while it was worked on.
    private var dirty: Set<Key> = []
    private var delayed: [Key: Duration] = [:]
    private var failures: [Key: Int] = [:]
    private let initialDelay: Duration
    private let delayLimit: Duration

    package init(initialDelay: Duration = .milliseconds(5), delayLimit: Duration = .seconds(1000)) {
        self.initialDelay = initialDelay
        self.delayLimit = delayLimit
    }

    /// How many keys wait to be handed out now.
    package var count: Int { ready.count - head }
    package var isIdle: Bool { count == 0 && working.isEmpty && delayed.isEmpty }

    package mutating func add(_ key: Key) {
        if working.contains(key) {
            dirty.insert(key)
        } else if queued.insert(key).inserted {
            ready.append(key)
        }
    }

    /// Adds the key once `deadline` (uptime) has come; of several deadlines the first counts.
    package mutating func add(_ key: Key, at deadline: Duration) {
        if let known = delayed[key], known <= deadline { return }
        delayed[key] = deadline
    }

    /// The next key to work on; the caller calls `done` for it afterwards. nil where none is due.
    package mutating func take(at now: Duration) -> Key? {
        for (key, deadline) in delayed where deadline <= now {
            delayed[key] = nil
            add(key)
        }
        guard head < ready.count else { return nil }
        let key = ready[head]
        head += 1
        if head > 64, head * 2 > ready.count {
            ready.removeFirst(head)
            head = 0
        }
        queued.remove(key)
        working.insert(key)
        return key
    }

    /// Ends the work on a key that `take` handed out.
    package mutating func done(_ key: Key) {
        guard working.remove(key) != nil else { return }
        if dirty.remove(key) != nil { add(key) }
    }

    /// Adds a key that failed after its own delay, which doubles with each failure until `forget`.
    package mutating func retry(_ key: Key, at now: Duration) {
        let count = failures[key, default: 0]
        failures[key] = count + 1
        var delay = initialDelay
        for _ in 0..<min(count, 64) where delay < delayLimit { delay = min(delay * 2, delayLimit) }
        add(key, at: now + delay)
    }

    /// The failures of a key no longer count.
    package mutating func forget(_ key: Key) { failures[key] = nil }

    /// How often a key has failed in a row.
    package func failureCount(_ key: Key) -> Int { failures[key] ?? 0 }

    /// The uptime at which the next delayed key is due.
    package var nextDeadline: Duration? { delayed.values.min() }
}

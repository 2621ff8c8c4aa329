import DequeModule

/// Work in lanes: elements of the same key one after the other, in order; different keys side by side, up to a limit.
package struct KeyedLanes<Key: Hashable & Sendable, Element: Sendable>: Sendable {
    /// Lanes that may be at work at the same time.
    package let concurrency: Int
    /// Elements that may be held, those at work included.
    package let capacity: Int
    package private(set) var count = 0
    private var running: Set<Key> = []
    private var waiting: [Key: Deque<Element>] = [:]
    /// Keys that wait for a free place and do not run.
    private var turns: Deque<Key> = []

    package init(concurrency: Int, capacity: Int) {
        self.concurrency = concurrency
        self.capacity = capacity
    }

    package var isFull: Bool { count >= capacity }

    /// Adds an element; false where there is no room for it.
    package mutating func add(_ element: Element, key: Key) -> Bool {
        guard !isFull else { return false }
        count += 1
        let isNew = waiting[key] == nil
        waiting[key, default: []].append(element)
        if isNew, !running.contains(key) { turns.append(key) }
        return true
    }

    /// The next element that may be worked on now; call until nil. Its lane is at work until `finish`.
    package mutating func next() -> (key: Key, element: Element)? {
        guard running.count < concurrency, let key = turns.popFirst(), let element = waiting[key]?.popFirst() else { return nil }
        if waiting[key]?.isEmpty == true { waiting[key] = nil }
        running.insert(key)
        return (key, element)
    }

    /// Says that the element that `next` gave for this key is done.
    package mutating func finish(_ key: Key) {
        guard running.remove(key) != nil else { preconditionFailure("a lane that was not at work was finished") }
        count -= 1
        if waiting[key] != nil { turns.append(key) }
    }
}

/// The events of a simulation in the order of their times; those of the same time in the order in which they were scheduled.
package struct EventQueue<Event> {
    private struct Entry {
        var time: Duration
        var number: UInt64
        var event: Event

        func isBefore(_ other: Entry) -> Bool { (time, number) < (other.time, other.number) }
    }

    /// A binary heap, the earliest at the front.
    private var heap: [Entry] = []
    private var last: UInt64 = 0
    /// The time of the event that was taken last.
    package private(set) var now: Duration

    package init(now: Duration) { self.now = now }

    package var count: Int { heap.count }

    /// Schedules an event; a time in the past counts as now.
    package mutating func schedule(at time: Duration, _ event: Event) {
        last += 1
        heap.append(Entry(time: max(time, now), number: last, event: event))
        var index = heap.count - 1
        while index > 0, heap[index].isBefore(heap[(index - 1) / 2]) {
            heap.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    /// Takes the next event and moves the time on to it.
    package mutating func next() -> Event? {
        guard let first = heap.first, let final = heap.popLast() else { return nil }
        if !heap.isEmpty {
            heap[0] = final
            sink()
        }
        now = first.time
        return first.event
    }

    private mutating func sink() {
        var index = 0
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < heap.count && heap[child].isBefore(heap[least]) { least = child }
            guard least != index else { return }
            heap.swapAt(index, least)
            index = least
        }
    }
}

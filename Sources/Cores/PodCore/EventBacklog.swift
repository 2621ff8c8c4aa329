import KubeMachinery

/// Events that the cluster has not been told yet, oldest first, within a bound.
///
/// Where there are too many, the oldest of type Normal goes first, and where all are warnings the oldest of all.
package struct EventBacklog: Sendable {
    package struct Limits: Sendable {
        package var count = 512
        /// Roughly the memory of the texts.
        package var bytes = 256 << 10

        package init() {}
    }

    package struct Entry: Sendable, Hashable {
        package var record: EventRecord
        /// The cluster has an earlier count of it.
        package var isKnown: Bool

        package init(_ record: EventRecord, isKnown: Bool) {
            self.record = record
            self.isKnown = isKnown
        }

        var bytes: Int {
            let event = record.event
            return 256 + event.message.utf8.count + event.reason.utf8.count + 2 * event.subject.name.utf8.count
                + event.subject.namespace.utf8.count + event.subject.uid.utf8.count + event.subject.fieldPath.utf8.count
        }
    }

    private let limits: Limits
    package private(set) var entries: [Entry] = []
    private var bytes = 0
    /// How many events were dropped so far.
    package private(set) var dropped = 0

    package init(_ limits: Limits = Limits()) { self.limits = limits }

    package var isEmpty: Bool { entries.isEmpty }
    package var next: Entry? { entries.first }

    /// Takes a record. A newer count replaces one that waits; whether the cluster knows an earlier one follows from the count.
    package mutating func add(_ record: EventRecord) {
        if record.count > 1, let index = entries.firstIndex(where: { $0.record.key == record.key }) {
            bytes -= entries[index].bytes
            entries[index].record = record
            bytes += entries[index].bytes
        } else {
            put(Entry(record, isKnown: record.count > 1))
        }
        shrink()
    }

    /// Takes back what was kept over a restart, before everything that is new.
    package mutating func restore(_ kept: [Entry]) {
        let fresh = entries
        (entries, bytes) = ([], 0)
        for entry in kept + fresh { put(entry) }
        shrink()
    }

    /// The cluster has the record; a newer count of it still waits.
    package mutating func sent(_ record: EventRecord) {
        guard let index = entries.firstIndex(where: { $0.record.key == record.key }) else { return }
        if entries[index].record.count > record.count {
            entries[index].isKnown = true
        } else {
            remove(at: index)
        }
    }

    /// The cluster will never take the record.
    package mutating func refused(_ record: EventRecord) {
        if let index = entries.firstIndex(where: { $0.record.key == record.key }) { remove(at: index) }
    }

    package mutating func removeAll() { (entries, bytes) = ([], 0) }

    private mutating func put(_ entry: Entry) {
        entries.append(entry)
        bytes += entry.bytes
    }

    private mutating func remove(at index: Int) { bytes -= entries.remove(at: index).bytes }

    private mutating func shrink() {
        while entries.count > limits.count || (bytes > limits.bytes && entries.count > 1) {
            remove(at: entries.firstIndex { $0.record.event.level == .normal } ?? 0)
            dropped += 1
        }
    }
}

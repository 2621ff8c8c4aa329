import KubeMachinery

/// The sync records by node and by object, and which of them are to be compared.
///
///     open ──(compared: nothing to do)──▶ settled ──(record, object or node changed, node connected)──▶ open
///
/// So a fleet at rest costs nothing, however many records it has.
struct RecordTable {
    /// An object that records are about.
    private struct Subject: Hashable {
        var resource: GroupVersionResource
        var key: ObjectKey
    }

    private var records: [ObjectKey: RecordedObject] = [:]
    private var byNode: [String: Set<ObjectKey>] = [:]
    private var bySubject: [Subject: Set<ObjectKey>] = [:]
    private var open: Set<ObjectKey> = []

    var count: Int { records.count }
    /// Records that are to be compared, and those that were found behind.
    var openCount: Int { open.count }

    subscript(_ key: ObjectKey) -> RecordedObject? { records[key] }

    /// Takes a record as it is now.
    mutating func set(_ record: RecordedObject) {
        guard records[record.record] != record else { return }
        _ = remove(record.record)
        records[record.record] = record
        byNode[record.node, default: []].insert(record.record)
        bySubject[Self.subject(of: record), default: []].insert(record.record)
        open.insert(record.record)
    }

    /// Forgets a record; returns the UID of its object where no other record is about that.
    mutating func remove(_ key: ObjectKey) -> String? {
        guard let record = records.removeValue(forKey: key) else { return nil }
        open.remove(key)
        byNode[record.node]?.remove(key)
        if byNode[record.node]?.isEmpty == true { byNode[record.node] = nil }
        let subject = Self.subject(of: record)
        bySubject[subject]?.remove(key)
        guard bySubject[subject]?.isEmpty == true else { return nil }
        bySubject[subject] = nil
        return record.uid
    }

    /// The node has connected, or has come or gone in the cluster.
    mutating func nodeChanged(_ node: String) { open.formUnion(byNode[node] ?? []) }

    mutating func objectChanged(_ resource: GroupVersionResource, _ key: ObjectKey) {
        open.formUnion(bySubject[Subject(resource: resource, key: key)] ?? [])
    }

    mutating func openAll() { open = Set(records.keys) }

    /// The records to compare now, in order; they count as settled until they are opened again.
    mutating func takeOpen() -> [ObjectKey] {
        defer { open = [] }
        return open.sorted()
    }

    /// A record is not what it should be yet: the next comparison looks again.
    mutating func reopen(_ key: ObjectKey) { if records[key] != nil { open.insert(key) } }

    private static func subject(of record: RecordedObject) -> Subject {
        Subject(resource: KindResources.resource(of: record.kind), key: record.key)
    }
}

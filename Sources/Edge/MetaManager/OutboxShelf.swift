internal import DeliveryCore
internal import EdgeMessages
internal import KubeMachinery
internal import ObjectStore
internal import Primitives

/// Where the outbox keeps its rows.
protocol OutboxShelf: Sendable {
    /// What the rows say without their messages, those of the lowest numbers first.
    func summaries() async throws -> [OutboxSummary]

    /// Writes and removes rows as one transaction, which is on the disk when this returns; nothing is changed when it throws.
    func commit(_ batch: OutboxBatch) async throws

    /// The row of a number; nil where there is none, or one that cannot be read.
    func row(_ number: UInt64) async throws -> OutboxRow?
}

/// The rows of the outbox as records of the edge's store; the name of a record is its number in twenty digits, so that they lie in order.
struct StoredOutbox: OutboxShelf {
    let store: ObjectStore
    /// Rows that are in memory at once while all are read.
    var pageLength = 64

    func summaries() async throws -> [OutboxSummary] {
        var summaries: [OutboxSummary] = []
        var unreadable: [StoreWrite] = []
        var last: ObjectKey?
        repeat {
            let page = try await store.list(EdgeRecords.outbox, namespace: nil, limit: pageLength, after: last)
            for record in page.objects {
                if let row = OutboxRow(record) {
                    summaries.append(row.summary)
                } else {
                    unreadable.append(.remove(EdgeRecords.outbox, record.key))
                }
            }
            last = page.next
        } while last != nil
        if !unreadable.isEmpty { try await store.apply(unreadable) }
        return summaries
    }

    func commit(_ batch: OutboxBatch) async throws {
        try await store.apply(
            batch.removals.map { .remove(EdgeRecords.outbox, OutboxRow.key($0)) } + batch.puts.map { .put(EdgeRecords.outbox, $0.record) })
    }

    func row(_ number: UInt64) async throws -> OutboxRow? {
        try await store.object(EdgeRecords.outbox, OutboxRow.key(number)).flatMap { OutboxRow($0) }
    }
}

extension OutboxRow {
    static func key(_ number: UInt64) -> ObjectKey {
        let digits = String(number)
        return ObjectKey(namespace: nil, name: String(repeating: "0", count: 20 - digits.count) + digits)
    }

    init?(_ record: KubeObject) {
        guard let number = UInt64(record.name), let message = try? EdgeMessage(json: record.json["message"]) else { return nil }
        let kind = record.json["state"].string.map { ReportKind.state(key: $0) } ?? .event
        self.init(number: number, kind: kind, message: message)
    }

    var record: KubeObject {
        let key = Self.key(number)
        var record = KubeObject(apiVersion: "edge.kubeedge.io/v1", kind: "WaitingReport", namespace: nil, name: key.name)
        if case .state(let key) = kind { record.json["state"] = .string(key) }
        record.json["message"] = message.json
        return record
    }
}

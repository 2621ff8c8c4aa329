internal import KubeMachinery
internal import Primitives

extension ObjectStore {
    func read(_ resource: GroupResource, _ key: ObjectKey) throws(StoreError) -> KubeObject? {
        var found: KubeObject?
        try connection.execute(
            "SELECT value FROM objects WHERE api_group = ? AND resource = ? AND namespace = ? AND name = ?", Self.identity(resource, key)
        ) { row throws(StoreError) in found = try Self.object(row, 0) }
        return found
    }

    func write(_ resource: GroupResource, _ object: KubeObject) throws(StoreError) {
        try connection.execute(
            "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)",
            Self.identity(resource, object.key) + [.blob(object.json.encoded())])
    }

    func erase(_ resource: GroupResource, _ key: ObjectKey) throws(StoreError) {
        try connection.execute(
            "DELETE FROM objects WHERE api_group = ? AND resource = ? AND namespace = ? AND name = ?", Self.identity(resource, key))
    }

    /// Counts one change and makes the count durable with the transaction that is open.
    func nextRevision(after revision: UInt64) throws(StoreError) -> UInt64 {
        try connection.execute("UPDATE counters SET value = ? WHERE name = 'revision'", [.integer(Int64(clamping: revision + 1))])
        return revision + 1
    }

    /// Makes a committed change visible.
    func announce(_ events: [StorageEvent]) {
        for event in events {
            currentRevision = max(currentRevision, event.revision)
            feed.publish(event)
        }
    }

    static func identity(_ resource: GroupResource, _ key: ObjectKey) -> [SQLiteConnection.Value] {
        [.text(resource.group), .text(resource.resource), .text(key.namespace ?? ""), .text(key.name)]
    }

    static func object(_ row: SQLiteConnection.Row, _ column: Int32) throws(StoreError) -> KubeObject {
        do {
            return KubeObject(try JSONValue(parsing: row.blob(column), limits: JSONLimits(size: 64 << 20, depth: 512)))
        } catch {
            throw StoreError(code: .corrupt, message: "a stored object is no JSON: \(error)")
        }
    }
}

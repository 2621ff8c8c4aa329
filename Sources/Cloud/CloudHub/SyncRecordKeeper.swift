import DeliveryCore
package import KubeMachinery
import KubeResources
import Primitives
import Synchronization

/// The live copy of a sync record, where somebody keeps one.
package typealias RecordCopies = @Sendable (GroupVersionResource, ObjectKey) async -> KubeObject?

/// Keeps the ObjectSync and ClusterObjectSync records of one node in the Kubernetes API (`spec/01 §6.4`).
///
/// A record that was made for another store of the node counts as one without a version, until the node has acknowledged the object: then the version comes
/// first and the store after it, so that it never says too much. What was read or written last is remembered, so that a write is one call. Writes of all nodes share a turnstile: when the API is slow they
/// wait, and a newer version of an object takes the place of one that waits, while leases and statuses go on.
final class SyncRecordKeeper: Sendable {
    /// What the API held when a record was last read or written.
    private struct Known: Sendable {
        var resourceVersion: String
        var version: UInt64
        /// Whether it is about the node's present store.
        var isOfStore: Bool
    }

    /// The store of the node; nil for a Go edge.
    let store: StoreIdentity?
    private let api: any KubeAPI
    private let copies: RecordCopies
    private let writes: Turnstile
    private let known = Mutex<[String: Known]>([:])
    /// How often a write is tried against others that write the same record (T52).
    private static let attempts = 4

    init(api: any KubeAPI, store: StoreIdentity?, copies: @escaping RecordCopies, writes: Turnstile) {
        self.api = api
        self.store = store
        self.copies = copies
        self.writes = writes
    }

    /// Performs a command; a failure may be tried again later.
    func perform(_ command: SyncRecordCommand) async -> (SyncRecordOutcome, cause: KubeStatus?) {
        do {
            switch command {
            case .open(let key): return (.done(version: try await open(key)), nil)
            case .write(let key, let version):
                return (.done(version: try await writes.pass { try await write(key, version) }), nil)
            case .remove(let key):
                try await writes.pass { try await remove(key) }
                return (.done(version: 0), nil)
            }
        } catch let status as KubeStatus where status.isNamespaceTerminating {
            // The record would go with the namespace; so will the object.
            if case .write(_, let version) = command { return (.done(version: version), nil) }
            return (.done(version: 0), nil)
        } catch {
            return (.failed, error as? KubeStatus ?? .internalError("\(error)"))
        }
    }

    private func open(_ key: SyncRecordKey) async throws -> UInt64 {
        // A copy that is late leads to a message too many, never to one too few: what it lacks is asked for.
        if let copy = await copies(Self.resource(key), Self.objectKey(key)) {
            note(copy, key)
            return held(copy)
        }
        if let record = try await record(key) { return held(record) }
        guard !key.objectKind.isEmpty else { return 0 }
        guard let created = try await create(key) else { return try await record(key).map(held) ?? 0 }
        // Without this it would be an empty version, which Go clouds refuse for ever (D-02); it still counts as 0 here.
        _ = try? await setVersion(created, 0, key)
        return 0
    }

    private func write(_ key: SyncRecordKey, _ version: UInt64) async throws -> UInt64 {
        if let known = known.withLock({ $0[key.uid] }), known.isOfStore, !key.objectKind.isEmpty {
            guard known.version < version else { return known.version }
            var record = newRecord(key)
            record.resourceVersion = known.resourceVersion
            do {
                try await setVersion(record, version, key)
                return version
            } catch let status as KubeStatus where status.isConflict || status.isNotFound {}
        }
        for _ in 1..<Self.attempts {
            do { return try await writeOnce(key, version) } catch let status as KubeStatus where status.isConflict || status.isNotFound { continue }
        }
        return try await writeOnce(key, version)
    }

    private func writeOnce(_ key: SyncRecordKey, _ version: UInt64) async throws -> UInt64 {
        var found = try await record(key)
        if found == nil {
            guard !key.objectKind.isEmpty else { return version }
            if let created = try await create(key) { found = created } else { found = try await record(key) }
        }
        guard let found else { throw KubeStatus.notFound(Self.resource(key).groupResource, key.name) }
        let recorded = Self.version(found)
        guard isOfStore(found) else {
            let current = recorded == version ? found : try await setVersion(found, version, key)
            try await adopt(current, key)
            return version
        }
        guard recorded < version else { return recorded }
        try await setVersion(found, version, key)
        return version
    }

    /// Says that the record is about the node's present store.
    private func adopt(_ record: KubeObject, _ key: SyncRecordKey) async throws {
        var record = record
        record.annotations[StoreIdentity.annotation] = store?.text
        note(try await api.update(Self.resource(key), record), key)
    }

    private func remove(_ key: SyncRecordKey) async throws {
        _ = known.withLock { $0.removeValue(forKey: key.uid) }
        do {
            _ = try await api.delete(Self.resource(key), Self.objectKey(key), options: ["gracePeriodSeconds": 0])
        } catch let status as KubeStatus where status.isNotFound {}
    }

    private func record(_ key: SyncRecordKey) async throws -> KubeObject? {
        do {
            let record = try await api.get(Self.resource(key), Self.objectKey(key))
            note(record, key)
            return record
        } catch let status as KubeStatus where status.isNotFound {
            _ = known.withLock { $0.removeValue(forKey: key.uid) }
            return nil
        }
    }

    /// The new record; nil where somebody else was faster.
    private func create(_ key: SyncRecordKey) async throws -> KubeObject? {
        do { return try await api.create(Self.resource(key), newRecord(key)) } catch let status as KubeStatus where status.isAlreadyExists {
            return nil
        }
    }

    @discardableResult
    private func setVersion(_ record: KubeObject, _ version: UInt64, _ key: SyncRecordKey) async throws -> KubeObject {
        var record = record
        record.status["objectResourceVersion"] = .string(String(version))
        let written = try await api.update(Self.resource(key), record, subresource: "status")
        note(written, key)
        return written
    }

    private func note(_ record: KubeObject, _ key: SyncRecordKey) {
        let now = Known(resourceVersion: record.resourceVersion, version: Self.version(record), isOfStore: isOfStore(record))
        known.withLock { $0[key.uid] = now }
    }

    private func isOfStore(_ record: KubeObject) -> Bool { StoreIdentity(record: record) == store }

    /// The version that the node's present store holds as far as the record says.
    private func held(_ record: KubeObject) -> UInt64 { isOfStore(record) ? Self.version(record) : 0 }

    /// The record as this house makes it, without status.
    private func newRecord(_ key: SyncRecordKey) -> KubeObject {
        var record = KubeObject(
            apiVersion: "reliablesyncs.kubeedge.io/v1alpha1", kind: key.namespace == nil ? "ClusterObjectSync" : "ObjectSync",
            namespace: key.namespace, name: key.name)
        record.spec = [
            "objectAPIVersion": .string(key.objectAPIVersion), "objectKind": .string(key.objectKind), "objectName": .string(key.objectName),
        ]
        if let store { record.annotations[StoreIdentity.annotation] = store.text }
        return record
    }

    private static func version(_ record: KubeObject) -> UInt64 {
        record.status["objectResourceVersion"].string.flatMap { UInt64($0) } ?? 0
    }

    private static func resource(_ key: SyncRecordKey) -> GroupVersionResource {
        key.namespace == nil ? Resources.clusterObjectSyncs : Resources.objectSyncs
    }

    private static func objectKey(_ key: SyncRecordKey) -> ObjectKey { ObjectKey(namespace: key.namespace, name: key.name) }
}

import DeliveryCore
import KubeMachinery
import KubeResources
import Primitives

/// Keeps ObjectSync and ClusterObjectSync records in the Kubernetes API (`spec/01 §6.4`).
struct SyncRecordKeeper: Sendable {
    let api: any KubeAPI
    /// How often a write is tried against others that write the same record (T52).
    private static let attempts = 4

    /// Performs a command; a failure may be tried again later.
    func perform(_ command: SyncRecordCommand) async -> (SyncRecordOutcome, cause: KubeStatus?) {
        do {
            switch command {
            case .open(let key): return (.done(version: try await open(key)), nil)
            case .write(let key, let version): return (.done(version: try await write(key, version)), nil)
            case .remove(let key):
                try await remove(key)
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
        if let record = try await record(key) { return Self.version(record) }
        guard !key.objectKind.isEmpty else { return 0 }
        guard let created = try await create(key) else { return try await record(key).map(Self.version) ?? 0 }
        // Without this it would be an empty version, which Go clouds refuse for ever (D-02); it still counts as 0 here.
        _ = try? await setVersion(created, 0, key)
        return 0
    }

    private func write(_ key: SyncRecordKey, _ version: UInt64) async throws -> UInt64 {
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
        guard recorded < version else { return recorded }
        try await setVersion(found, version, key)
        return version
    }

    private func remove(_ key: SyncRecordKey) async throws {
        do {
            _ = try await api.delete(Self.resource(key), Self.objectKey(key), options: ["gracePeriodSeconds": 0])
        } catch let status as KubeStatus where status.isNotFound {}
    }

    private func record(_ key: SyncRecordKey) async throws -> KubeObject? {
        do { return try await api.get(Self.resource(key), Self.objectKey(key)) } catch let status as KubeStatus where status.isNotFound {
            return nil
        }
    }

    /// The new record; nil where somebody else was faster.
    private func create(_ key: SyncRecordKey) async throws -> KubeObject? {
        var record = KubeObject(
            apiVersion: "reliablesyncs.kubeedge.io/v1alpha1", kind: key.namespace == nil ? "ClusterObjectSync" : "ObjectSync",
            namespace: key.namespace, name: key.name)
        record.spec = [
            "objectAPIVersion": .string(key.objectAPIVersion), "objectKind": .string(key.objectKind), "objectName": .string(key.objectName),
        ]
        do { return try await api.create(Self.resource(key), record) } catch let status as KubeStatus where status.isAlreadyExists {
            return nil
        }
    }

    private func setVersion(_ record: KubeObject, _ version: UInt64, _ key: SyncRecordKey) async throws {
        var record = record
        record.status["objectResourceVersion"] = .string(String(version))
        _ = try await api.update(Self.resource(key), record, subresource: "status")
    }

    private static func version(_ record: KubeObject) -> UInt64 {
        record.status["objectResourceVersion"].string.flatMap { UInt64($0) } ?? 0
    }

    private static func resource(_ key: SyncRecordKey) -> GroupVersionResource {
        key.namespace == nil ? Resources.clusterObjectSyncs : Resources.objectSyncs
    }

    private static func objectKey(_ key: SyncRecordKey) -> ObjectKey { ObjectKey(namespace: key.namespace, name: key.name) }
}

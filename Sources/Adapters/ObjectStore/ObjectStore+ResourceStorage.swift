package import KubeMachinery

extension ObjectStore: ResourceStorage {
    package func revision() -> UInt64 { currentRevision }

    package func object(_ resource: GroupResource, _ key: ObjectKey) throws -> KubeObject? {
        do { return try read(resource, key) } catch { throw failed("read", resource, error) }
    }

    package func list(_ resource: GroupResource, namespace: String?, limit: Int?, after: ObjectKey?) throws -> StoragePage {
        var filter = "api_group = ? AND resource = ?"
        var values: [SQLiteConnection.Value] = [.text(resource.group), .text(resource.resource)]
        if let namespace {
            filter += " AND namespace = ?"
            values.append(.text(namespace))
        }
        if let after {
            filter += " AND (namespace, name) > (?, ?)"
            values += [.text(after.namespace ?? ""), .text(after.name)]
        }
        do {
            var page = StoragePage(objects: [], revision: currentRevision)
            let bound = limit.map { " LIMIT \($0 + 1)" } ?? ""
            try connection.execute("SELECT value FROM objects WHERE \(filter) ORDER BY namespace, name\(bound)", values) {
                row throws(StoreError) in page.objects.append(try Self.object(row, 0))
            }
            if let limit, page.objects.count > limit {
                page.objects.removeLast()
                page.next = page.objects.last?.key
                try connection.execute("SELECT count(*) FROM objects WHERE \(filter)", values) { row throws(StoreError) in
                    page.remaining = Int(row.integer(0)) - page.objects.count
                }
            }
            return page
        } catch {
            throw failed("list", resource, error)
        }
    }

    package func create(_ resource: GroupResource, _ object: KubeObject) throws -> KubeObject {
        try change(resource) { () throws(StoreError) in
            guard try read(resource, object.key) == nil else { return .failure(.alreadyExists(resource, object.name)) }
            var stored = object
            let revision = try nextRevision(after: currentRevision)
            stored.resourceVersion = String(revision)
            try write(resource, stored)
            return .success(StorageEvent(change: .added, resource: resource, object: stored, revision: revision))
        }
    }

    package func replace(_ resource: GroupResource, _ object: KubeObject, expecting: String?) throws -> KubeObject {
        try change(resource) { () throws(StoreError) in
            guard let previous = try read(resource, object.key) else { return .failure(.notFound(resource, object.name)) }
            if let stale = Self.conflict(resource, previous, expecting) { return .failure(stale) }
            var stored = object
            let revision = try nextRevision(after: currentRevision)
            stored.resourceVersion = String(revision)
            try write(resource, stored)
            return .success(StorageEvent(change: .modified, resource: resource, object: stored, previous: previous, revision: revision))
        }
    }

    package func remove(_ resource: GroupResource, _ key: ObjectKey, expecting: String?) throws -> KubeObject {
        try change(resource) { () throws(StoreError) in
            guard var last = try read(resource, key) else { return .failure(.notFound(resource, key.name)) }
            if let stale = Self.conflict(resource, last, expecting) { return .failure(stale) }
            let revision = try nextRevision(after: currentRevision)
            try erase(resource, key)
            last.resourceVersion = String(revision)
            return .success(StorageEvent(change: .deleted, resource: resource, object: last, revision: revision))
        }
    }

    package func watch(_ resource: GroupResource, namespace: String?, after revision: UInt64?) throws -> AsyncStream<StorageEvent> {
        guard let stream = feed.follow(resource, namespace: namespace, after: revision) else {
            throw KubeStatus.gone("too old resource version: \(revision ?? 0) (\(feed.forgotten + 1))")
        }
        return stream
    }

    /// Runs one change as a transaction and makes its event visible once it is on disk.
    private func change(
        _ resource: GroupResource, _ body: () throws(StoreError) -> Result<StorageEvent, KubeStatus>
    ) throws -> KubeObject {
        let outcome: Result<StorageEvent, KubeStatus>
        do { outcome = try connection.transaction(body) } catch { throw failed("write", resource, error) }
        let event = try outcome.get()
        announce([event])
        return event.object
    }

    private static func conflict(_ resource: GroupResource, _ stored: KubeObject, _ expecting: String?) -> KubeStatus? {
        guard let expecting, expecting != stored.resourceVersion else { return nil }
        return .conflict(
            resource, stored.name, "the object has been modified; please apply your changes to the latest version and try again")
    }

    private func failed(_ verb: String, _ resource: GroupResource, _ error: StoreError) -> KubeStatus {
        logger.error("store operation failed", metadata: ["verb": "\(verb)", "resource": "\(resource)", "error": "\(error)"])
        note(error)
        return error.status
    }
}

package import KubeMachinery

/// One write of a batch that keeps the versions its objects carry.
package enum StoreWrite: Sendable {
    /// Adds or replaces the object under its own key.
    case put(GroupResource, KubeObject)
    /// Removes an object; nothing happens where there is none.
    case remove(GroupResource, ObjectKey)
}

extension ObjectStore {
    /// Writes a batch as one transaction: all of it is on disk when this returns, or nothing when it throws `StoreError`.
    ///
    /// The objects keep the resourceVersions that the cloud gave them. Watchers see one event for each object that differs from
    /// what was stored.
    package func apply(_ writes: [StoreWrite]) throws {
        do throws(StoreError) {
            let events = try connection.transaction { () throws(StoreError) in
                var events: [StorageEvent] = []
                var revision = currentRevision
                for write in writes {
                    guard let event = try perform(write, after: revision) else { continue }
                    revision = event.revision
                    events.append(event)
                }
                return events
            }
            announce(events)
        } catch {
            note(error)
            throw error
        }
    }

    /// Reads and writes without anything in between: `body` has the store to itself.
    package func transact<Result: Sendable>(_ body: @Sendable (isolated ObjectStore) throws -> Result) rethrows -> Result {
        try body(self)
    }

    private func perform(_ write: StoreWrite, after revision: UInt64) throws(StoreError) -> StorageEvent? {
        switch write {
        case .put(let resource, let object):
            let previous = try read(resource, object.key)
            guard previous != object else { return nil }
            let next = try nextRevision(after: revision)
            try self.write(resource, object)
            return StorageEvent(
                change: previous == nil ? .added : .modified, resource: resource, object: object, previous: previous, revision: next)
        case .remove(let resource, let key):
            guard let last = try read(resource, key) else { return nil }
            let next = try nextRevision(after: revision)
            try erase(resource, key)
            return StorageEvent(change: .deleted, resource: resource, object: last, revision: next)
        }
    }

    /// What is stored now and every change after it, without a gap: the edge's modules live on this.
    package func listAndWatch(_ resource: GroupResource) throws -> (objects: [KubeObject], changes: AsyncStream<StorageEvent>) {
        let page = try list(resource, namespace: nil, limit: nil, after: nil)
        return (page.objects, try watch(resource, namespace: nil, after: page.revision))
    }

    /// Removes every object of a resource for which `isObsolete` holds, as one transaction.
    package func removeAll(_ resource: GroupResource, where isObsolete: (KubeObject) -> Bool) throws {
        let page = try list(resource, namespace: nil, limit: nil, after: nil)
        try apply(page.objects.filter(isObsolete).map { .remove(resource, $0.key) })
    }
}

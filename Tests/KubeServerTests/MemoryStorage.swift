import KubeMachinery
import Primitives

/// A store in memory, for tests of what stands above a store.
actor MemoryStorage: ResourceStorage {
    private var objects: [GroupResource: [ObjectKey: KubeObject]] = [:]
    private var history: [StorageEvent] = []
    private var watchers: [(resource: GroupResource, namespace: String?, continuation: AsyncStream<StorageEvent>.Continuation)] = []
    private var current: UInt64 = 1
    /// Changes up to here are forgotten.
    private var floor: UInt64 = 0
    /// The next writes of this resource find that somebody was faster.
    private var conflicts: [GroupResource: Int] = [:]

    func revision() -> UInt64 { current }

    func forgetHistory() {
        floor = current
        history = []
    }

    func failWithConflict(_ resource: GroupResource, times: Int) { conflicts[resource] = times }

    func endWatches() { for watcher in watchers { watcher.continuation.finish() } }

    func object(_ resource: GroupResource, _ key: ObjectKey) -> KubeObject? { objects[resource]?[key] }

    func list(_ resource: GroupResource, namespace: String?, limit: Int?, after: ObjectKey?) -> StoragePage {
        let all = (objects[resource] ?? [:]).values.filter { namespace == nil || $0.namespace == namespace }.sorted { $0.key < $1.key }
        let rest = all.drop { object in after.map { !($0 < object.key) } ?? false }
        let page = Array(rest.prefix(limit ?? Int.max))
        let remaining = rest.count - page.count
        return StoragePage(objects: page, revision: current, next: remaining > 0 ? page.last?.key : nil, remaining: remaining)
    }

    func create(_ resource: GroupResource, _ object: KubeObject) throws -> KubeObject {
        guard objects[resource]?[object.key] == nil else { throw KubeStatus.alreadyExists(resource, object.name) }
        return write(resource, object, .added, previous: nil)
    }

    func replace(_ resource: GroupResource, _ object: KubeObject, expecting: String?) throws -> KubeObject {
        let old = try expect(resource, object.key, expecting)
        return write(resource, object, .modified, previous: old)
    }

    func remove(_ resource: GroupResource, _ key: ObjectKey, expecting: String?) throws -> KubeObject {
        let old = try expect(resource, key, expecting)
        let last = write(resource, old, .deleted, previous: old)
        objects[resource]?[key] = nil
        return last
    }

    func watch(_ resource: GroupResource, namespace: String?, after revision: UInt64?) throws -> AsyncStream<StorageEvent> {
        let start = revision ?? current
        guard start >= floor else { throw KubeStatus.gone("too old resource version: \(start) (\(floor))") }
        let (stream, continuation) = AsyncStream.makeStream(of: StorageEvent.self)
        for event in history where event.revision > start && event.resource == resource && Self.isIn(event, namespace) {
            continuation.yield(event)
        }
        watchers.append((resource, namespace, continuation))
        return stream
    }

    private static func isIn(_ event: StorageEvent, _ namespace: String?) -> Bool { namespace == nil || event.object.namespace == namespace }

    private func expect(_ resource: GroupResource, _ key: ObjectKey, _ version: String?) throws -> KubeObject {
        guard let old = objects[resource]?[key] else { throw KubeStatus.notFound(resource, key.name) }
        if let count = conflicts[resource], count > 0 {
            conflicts[resource] = count - 1
            throw KubeStatus.conflict(resource, key.name, "the object has been modified")
        }
        if let version, version != old.resourceVersion { throw KubeStatus.conflict(resource, key.name, "the object has been modified") }
        return old
    }

    private func write(_ resource: GroupResource, _ object: KubeObject, _ change: StorageEvent.Change, previous: KubeObject?) -> KubeObject {
        current += 1
        var stored = object
        stored.resourceVersion = String(current)
        objects[resource, default: [:]][object.key] = stored
        let event = StorageEvent(change: change, resource: resource, object: stored, previous: previous, revision: current)
        history.append(event)
        for watcher in watchers where watcher.resource == resource && Self.isIn(event, watcher.namespace) { watcher.continuation.yield(event) }
        return stored
    }
}

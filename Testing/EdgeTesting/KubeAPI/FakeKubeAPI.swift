package import KubeMachinery
package import Primitives

/// A Kubernetes API in memory for tests: objects with versions, conflicts, watches, graceful deletion, and failures on demand.
///
/// It checks what its callers rely on (versions, finalizers, the split of `spec` and `status`) and no schema at all.
/// Every verb throws `KubeStatus`. Versions count up from 1 over all resources; generated names end in a counter, so that runs repeat.
package actor FakeKubeAPI: KubeAPI {
    package enum Verb: Sendable, Hashable { case get, list, watch, create, update, patch, delete }

    /// One request, in the order of arrival.
    package struct Call: Sendable, Hashable {
        package var verb: Verb
        package var resource: GroupVersionResource
        package var key: ObjectKey?
        package var subresource: String?
    }

    struct Change {
        var revision: UInt64
        var resource: GroupVersionResource
        var old: KubeObject?
        /// nil for a removal; then `old` has the revision of the removal.
        var new: KubeObject?
    }

    struct Watcher {
        var resource: GroupVersionResource
        var selection: FakeSelection
        var continuation: AsyncThrowingStream<WatchEvent, any Error>.Continuation
    }

    struct Failure {
        var verb: Verb
        var resource: GroupVersionResource?
        var status: KubeStatus
        var remaining: Int
    }

    /// All requests so far, failed ones too.
    package internal(set) var calls: [Call] = []
    /// The version of the newest change.
    package internal(set) var revision: UInt64 = 0

    var stored: [GroupVersionResource: [ObjectKey: KubeObject]] = [:]
    var history: [Change] = []
    /// Versions up to this one can no longer be watched from.
    var forgotten: UInt64 = 0
    var watchers: [Watcher] = []
    var failures: [Failure] = []
    var emptyLists: [GroupVersionResource: Int] = [:]
    var signals: [AsyncStream<Void>.Continuation] = []
    private var names = 0
    let clock: any MomentSource

    /// `clock` gives creation and deletion times.
    package init(clock: any MomentSource = SystemClock()) { self.clock = clock }

    package func get(_ resource: GroupVersionResource, _ key: ObjectKey, subresource: String?) async throws -> KubeObject {
        try begin(Call(verb: .get, resource: resource, key: key, subresource: subresource))
        return try existing(resource, key)
    }

    package func list(_ resource: GroupVersionResource, _ query: ListQuery) async throws -> KubeList {
        try begin(Call(verb: .list, resource: resource, key: nil, subresource: nil))
        let selection = try FakeSelection(query)
        if let times = emptyLists[resource], times > 0 {
            emptyLists[resource] = times - 1
            return KubeList(items: [], resourceVersion: String(revision))
        }
        var items = objects(resource).filter(selection.holds)
        if let next = query.next { items.removeAll { "\($0.key)" <= next } }
        var list = KubeList(items: items, resourceVersion: String(revision))
        if let limit = query.limit, items.count > limit, limit > 0 {
            list.items = Array(items.prefix(limit))
            list.next = list.items.last.map { "\($0.key)" }
        }
        return list
    }

    package func create(_ resource: GroupVersionResource, namespace: String?, name: String?, _ object: KubeObject, subresource: String?)
        async throws -> KubeObject
    {
        let place = ObjectKey(namespace: namespace ?? object.namespace, name: name ?? object.name)
        try begin(Call(verb: .create, resource: resource, key: place, subresource: subresource))
        if let subresource { return try createSubresource(subresource, of: resource, place, object) }
        var new = object
        if let namespace { new.metadata["namespace"] = .string(namespace) }
        if new.name.isEmpty, let prefix = new.metadata["generateName"].string {
            names += 1
            new.name = prefix + "\(names)".leftPadded(to: 5)
        }
        guard !new.name.isEmpty else { throw KubeStatus.badRequest("name or generateName is required") }
        guard stored[resource]?[new.key] == nil else { throw KubeStatus.alreadyExists(resource.groupResource, new.name) }
        guard object.resourceVersion.isEmpty else { throw KubeStatus.badRequest("resourceVersion should not be set on objects to be created") }
        new.uid = "uid-\(revision + 1)"
        new.metadata["creationTimestamp"] = .string(clock.now().wall.rfc3339)
        if !new.spec.isNull { new.generation = 1 }
        return commit(resource, old: nil, new: new)
    }

    package func update(_ resource: GroupVersionResource, _ object: KubeObject, subresource: String?) async throws -> KubeObject {
        try begin(Call(verb: .update, resource: resource, key: object.key, subresource: subresource))
        return try replace(resource, object, subresource: subresource)
    }

    package func patch(_ resource: GroupVersionResource, _ key: ObjectKey, _ patch: JSONValue, _ kind: PatchKind, subresource: String?)
        async throws -> KubeObject
    {
        try begin(Call(verb: .patch, resource: resource, key: key, subresource: subresource))
        let patched = try FakePatch.apply(patch, kind, to: try existing(resource, key))
        return try replace(resource, patched, subresource: subresource)
    }

    package func delete(_ resource: GroupVersionResource, _ key: ObjectKey, options: JSONValue) async throws -> KubeObject {
        try begin(Call(verb: .delete, resource: resource, key: key, subresource: nil))
        let object = try existing(resource, key)
        try check(options["preconditions"], of: object, resource)
        return remove(resource, object, options: options)
    }

    package func watch(_ resource: GroupVersionResource, _ query: ListQuery, resourceVersion: String) async throws
        -> AsyncThrowingStream<WatchEvent, any Error>
    {
        try begin(Call(verb: .watch, resource: resource, key: nil, subresource: nil))
        let (stream, continuation) = AsyncThrowingStream<WatchEvent, any Error>.makeStream()
        let selection = try FakeSelection(query)
        let watcher = Watcher(resource: resource, selection: selection, continuation: continuation)
        let start = UInt64(resourceVersion) ?? 0
        if start == 0 {
            for object in objects(resource) where selection.holds(object) { continuation.yield(.added(object)) }
        } else {
            guard start >= forgotten else { throw KubeStatus.gone("too old resource version: \(start) (\(forgotten))") }
            for change in history where change.revision > start { tell(watcher, change) }
        }
        watchers.append(watcher)
        return stream
    }
}

extension String {
    fileprivate func leftPadded(to width: Int) -> String { String(repeating: "0", count: max(0, width - count)) + self }
}

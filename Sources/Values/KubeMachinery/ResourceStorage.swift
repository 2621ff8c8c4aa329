/// What happened to a stored object.
package struct StorageEvent: Sendable {
    package enum Change: Sendable { case added, modified, deleted }

    package var change: Change
    package var resource: GroupResource
    /// The object now; of a deleted one the last content, with the resourceVersion of its deletion.
    package var object: KubeObject
    /// The object before, for a modification.
    package var previous: KubeObject?
    /// The place of this change in the history of the whole store.
    package var revision: UInt64

    package init(change: Change, resource: GroupResource, object: KubeObject, previous: KubeObject? = nil, revision: UInt64) {
        self.change = change
        self.resource = resource
        self.object = object
        self.previous = previous
        self.revision = revision
    }
}

/// A part of a collection, in the order of namespace and name.
package struct StoragePage: Sendable {
    package var objects: [KubeObject]
    /// The revision that the page shows.
    package var revision: UInt64
    /// The last key of the page where more follow.
    package var next: ObjectKey?
    /// How many objects follow the page.
    package var remaining: Int

    package init(objects: [KubeObject], revision: UInt64, next: ObjectKey? = nil, remaining: Int = 0) {
        self.objects = objects
        self.revision = revision
        self.next = next
        self.remaining = remaining
    }
}

/// A store of Kubernetes objects with versions and watch: what the API server serves.
///
/// Every verb throws `KubeStatus`. Writes are durable when they return.
package protocol ResourceStorage: Sendable {
    /// The revision of the newest change.
    func revision() async throws -> UInt64

    func object(_ resource: GroupResource, _ key: ObjectKey) async throws -> KubeObject?

    /// All objects of a resource, of one namespace where it is given, in order of their keys.
    func list(_ resource: GroupResource, namespace: String?, limit: Int?, after: ObjectKey?) async throws -> StoragePage

    /// Stores a new object and returns it with its resourceVersion; `AlreadyExists` where the key is taken.
    func create(_ resource: GroupResource, _ object: KubeObject) async throws -> KubeObject

    /// Replaces an object; `Conflict` where its resourceVersion is not `expecting` any more, `NotFound` where it is gone.
    func replace(_ resource: GroupResource, _ object: KubeObject, expecting: String?) async throws -> KubeObject

    /// Removes an object and returns its last content; the same errors as `replace`.
    func remove(_ resource: GroupResource, _ key: ObjectKey, expecting: String?) async throws -> KubeObject

    /// Every change after `revision` (nil: from now on), of one namespace where it is given.
    ///
    /// Throws `gone` (410) where the history no longer reaches back that far. A reader that falls too far behind
    /// finds the stream ended: it has to list again.
    func watch(_ resource: GroupResource, namespace: String?, after revision: UInt64?) async throws -> AsyncStream<StorageEvent>
}

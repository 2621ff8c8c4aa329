package import KubeMachinery
import Primitives

/// What a test does to the API from outside.
extension FakeKubeAPI {
    /// All objects of a resource in the order of their keys, without a call being counted.
    package func objects(_ resource: GroupVersionResource) -> [KubeObject] {
        (stored[resource] ?? [:]).values.sorted { $0.key < $1.key }
    }

    /// The object, without a call being counted.
    package func object(_ resource: GroupVersionResource, _ key: ObjectKey) -> KubeObject? { stored[resource]?[key] }

    /// Stores the object as it is, new or over the one that is there; uid and version are given to it.
    @discardableResult
    package func put(_ resource: GroupVersionResource, _ object: KubeObject) -> KubeObject {
        let old = stored[resource]?[object.key]
        var new = object
        if new.uid.isEmpty { new.uid = old?.uid ?? "uid-\(revision + 1)" }
        if new.creationTimestamp == nil {
            new.metadata["creationTimestamp"] = old?.metadata["creationTimestamp"] ?? .string(clock.now().wall.rfc3339)
        }
        return commit(resource, old: old, new: new)
    }

    /// Removes the object at once, whatever its finalizers.
    package func drop(_ resource: GroupVersionResource, _ key: ObjectKey) {
        if let old = stored[resource]?[key] { commit(resource, old: old, new: nil) }
    }

    /// Lets the next `times` calls of the verb (on `resource` where it is given) fail with `status`.
    package func fail(_ verb: Verb, _ resource: GroupVersionResource? = nil, times: Int = 1, with status: KubeStatus) {
        failures.append(Failure(verb: verb, resource: resource, status: status, remaining: times))
    }

    /// Lets the next `times` lists of a resource succeed without showing anything.
    package func showEmpty(_ resource: GroupVersionResource, times: Int) { emptyLists[resource] = times }

    /// Ends all open watches of a resource (nil: of all), with an error where one is given.
    package func cutWatches(_ resource: GroupVersionResource? = nil, with error: (any Error)? = nil) {
        for watcher in watchers where (resource ?? watcher.resource) == watcher.resource { watcher.continuation.finish(throwing: error) }
        watchers.removeAll { (resource ?? $0.resource) == $0.resource }
    }

    /// Sends the current version to all watches of a resource.
    package func sendBookmarks(_ resource: GroupVersionResource) {
        for watcher in watchers where watcher.resource == resource { watcher.continuation.yield(.bookmark(String(revision))) }
    }

    /// Forgets the history: a watch from any version before the newest is answered with 410.
    package func forgetHistory() {
        history = []
        forgotten = revision
    }

    /// How often a verb was called on a resource.
    package func count(_ verb: Verb, _ resource: GroupVersionResource) -> Int {
        calls.count { $0.verb == verb && $0.resource == resource }
    }

    /// Waits until the objects of a resource meet `condition` and returns them; throws `CancellationError` when cancelled.
    @discardableResult
    package func objects(_ resource: GroupVersionResource, until condition: @Sendable ([KubeObject]) -> Bool) async throws -> [KubeObject] {
        try await wait { condition($0.objects(resource)) }
        return objects(resource)
    }

    /// Waits until a verb was called on a resource at least `count` times.
    package func calls(_ verb: Verb, _ resource: GroupVersionResource, atLeast count: Int) async throws {
        try await wait { $0.count(verb, resource) >= count }
    }

    /// Waits until `condition` holds; it is looked at after every call and every change.
    package func wait(until condition: @Sendable (isolated FakeKubeAPI) -> Bool) async throws {
        if condition(self) { return }
        let (stream, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        signals.append(continuation)
        for await _ in stream where condition(self) { return }
        throw CancellationError()
    }
}

package import Primitives

/// A list as the API returns it.
package struct KubeList: Sendable {
    package var items: [KubeObject]
    package var resourceVersion: String
    /// The token for the next page; nil on the last.
    package var next: String?

    package init(items: [KubeObject], resourceVersion: String, next: String? = nil) {
        self.items = items
        self.resourceVersion = resourceVersion
        self.next = next
    }
}

/// What to list or watch.
package struct ListQuery: Sendable, Hashable {
    package var namespace: String?
    package var labelSelector = ""
    package var fieldSelector = ""
    package var limit: Int?
    package var next: String?

    package init(namespace: String? = nil, labelSelector: String = "", fieldSelector: String = "", limit: Int? = nil, next: String? = nil) {
        self.namespace = namespace
        self.labelSelector = labelSelector
        self.fieldSelector = fieldSelector
        self.limit = limit
        self.next = next
    }
}

/// The three patches of the API, by their content type.
package enum PatchKind: String, Sendable {
    case json = "application/json-patch+json"
    case merge = "application/merge-patch+json"
    case strategic = "application/strategic-merge-patch+json"
}

/// One line of a watch.
package enum WatchEvent: Sendable {
    case added(KubeObject)
    case modified(KubeObject)
    case deleted(KubeObject)
    /// Nothing changed up to this resourceVersion.
    case bookmark(String)
}

/// The verbs of the Kubernetes API as its clients in this house use them. Every verb throws `KubeStatus`.
///
/// `subresource` is `status`, `scale`, `token`, `approval`, `eviction` or `binding` where it is given.
package protocol KubeAPI: Sendable {
    func get(_ resource: GroupVersionResource, _ key: ObjectKey, subresource: String?) async throws -> KubeObject
    func list(_ resource: GroupVersionResource, _ query: ListQuery) async throws -> KubeList
    /// Changes after `resourceVersion`; the stream throws `KubeStatus` (410 where the version is too old) and ends when the server ends it.
    func watch(
        _ resource: GroupVersionResource, _ query: ListQuery, resourceVersion: String
    ) async throws
        -> AsyncThrowingStream<WatchEvent, any Error>
    /// `name` is needed for a subresource only.
    func create(
        _ resource: GroupVersionResource, namespace: String?, name: String?, _ object: KubeObject, subresource: String?
    ) async throws
        -> KubeObject
    func update(_ resource: GroupVersionResource, _ object: KubeObject, subresource: String?) async throws -> KubeObject
    func patch(
        _ resource: GroupVersionResource, _ key: ObjectKey, _ patch: JSONValue, _ kind: PatchKind, subresource: String?
    ) async throws
        -> KubeObject
    /// `options` is a `DeleteOptions` object or null; returns the object or the `Status` the server answered with.
    func delete(_ resource: GroupVersionResource, _ key: ObjectKey, options: JSONValue) async throws -> KubeObject
}

extension KubeAPI {
    package func get(_ resource: GroupVersionResource, _ key: ObjectKey) async throws -> KubeObject {
        try await get(resource, key, subresource: nil)
    }
    package func create(_ resource: GroupVersionResource, _ object: KubeObject) async throws -> KubeObject {
        try await create(resource, namespace: object.namespace, name: nil, object, subresource: nil)
    }
    package func update(_ resource: GroupVersionResource, _ object: KubeObject) async throws -> KubeObject {
        try await update(resource, object, subresource: nil)
    }
    package func patch(_ resource: GroupVersionResource, _ key: ObjectKey, _ patch: JSONValue, _ kind: PatchKind) async throws -> KubeObject {
        try await self.patch(resource, key, patch, kind, subresource: nil)
    }
    @discardableResult
    package func delete(_ resource: GroupVersionResource, _ key: ObjectKey) async throws -> KubeObject {
        try await delete(resource, key, options: .null)
    }
}

package import Primitives

/// A request to the Kubernetes API as a value: who sends it adds host, credentials and a connection.
package struct KubeRequest: Sendable, Hashable {
    package enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
        case put = "PUT"
        case patch = "PATCH"
        case delete = "DELETE"
    }

    package var method: Method
    /// The path, percent-encoded.
    package var path: String
    /// Names and values before encoding, in order.
    package var query: [Parameter]
    /// The document to send; null for none.
    package var body: JSONValue
    package var contentType: String
    package var accept = "application/json"

    package struct Parameter: Sendable, Hashable {
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    package init(_ method: Method, _ path: String, query: [Parameter] = [], body: JSONValue = .null, contentType: String = "application/json") {
        self.method = method
        self.path = path
        self.query = query
        self.body = body
        self.contentType = contentType
    }

    /// Path and query as they stand in the request line.
    package var target: String {
        guard !query.isEmpty else { return path }
        return path + "?" + query.map { "\(PercentEncoding.query($0.name))=\(PercentEncoding.query($0.value))" }.joined(separator: "&")
    }
}

extension KubeRequest {
    /// The path of an object or its subresource.
    package static func path(_ resource: GroupVersionResource, _ key: ObjectKey, subresource: String? = nil) -> String {
        let collection = collectionPath(resource, namespace: key.namespace)
        let object = "\(collection)/\(PercentEncoding.segment(key.name))"
        return subresource.map { "\(object)/\($0)" } ?? object
    }

    private static func collectionPath(_ resource: GroupVersionResource, namespace: String?) -> String {
        resource.path(namespace: namespace.map(PercentEncoding.segment))
    }

    package static func get(_ resource: GroupVersionResource, _ key: ObjectKey, subresource: String? = nil) -> KubeRequest {
        KubeRequest(.get, path(resource, key, subresource: subresource))
    }

    /// One page of a collection; `resourceVersion` "0" allows an answer from a cache.
    package static func list(_ resource: GroupVersionResource, _ query: ListQuery, resourceVersion: String? = nil) -> KubeRequest {
        var request = KubeRequest(.get, collectionPath(resource, namespace: query.namespace), query: selection(query))
        if let limit = query.limit { request.query.append(Parameter("limit", String(limit))) }
        if let next = query.next {
            request.query.append(Parameter("continue", next))
        } else if let resourceVersion {
            request.query.append(Parameter("resourceVersion", resourceVersion))
        }
        return request
    }

    /// A watch with bookmarks; the server ends it after `timeout` whole seconds.
    package static func watch(
        _ resource: GroupVersionResource, _ query: ListQuery, resourceVersion: String, timeout: Duration? = nil
    ) -> KubeRequest {
        var request = KubeRequest(.get, collectionPath(resource, namespace: query.namespace), query: selection(query))
        request.query += [Parameter("watch", "true"), Parameter("allowWatchBookmarks", "true"), Parameter("resourceVersion", resourceVersion)]
        if let timeout { request.query.append(Parameter("timeoutSeconds", String(timeout.components.seconds))) }
        return request
    }

    /// `name` is needed for a subresource only.
    package static func create(
        _ resource: GroupVersionResource, namespace: String?, name: String? = nil, _ object: KubeObject, subresource: String? = nil
    ) -> KubeRequest {
        guard let name, let subresource else {
            return KubeRequest(.post, collectionPath(resource, namespace: namespace), body: object.json)
        }
        return KubeRequest(
            .post, path(resource, ObjectKey(namespace: namespace, name: name), subresource: subresource), body: object.json)
    }

    package static func update(_ resource: GroupVersionResource, _ object: KubeObject, subresource: String? = nil) -> KubeRequest {
        KubeRequest(.put, path(resource, object.key, subresource: subresource), body: object.json)
    }

    package static func patch(
        _ resource: GroupVersionResource, _ key: ObjectKey, _ patch: JSONValue, _ kind: PatchKind, subresource: String? = nil
    ) -> KubeRequest {
        KubeRequest(.patch, path(resource, key, subresource: subresource), body: patch, contentType: kind.rawValue)
    }

    /// `options` is a `DeleteOptions` object or null.
    package static func delete(_ resource: GroupVersionResource, _ key: ObjectKey, options: JSONValue = .null) -> KubeRequest {
        var body = options
        if body.object != nil, body["kind"].isNull {
            body["apiVersion"] = "v1"
            body["kind"] = "DeleteOptions"
        }
        return KubeRequest(.delete, path(resource, key), body: body)
    }

    private static func selection(_ query: ListQuery) -> [Parameter] {
        var parameters: [Parameter] = []
        if !query.labelSelector.isEmpty { parameters.append(Parameter("labelSelector", query.labelSelector)) }
        if !query.fieldSelector.isEmpty { parameters.append(Parameter("fieldSelector", query.fieldSelector)) }
        return parameters
    }
}

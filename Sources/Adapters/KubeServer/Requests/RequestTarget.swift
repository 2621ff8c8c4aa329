package import KubeMachinery

/// What a request wants, read from its method and path the way Kubernetes reads them.
package struct RequestTarget: Sendable, Hashable {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`; for other paths the method in lower case.
    package var verb: String
    package var isResource: Bool
    package var resource: GroupVersionResource
    package var namespace: String?
    package var name: String?
    package var subresource: String?
    /// What stands behind the subresource, as in `nodes/n/proxy/metrics`.
    package var remainder: [String]

    package init(method: String, path: String, query: QueryParameters) {
        verb = method.lowercased()
        isResource = false
        resource = GroupVersionResource(group: "", version: "", resource: "")
        remainder = []
        var parts = path.split(separator: "/").map { QueryParameters.decoded($0) }
        switch parts.first {
        case "api" where parts.count > 2:
            resource.version = parts[1]
            parts.removeFirst(2)
        case "apis" where parts.count > 3:
            resource.group = parts[1]
            resource.version = parts[2]
            parts.removeFirst(3)
        default: return
        }
        isResource = true
        if parts[0] == "namespaces", parts.count > 1 {
            namespace = parts[1]
            // `namespaces/<name>` and its own subresources speak of the namespace itself.
            if parts.count > 2, !["status", "finalize"].contains(parts[2]) || parts.count > 3 { parts.removeFirst(2) }
        }
        resource.resource = parts[0]
        name = parts.count > 1 ? parts[1] : nil
        subresource = parts.count > 2 ? parts[2] : nil
        remainder = Array(parts.dropFirst(3))
        verb = Self.verb(method: method, hasName: name != nil, query: query)
        if verb == "watch" || verb == "list", name == nil, let selected = query["fieldSelector"].flatMap(Self.selectedName) {
            // Kubernetes lets a rule on a name allow a list or watch of that name alone.
            name = selected
        }
    }

    /// The object's namespace and name; of a cluster-wide resource the name alone.
    package var key: ObjectKey? {
        guard let name else { return nil }
        return ObjectKey(namespace: resource.resource == "namespaces" && resource.group.isEmpty ? nil : namespace, name: name)
    }

    private static func verb(method: String, hasName: Bool, query: QueryParameters) -> String {
        switch method {
        case "GET", "HEAD":
            if query.flag("watch") { return "watch" }
            return hasName ? "get" : "list"
        case "POST": return "create"
        case "PUT": return "update"
        case "PATCH": return "patch"
        case "DELETE": return hasName ? "delete" : "deletecollection"
        default: return method.lowercased()
        }
    }

    private static func selectedName(_ selector: String) -> String? {
        let prefix = "metadata.name="
        guard selector.hasPrefix(prefix), !selector.contains(",") else { return nil }
        var name = selector.dropFirst(prefix.count)
        if name.hasPrefix("=") { name = name.dropFirst() }
        return name.isEmpty ? nil : String(name)
    }
}

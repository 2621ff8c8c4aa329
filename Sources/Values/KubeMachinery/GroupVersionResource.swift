/// An API group and version, `v1` or `apps/v1` in text.
package struct GroupVersion: Sendable, Hashable, CustomStringConvertible {
    /// Empty for the core group.
    package var group: String
    package var version: String

    package init(group: String, version: String) {
        self.group = group
        self.version = version
    }

    /// Reads an `apiVersion`.
    package init(_ apiVersion: String) {
        let parts = apiVersion.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        self.init(group: parts.count == 2 ? String(parts[0]) : "", version: String(parts.last ?? ""))
    }

    package var description: String { group.isEmpty ? version : "\(group)/\(version)" }
}

/// A kind in an API group and version.
package struct GroupVersionKind: Sendable, Hashable {
    package var groupVersion: GroupVersion
    package var kind: String

    package init(_ apiVersion: String, _ kind: String) {
        groupVersion = GroupVersion(apiVersion)
        self.kind = kind
    }
}

/// A resource (plural, lower case) whatever its version: what storage is keyed by.
package struct GroupResource: Sendable, Hashable, CustomStringConvertible {
    package var group: String
    package var resource: String

    package init(group: String, resource: String) {
        self.group = group
        self.resource = resource
    }

    /// `pods`, `deployments.apps`: as Kubernetes writes it in messages.
    package var description: String { group.isEmpty ? resource : "\(resource).\(group)" }
}

/// A resource (plural, lower case) in an API group and version.
package struct GroupVersionResource: Sendable, Hashable, CustomStringConvertible {
    package var group: String
    package var version: String
    package var resource: String

    package init(group: String = "", version: String = "v1", resource: String) {
        self.group = group
        self.version = version
        self.resource = resource
    }

    package var groupResource: GroupResource { GroupResource(group: group, resource: resource) }
    package var groupVersion: GroupVersion { GroupVersion(group: group, version: version) }
    package var description: String { "\(groupVersion)/\(resource)" }

    /// The path of the collection, `/api/v1/namespaces/<ns>/pods` or `/apis/<group>/<version>/<resource>`.
    package func path(namespace: String?) -> String {
        let root = group.isEmpty ? "/api/\(version)" : "/apis/\(group)/\(version)"
        return namespace.map { "\(root)/namespaces/\($0)/\(resource)" } ?? "\(root)/\(resource)"
    }
}

/// Namespace and name of an object; the namespace is nil for one of the whole cluster.
package struct ObjectKey: Sendable, Hashable, Comparable, CustomStringConvertible {
    package var namespace: String?
    package var name: String

    package init(namespace: String? = nil, name: String) {
        self.namespace = namespace
        self.name = name
    }

    package var description: String { namespace.map { "\($0)/\(name)" } ?? name }

    package static func < (left: ObjectKey, right: ObjectKey) -> Bool {
        (left.namespace ?? "", left.name) < (right.namespace ?? "", right.name)
    }
}

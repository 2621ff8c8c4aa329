package import KubeMachinery
package import Primitives

/// What clients ask first: which groups, versions and resources there are.
package struct Discovery: Sendable {
    private let catalogue: ResourceCatalogue

    package init(_ catalogue: ResourceCatalogue) { self.catalogue = catalogue }

    /// `GET /api`. `serverAddress` is `host:port` as clients reach it.
    package static func coreVersions(serverAddress: String) -> JSONValue {
        [
            "kind": "APIVersions", "versions": ["v1"],
            "serverAddressByClientCIDRs": [["clientCIDR": "0.0.0.0/0", "serverAddress": .string(serverAddress)]],
        ]
    }

    /// `GET /apis`.
    package var groupList: JSONValue {
        [
            "kind": "APIGroupList", "apiVersion": "v1",
            "groups": .array(groups.filter { !$0.name.isEmpty }.map { Self.group($0.name, $0.versions) }),
        ]
    }

    /// `GET /apis/<group>`; nil for an unknown group.
    package func group(_ name: String) -> JSONValue? {
        guard !name.isEmpty, let found = groups.first(where: { $0.name == name }) else { return nil }
        var json = Self.group(found.name, found.versions)
        json["kind"] = "APIGroup"
        json["apiVersion"] = "v1"
        return json
    }

    /// `GET /api/v1` and `GET /apis/<group>/<version>`; nil for an unknown version.
    package func resourceList(_ groupVersion: GroupVersion) -> JSONValue? {
        let definitions = catalogue.resources(groupVersion)
        guard !definitions.isEmpty else { return nil }
        return [
            "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": .string(groupVersion.description),
            "resources": .array(definitions.flatMap(Self.entries)),
        ]
    }

    /// Aggregated discovery (`APIGroupDiscoveryList`): of the core group for `/api`, of all others for `/apis`.
    ///
    /// `version` is the version of `apidiscovery.k8s.io` that the client accepts, `v2beta1` or `v2`.
    package func aggregated(core: Bool, version: String = "v2beta1") -> JSONValue {
        let items = groups.filter { $0.name.isEmpty == core }.map { group -> JSONValue in
            [
                "metadata": ["name": .string(group.name), "creationTimestamp": nil],
                "versions": .array(
                    group.versions.map { version in
                        let definitions = catalogue.resources(GroupVersion(group: group.name, version: version))
                        return ["version": .string(version), "resources": .array(definitions.map(Self.aggregatedEntry)), "freshness": "Current"]
                    }),
            ]
        }
        return ["kind": "APIGroupDiscoveryList", "apiVersion": .string("apidiscovery.k8s.io/\(version)"), "metadata": [:], "items": .array(items)]
    }

    /// Groups with their versions, the most stable and newest version first.
    package var groups: [(name: String, versions: [String])] {
        catalogue.groups.map { ($0.name, VersionPriority.sorted($0.versions)) }
    }

    private static func group(_ name: String, _ versions: [String]) -> JSONValue {
        func entry(_ version: String) -> JSONValue { ["groupVersion": .string("\(name)/\(version)"), "version": .string(version)] }
        return [
            "name": .string(name), "versions": .array(versions.map(entry)), "preferredVersion": versions.first.map(entry) ?? nil,
        ]
    }

    private static func entries(_ definition: ResourceDefinition) -> [JSONValue] {
        var entry: JSONValue = [
            "name": .string(definition.resource.resource), "singularName": .string(definition.singular),
            "namespaced": .bool(definition.isNamespaced), "kind": .string(definition.kind), "verbs": JSONValue(definition.verbs),
        ]
        if !definition.shortNames.isEmpty { entry["shortNames"] = JSONValue(definition.shortNames) }
        if !definition.categories.isEmpty { entry["categories"] = JSONValue(definition.categories) }
        let parts = definition.subresources.map { part -> JSONValue in
            var entry: JSONValue = [
                "name": .string("\(definition.resource.resource)/\(part.name)"), "singularName": "",
                "namespaced": .bool(definition.isNamespaced),
            ]
            if let kind = part.kind, kind.groupVersion != definition.resource.groupVersion {
                entry["group"] = .string(kind.groupVersion.group)
                entry["version"] = .string(kind.groupVersion.version)
            }
            entry["kind"] = .string(part.kind?.kind ?? definition.kind)
            entry["verbs"] = JSONValue(part.verbs)
            return entry
        }
        return [entry] + parts
    }

    private static func aggregatedEntry(_ definition: ResourceDefinition) -> JSONValue {
        func kind(_ kind: GroupVersionKind) -> JSONValue {
            [
                "group": .string(kind.groupVersion.group), "version": .string(kind.groupVersion.version), "kind": .string(kind.kind),
            ]
        }
        var entry: JSONValue = [
            "resource": .string(definition.resource.resource), "responseKind": kind(definition.groupVersionKind),
            "scope": definition.isNamespaced ? "Namespaced" : "Cluster", "singularResource": .string(definition.singular),
            "verbs": JSONValue(definition.verbs),
        ]
        if !definition.shortNames.isEmpty { entry["shortNames"] = JSONValue(definition.shortNames) }
        if !definition.categories.isEmpty { entry["categories"] = JSONValue(definition.categories) }
        if !definition.subresources.isEmpty {
            entry["subresources"] = .array(
                definition.subresources.map {
                    [
                        "subresource": .string($0.name), "responseKind": kind($0.kind ?? definition.groupVersionKind),
                        "verbs": JSONValue($0.verbs),
                    ]
                })
        }
        return entry
    }
}

/// The order of API versions: stable before beta before alpha, higher numbers first, anything else last by its text.
package enum VersionPriority {
    package static func sorted(_ versions: [String]) -> [String] {
        versions.sorted { left, right in
            switch (rank(left), rank(right)) {
            case (let one?, let other?): one == other ? left < right : other.lexicographicallyPrecedes(one)
            case (.some, nil): true
            case (nil, .some): false
            case (nil, nil): left < right
            }
        }
    }

    /// Stability, major number, minor number; nil for a version of another form.
    private static func rank(_ version: String) -> [Int]? {
        guard version.hasPrefix("v") else { return nil }
        let rest = version.dropFirst()
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        guard let major = Int(digits) else { return nil }
        let tail = rest.dropFirst(digits.count)
        if tail.isEmpty { return [3, major, 0] }
        for (word, stability) in [("beta", 2), ("alpha", 1)] where tail.hasPrefix(word) {
            return Int(tail.dropFirst(word.count)).map { [stability, major, $0] }
        }
        return nil
    }
}

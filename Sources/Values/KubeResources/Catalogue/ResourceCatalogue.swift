package import KubeMachinery

/// The resources that a server knows: the built-in ones, and what CustomResourceDefinitions add.
package struct ResourceCatalogue: Sendable {
    /// In the order of discovery: core group first, groups as they were added.
    package private(set) var definitions: [ResourceDefinition]
    private var byResource: [GroupVersionResource: Int] = [:]
    private var byKind: [GroupVersionKind: Int] = [:]

    package init(_ definitions: [ResourceDefinition]) {
        self.definitions = []
        for definition in definitions { add(definition) }
    }

    /// Every built-in kind.
    package static let builtIn = ResourceCatalogue(
        BuiltInResources.core + BuiltInResources.apps + BuiltInResources.cluster + BuiltInResources.access + BuiltInResources.reviews)

    /// The built-in kinds and the established versions of these CustomResourceDefinitions.
    package static func builtIn(with customResources: [ResourceDefinition]) -> ResourceCatalogue {
        var catalogue = builtIn
        for definition in customResources { catalogue.add(definition) }
        return catalogue
    }

    /// Adds a resource, or takes the place of the one with the same group, version and plural.
    package mutating func add(_ definition: ResourceDefinition) {
        if let index = byResource[definition.resource] {
            byKind[definitions[index].groupVersionKind] = nil
            definitions[index] = definition
            byKind[definition.groupVersionKind] = index
        } else {
            byResource[definition.resource] = definitions.count
            byKind[definition.groupVersionKind] = definitions.count
            definitions.append(definition)
        }
    }

    package subscript(_ resource: GroupVersionResource) -> ResourceDefinition? { byResource[resource].map { definitions[$0] } }
    package subscript(_ kind: GroupVersionKind) -> ResourceDefinition? { byKind[kind].map { definitions[$0] } }

    /// The groups in the order of discovery with their versions, the preferred one first.
    package var groups: [(name: String, versions: [String])] {
        var groups: [(name: String, versions: [String])] = []
        for definition in definitions {
            let (group, version) = (definition.resource.group, definition.resource.version)
            if let index = groups.firstIndex(where: { $0.name == group }) {
                if !groups[index].versions.contains(version) { groups[index].versions.append(version) }
            } else {
                groups.append((group, [version]))
            }
        }
        return groups
    }

    /// The resources of a group and version in the order of discovery.
    package func resources(_ groupVersion: GroupVersion) -> [ResourceDefinition] {
        definitions.filter { $0.resource.groupVersion == groupVersion }
    }
}

package import KubeMachinery

/// A resource that an API server serves: its names, its verbs, how it is shown and the rules its objects obey.
package struct ResourceDefinition: Sendable {
    package var resource: GroupVersionResource
    package var kind: String
    package var listKind: String
    package var singular: String
    package var shortNames: [String]
    package var categories: [String]
    package var isNamespaced: Bool
    package var verbs: [String]
    package var subresources: [Subresource]
    package var layout: TableLayout
    /// Texts that field selectors compare beside `metadata.name` and `metadata.namespace`, by path.
    package var fields: [String: @Sendable (KubeObject) -> String]
    package var rules: ResourceRules
    /// The schema of a custom resource; built-in kinds have theirs in the schema table under `kind`.
    package var structuralSchema: StructuralSchema?
    /// Where the objects keep their replicas, for the `scale` subresource.
    package var scale = ScaleView.builtIn

    package init(
        _ resource: GroupVersionResource, kind: String, singular: String? = nil, shortNames: [String] = [], categories: [String] = [],
        isNamespaced: Bool = true, verbs: [String] = ResourceDefinition.allVerbs, subresources: [Subresource] = [],
        layout: TableLayout = .plain, fields: [String: @Sendable (KubeObject) -> String] = [:], rules: ResourceRules = ResourceRules(),
        structuralSchema: StructuralSchema? = nil
    ) {
        self.resource = resource
        self.kind = kind
        listKind = kind + "List"
        self.singular = singular ?? kind.lowercased()
        self.shortNames = shortNames
        self.categories = categories
        self.isNamespaced = isNamespaced
        self.verbs = verbs
        self.subresources = subresources
        self.layout = layout
        self.fields = fields
        self.rules = rules
        self.structuralSchema = structuralSchema
    }

    package static let allVerbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]

    /// A part of an object with a path of its own.
    package struct Subresource: Sendable, Hashable {
        package var name: String
        package var verbs: [String]
        /// What is sent and answered where it is not the object's own kind.
        package var kind: GroupVersionKind?

        package init(_ name: String, verbs: [String] = ["get", "patch", "update"], kind: GroupVersionKind? = nil) {
            self.name = name
            self.verbs = verbs
            self.kind = kind
        }

        package static let status = Subresource("status")
        package static let scale = Subresource("scale", kind: GroupVersionKind("autoscaling/v1", "Scale"))
    }

    package var groupVersionKind: GroupVersionKind { GroupVersionKind(resource.groupVersion.description, kind) }
    package var apiVersion: String { resource.groupVersion.description }
    package var hasStatus: Bool { subresources.contains { $0.name == "status" } }

    package func subresource(_ name: String) -> Subresource? { subresources.first { $0.name == name } }

    /// The paths that field selectors of this resource may use.
    package var selectablePaths: Set<String> {
        Set(fields.keys).union(isNamespaced ? ["metadata.name", "metadata.namespace"] : ["metadata.name"])
    }

    /// Whether a field selector selects an object; asks only for paths that `check` has accepted.
    package func matches(_ selector: FieldSelector, _ object: KubeObject) -> Bool {
        selector.matches { path in
            switch path {
            case "metadata.name": object.name
            case "metadata.namespace": object.namespace
            default: fields[path]?(object)
            }
        }
    }

    /// Throws `BadRequest` where the selector names a path that cannot be selected by.
    package func check(_ selector: FieldSelector) throws(KubeStatus) {
        let paths = selectablePaths
        for term in selector.terms where !paths.contains(term.path) {
            throw .badRequest(
                "Unable to find \"\(resource.groupVersion), Resource=\(resource.resource)\" that match label selector \"\", field selector "
                    + "\"\(selector)\": field label not supported: \(term.path)")
        }
    }
}

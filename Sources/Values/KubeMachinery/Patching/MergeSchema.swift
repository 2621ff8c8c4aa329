/// How a strategic merge patch treats a list.
package enum MergeRule: Sendable, Hashable {
    /// The patch's list takes the place of the object's.
    case replace
    /// Elements with an equal member of this name are one; for elements that are no objects the key is empty.
    case merge(key: String)
}

/// What a strategic merge patch has to know of a type: which lists are merged, and by which key.
///
/// The schema of a list is that of its elements: `member` of it answers the fields of an element.
package protocol MergeSchema: Sendable {
    /// The schema of a field.
    func member(_ name: String) -> Self
    /// The rule of this field where it is a list, `replace` where nothing is known.
    var listRule: MergeRule { get }
}

/// A schema of a few paths, for those who write patches of one part of an object.
package struct MergePaths: MergeSchema {
    private let rules: [String: MergeRule]
    private let path: String

    /// `rules` by the path of field names, `status.conditions`.
    package init(_ rules: [String: MergeRule]) { self.init(rules: rules, path: "") }

    private init(rules: [String: MergeRule], path: String) {
        self.rules = rules
        self.path = path
    }

    package func member(_ name: String) -> MergePaths { MergePaths(rules: rules, path: path.isEmpty ? name : "\(path).\(name)") }
    package var listRule: MergeRule { rules[path] ?? .replace }

    /// The lists in the status of a pod that are merged.
    package static let podStatus = MergePaths([
        "status.conditions": .merge(key: "type"), "status.podIPs": .merge(key: "ip"), "status.hostIPs": .replace,
        "metadata.ownerReferences": .merge(key: "uid"),
    ])

    /// The lists in the status of a node that are merged.
    package static let nodeStatus = MergePaths([
        "status.conditions": .merge(key: "type"), "status.addresses": .merge(key: "type"), "metadata.ownerReferences": .merge(key: "uid"),
    ])
}

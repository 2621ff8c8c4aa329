import KubeMachinery

/// The resource of a kind, for kinds that only their records name (`spec/01 §6.6`).
enum KindResources {
    private static let irregular = [
        "Endpoints": "endpoints", "PodStatus": "podstatus", "NodeStatus": "nodestatus", "CustomResourceDefinition": "customresourcedefinitions",
    ]

    static func resource(of kind: GroupVersionKind) -> GroupVersionResource {
        let word = kind.kind.lowercased()
        let plural =
            irregular[kind.kind] ?? (word.hasSuffix("s") ? word + "es" : word.hasSuffix("y") ? word.dropLast() + "ies" : word + "s")
        return GroupVersionResource(group: kind.groupVersion.group, version: kind.groupVersion.version, resource: plural)
    }
}

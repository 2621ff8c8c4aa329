import KubeMachinery
import Primitives

/// Which objects a query selects: namespace, labels and fields (any path to a string).
struct FakeSelection {
    private let namespace: String?
    private let labels: LabelSelector
    private let fields: FieldSelector

    init(_ query: ListQuery) throws(KubeStatus) {
        namespace = query.namespace.flatMap { $0.isEmpty ? nil : $0 }
        labels = query.labelSelector.isEmpty ? .everything : try LabelSelector(parsing: query.labelSelector)
        fields = query.fieldSelector.isEmpty ? .everything : try FieldSelector(parsing: query.fieldSelector)
    }

    func holds(_ object: KubeObject) -> Bool {
        if let namespace, object.namespace != namespace { return false }
        return labels.matches(object)
            && fields.matches { path in path.split(separator: ".").reduce(object.json) { $0[String($1)] }.string ?? "" }
    }
}

/// Patches of all three kinds; strategic ones know the merged lists that the house's own patches touch.
enum FakePatch {
    private static let schema = MergePaths([
        "metadata.ownerReferences": .merge(key: "uid"), "metadata.finalizers": .merge(key: ""), "spec.containers": .merge(key: "name"),
        "spec.template.spec.containers": .merge(key: "name"), "status.conditions": .merge(key: "type"), "status.addresses": .merge(key: "type"),
        "status.podIPs": .merge(key: "ip"),
    ])

    static func apply(_ patch: JSONValue, _ kind: PatchKind, to object: KubeObject) throws(KubeStatus) -> KubeObject {
        switch kind {
        case .json: KubeObject(try JSONPatch(json: patch).apply(to: object.json))
        case .merge: KubeObject(MergePatch.apply(patch, to: object.json))
        case .strategic: KubeObject(try StrategicMergePatch.apply(patch, to: object.json, schema: schema))
        }
    }
}

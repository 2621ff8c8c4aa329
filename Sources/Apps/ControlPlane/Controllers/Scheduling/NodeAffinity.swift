import KubeMachinery
import Primitives

/// Whether a node is one that a pod asks for by `nodeSelector` and required node affinity, and how much it prefers it.
enum NodeAffinity {
    static func isMet(by node: KubeObject, _ pod: KubeObject) -> Bool {
        let labels = node.labels
        for (key, value) in pod.spec["nodeSelector"].stringMap where labels[key] != value { return false }
        let required = pod.spec.at("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
        guard required.object != nil else { return true }
        return required["nodeSelectorTerms"].elements.contains { matches($0, node) }
    }

    /// The sum of the weights of the preferred terms that the node meets.
    static func preference(of pod: KubeObject, for node: KubeObject) -> Int {
        pod.spec.at("affinity", "nodeAffinity", "preferredDuringSchedulingIgnoredDuringExecution").elements.reduce(0) { sum, term in
            guard matches(term["preference"], node), let weight = term["weight"].count, (1...100).contains(weight) else { return sum }
            return sum + weight
        }
    }

    /// A term without any requirement matches nothing.
    private static func matches(_ term: JSONValue, _ node: KubeObject) -> Bool {
        let expressions = requirements(term["matchExpressions"])
        let fields = requirements(term["matchFields"])
        guard let expressions, let fields, !expressions.isEmpty || !fields.isEmpty else { return false }
        return LabelSelector(expressions).matches(node.labels) && LabelSelector(fields).matches(["metadata.name": node.name])
    }

    /// nil where an operator is unknown.
    private static func requirements(_ list: JSONValue) -> [LabelSelector.Requirement]? {
        var result: [LabelSelector.Requirement] = []
        for element in list.elements {
            guard let name = element["operator"].string.flatMap(LabelSelector.Operator.init(rawValue:)) else { return nil }
            result.append(LabelSelector.Requirement(element["key"].string ?? "", name, element["values"].strings))
        }
        return result
    }
}

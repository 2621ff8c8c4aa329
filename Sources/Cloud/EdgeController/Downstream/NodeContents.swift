import KubeMachinery
import Primitives

/// Which pods are on which node, and what they use: kept from live state, so nothing stays behind (`spec/01` D-40).
struct NodeContents {
    /// A pod that is bound to a node.
    struct Pod: Hashable {
        var key: ObjectKey
        var uid: String
        var node: String
        var references: PodReferences
    }

    private var pods: [ObjectKey: Pod] = [:]
    private var podsByNode: [String: Set<ObjectKey>] = [:]
    private var configMapUsers: [ObjectKey: [String: Int]] = [:]
    private var secretUsers: [ObjectKey: [String: Int]] = [:]
    /// Nodes that carry the label of edge nodes.
    private(set) var edgeNodes: Set<String> = []

    /// The label that makes a node an edge node.
    static let edgeLabel = "node-role.kubernetes.io/edge"

    mutating func set(pod object: KubeObject) {
        guard let node = object.spec["nodeName"].string, !node.isEmpty else { return remove(pod: object.key) }
        let pod = Pod(key: object.key, uid: object.uid, node: node, references: PodReferences(pod: object))
        guard pods[pod.key] != pod else { return }
        remove(pod: pod.key)
        pods[pod.key] = pod
        podsByNode[node, default: []].insert(pod.key)
        count(pod, by: 1)
    }

    mutating func remove(pod key: ObjectKey) {
        guard let pod = pods.removeValue(forKey: key) else { return }
        podsByNode[pod.node]?.remove(key)
        if podsByNode[pod.node]?.isEmpty == true { podsByNode[pod.node] = nil }
        count(pod, by: -1)
    }

    /// Takes a node's labels; true where it has become an edge node or is none any more.
    mutating func set(node: KubeObject) -> Bool {
        node.labels[Self.edgeLabel] != nil ? edgeNodes.insert(node.name).inserted : remove(node: node.name)
    }

    mutating func remove(node: String) -> Bool { edgeNodes.remove(node) != nil }

    func pod(_ key: ObjectKey) -> Pod? { pods[key] }

    func pods(on node: String) -> [Pod] { (podsByNode[node] ?? []).sorted().compactMap { pods[$0] } }

    func nodes(usingConfigMap key: ObjectKey) -> [String] { configMapUsers[key]?.keys.sorted() ?? [] }

    func nodes(usingSecret key: ObjectKey) -> [String] { secretUsers[key]?.keys.sorted() ?? [] }

    func uses(configMap key: ObjectKey, node: String) -> Bool { configMapUsers[key]?[node] != nil }

    func uses(secret key: ObjectKey, node: String) -> Bool { secretUsers[key]?[node] != nil }

    func uses(claim key: ObjectKey, node: String) -> Bool {
        (podsByNode[node] ?? []).contains { $0.namespace == key.namespace && pods[$0]?.references.claims.contains(key.name) == true }
    }

    private mutating func count(_ pod: Pod, by step: Int) {
        func count(_ names: Set<String>, _ users: inout [ObjectKey: [String: Int]]) {
            for name in names {
                let key = ObjectKey(namespace: pod.key.namespace, name: name)
                let total = (users[key]?[pod.node] ?? 0) + step
                users[key, default: [:]][pod.node] = total > 0 ? total : nil
                if users[key]?.isEmpty == true { users[key] = nil }
            }
        }
        count(pod.references.configMaps, &configMapUsers)
        count(pod.references.secrets, &secretUsers)
    }
}

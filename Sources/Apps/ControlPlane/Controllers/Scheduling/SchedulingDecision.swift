import KubeMachinery
import Primitives

/// Where a pod goes, or why it goes nowhere.
enum SchedulingDecision: Hashable {
    case bind(node: String)
    /// In kube-scheduler's words.
    case unschedulable(message: String)

    /// Chooses among the nodes that fit: first what the pod prefers, then the node with the fewest pods of the same owner, then with
    /// the fewest pods at all, then by name.
    ///
    /// - Parameter podsByNode: the pods that are bound to each node, finished ones left out.
    init(_ pod: KubeObject, nodes: [KubeObject], podsByNode: [String: [KubeObject]]) {
        var reasons: [String: Int] = [:]
        var best: (node: String, score: Score)?
        for node in nodes {
            let others = podsByNode[node.name] ?? []
            let obstacles = NodeFit.obstacles(for: pod, on: node, others: others)
            guard obstacles.isEmpty else {
                for obstacle in obstacles { reasons[obstacle, default: 0] += 1 }
                continue
            }
            let score = Score(pod, node, others)
            if best.map({ score < $0.score }) ?? true { best = (node.name, score) }
        }
        if let best {
            self = .bind(node: best.node)
        } else if nodes.isEmpty {
            self = .unschedulable(message: "no nodes available to schedule pods")
        } else {
            let causes = reasons.map { "\($0.value) \($0.key)" }.sorted().joined(separator: ", ")
            self = .unschedulable(message: "0/\(nodes.count) nodes are available: \(causes).")
        }
    }

    /// Less is better.
    private struct Score: Comparable {
        let preference: Int
        let softTaints: Int
        let siblings: Int
        let pods: Int
        let name: String

        init(_ pod: KubeObject, _ node: KubeObject, _ others: [KubeObject]) {
            preference = -NodeAffinity.preference(of: pod, for: node)
            softTaints = node.taints.count { $0.effect == .preferNoSchedule && !$0.isTolerated(by: pod) }
            let owner = pod.controller?["uid"].string
            siblings = owner == nil ? 0 : others.count { $0.controller?["uid"].string == owner }
            pods = others.count
            name = node.name
        }

        static func < (left: Score, right: Score) -> Bool {
            (left.preference, left.softTaints, left.siblings, left.pods, left.name)
                < (right.preference, right.softTaints, right.siblings, right.pods, right.name)
        }
    }
}

/// Whether a pod can run on a node.
enum NodeFit {
    /// The reasons of the first check that fails, in kube-scheduler's words; none where the pod fits.
    static func obstacles(for pod: KubeObject, on node: KubeObject, others: [KubeObject]) -> [String] {
        let unschedulable = Taint(key: Taint.unschedulable, effect: .noSchedule)
        if node.spec["unschedulable"].bool == true, !unschedulable.isTolerated(by: pod) { return ["node(s) were unschedulable"] }
        let hard = effectiveTaints(node).first { $0.effect != .preferNoSchedule && !$0.isTolerated(by: pod) }
        if let hard { return ["node(s) had untolerated taint {\(hard.key): \(hard.value)}"] }
        guard NodeAffinity.isMet(by: node, pod) else { return ["node(s) didn't match Pod's node affinity/selector"] }
        let taken = others.flatMap(PodRequests.hostPorts)
        if PodRequests.hostPorts(pod).contains(where: { port in taken.contains { $0.collides(with: port) } }) {
            return ["node(s) didn't have free ports for the requested pod ports"]
        }
        return shortages(for: pod, on: node, others: others)
    }

    /// The node's taints, and those its condition is about to bring.
    static func effectiveTaints(_ node: KubeObject) -> [Taint] {
        let taints = node.taints
        let key: String
        switch node.condition("Ready")["status"].string {
        case "True": return taints
        case "Unknown": key = Taint.unreachable
        default: key = Taint.notReady
        }
        return taints.contains { $0.key == key } ? taints : taints + [Taint(key: key, effect: .noSchedule)]
    }

    private static func shortages(for pod: KubeObject, on node: KubeObject, others: [KubeObject]) -> [String] {
        let allocatable = PodRequests.quantities(node.status["allocatable"])
        var reasons: [String] = []
        if let places = allocatable["pods"], others.count >= places.value { reasons.append("Too many pods") }
        let used = others.map { PodRequests($0).amounts }
        for (name, wanted) in PodRequests(pod).amounts.sorted(by: { $0.key < $1.key }) where !wanted.isZero {
            let taken = used.reduce(Quantity.zero) { $0 + ($1[name] ?? .zero) }
            if taken + wanted > allocatable[name] ?? .zero { reasons.append("Insufficient \(name)") }
        }
        return reasons
    }
}

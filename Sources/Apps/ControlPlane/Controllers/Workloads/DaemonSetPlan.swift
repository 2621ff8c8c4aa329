import KubeMachinery
import Primitives

/// Where a DaemonSet's pods are missing, too many or outdated.
struct DaemonSetPlan {
    /// Nodes that get a pod.
    private(set) var create: [String] = []
    private(set) var delete: [KubeObject] = []
    private(set) var status: JSONValue
    private(set) var lookAgain: Duration?
    /// The hash of the present template, which its pods carry.
    let hash: String

    /// `pods` are all that the set owns.
    init(_ set: KubeObject, nodes: [KubeObject], pods: [KubeObject], now: Timestamp) {
        let hash = PodTemplate.hash(set.spec["template"])
        self.hash = hash
        status = [:]
        let minReady = set.spec["minReadySeconds"].count ?? 0
        let byNode = Dictionary(grouping: pods) { Self.node(of: $0) }
        var counts = Counts()
        var outdated: [KubeObject] = []
        var readiness: [Timestamp] = []
        for node in nodes {
            let (runs, stays) = Self.placement(of: set, on: node)
            let own = byNode[node.name] ?? []
            let alive = own.filter { !$0.isFinished && !$0.isTerminating }.sorted { Self.isElder($0, $1) }
            delete += own.filter { $0.isFinished && !$0.isTerminating }
            if runs {
                counts.desired += 1
                if own.isEmpty { create.append(node.name) }
                delete += alive.dropFirst()
            } else if !stays {
                delete += alive
            }
            guard let pod = alive.first else { continue }
            if runs { counts.current += 1 } else { counts.misscheduled += 1 }
            guard runs else { continue }
            let isUpdated = pod.labels[PodTemplate.controllerRevisionHash] == hash
            if isUpdated { counts.updated += 1 } else { outdated.append(pod) }
            if let since = pod.availableSince(minReadySeconds: minReady) {
                counts.ready += 1
                readiness.append(since)
                if since <= now { counts.available += 1 }
            }
        }
        let known = Set(nodes.map(\.name))
        delete += pods.filter { !$0.isTerminating && !known.contains(Self.node(of: $0)) }
        lookAgain = readiness.filter { $0 > now }.min().map { $0 - now + .milliseconds(50) }
        if set.isTerminating {
            create = []
            delete = []
        } else {
            delete += Self.replaceable(outdated, of: set, desired: counts.desired, available: counts.available, minReady: minReady, now: now)
        }
        status = counts.status(of: set)
    }

    private struct Counts {
        var desired = 0, current = 0, misscheduled = 0, ready = 0, available = 0, updated = 0

        func status(of set: KubeObject) -> JSONValue {
            var status: JSONValue = [
                "currentNumberScheduled": .integer(Int64(current)), "numberMisscheduled": .integer(Int64(misscheduled)),
                "desiredNumberScheduled": .integer(Int64(desired)), "numberReady": .integer(Int64(ready)),
                "observedGeneration": .integer(set.generation),
            ]
            let optional = [("updatedNumberScheduled", updated), ("numberAvailable", available), ("numberUnavailable", desired - available)]
            for (member, value) in optional where value > 0 { status[member] = .integer(Int64(value)) }
            return status
        }
    }

    /// Outdated pods that may go now: those that are not available, and as many others as the strategy lets be missing.
    private static func replaceable(
        _ outdated: [KubeObject], of set: KubeObject, desired: Int, available: Int, minReady: Int, now: Timestamp
    ) -> [KubeObject] {
        guard set.spec.at("updateStrategy", "type").string != "OnDelete" else { return [] }
        let limit = max(1, set.spec.at("updateStrategy", "rollingUpdate", "maxUnavailable").scaled(of: desired, roundingUp: true) ?? 1)
        let (working, broken) = outdated.reduce(into: ([KubeObject](), [KubeObject]())) { parts, pod in
            let works = pod.availableSince(minReadySeconds: minReady).map { $0 <= now } ?? false
            if works { parts.0.append(pod) } else { parts.1.append(pod) }
        }
        return broken + working.prefix(max(0, limit - (desired - available)))
    }

    /// The node a pod is on, or is made for.
    static func node(of pod: KubeObject) -> String {
        guard pod.nodeName.isEmpty else { return pod.nodeName }
        let terms = pod.spec.at("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")["nodeSelectorTerms"].elements
        let field = terms.first?["matchFields"].elements.first { $0["key"].string == "metadata.name" }
        return field?["values"][0].string ?? ""
    }

    /// Whether a pod should be made on the node, and whether one that is there may stay.
    static func placement(of set: KubeObject, on node: KubeObject) -> (runs: Bool, stays: Bool) {
        let pod = pod(of: set, on: node.name, hash: "")
        guard NodeAffinity.isMet(by: node, pod) else { return (false, false) }
        let wanted = set.spec.at("template", "spec", "nodeName").string ?? ""
        guard wanted.isEmpty || wanted == node.name else { return (false, false) }
        let untolerated = node.taints.filter { !$0.isTolerated(by: pod) }
        return (untolerated.allSatisfy { $0.effect == .preferNoSchedule }, untolerated.allSatisfy { $0.effect != .noExecute })
    }

    private static func isElder(_ one: KubeObject, _ other: KubeObject) -> Bool {
        (one.nodeName.isEmpty ? 1 : 0, one.creationTimestamp ?? Timestamp(seconds: 0), one.name)
            < (other.nodeName.isEmpty ? 1 : 0, other.creationTimestamp ?? Timestamp(seconds: 0), other.name)
    }
}

extension DaemonSetPlan {
    /// A pod for one node: bound to it by affinity, and tolerating what would drive other pods away from a node in trouble.
    static func pod(of set: KubeObject, on node: String, hash: String) -> KubeObject {
        var pod = PodTemplate.pod(set.spec["template"], ownedBy: set)
        if !hash.isEmpty { pod.metadata["labels"][PodTemplate.controllerRevisionHash] = .string(hash) }
        let field: JSONValue = ["key": "metadata.name", "operator": "In", "values": [.string(node)]]
        let path = "requiredDuringSchedulingIgnoredDuringExecution"
        let terms = pod.spec["affinity"]["nodeAffinity"][path]["nodeSelectorTerms"].elements
        // Every term of the template keeps its expressions; each is narrowed to this node.
        let narrowed = (terms.isEmpty ? [JSONValue.object([:])] : terms).map { term -> JSONValue in
            var term = term
            term["matchFields"] = [field]
            return term
        }
        pod.spec["affinity"]["nodeAffinity"][path]["nodeSelectorTerms"] = .array(narrowed)
        var tolerations = pod.spec["tolerations"].elements
        var wanted: [(String, Taint.Effect)] = [
            (Taint.notReady, .noExecute), (Taint.unreachable, .noExecute), ("node.kubernetes.io/disk-pressure", .noSchedule),
            ("node.kubernetes.io/memory-pressure", .noSchedule), ("node.kubernetes.io/pid-pressure", .noSchedule), (Taint.unschedulable, .noSchedule),
        ]
        if pod.spec["hostNetwork"].bool == true { wanted.append(("node.kubernetes.io/network-unavailable", .noSchedule)) }
        for (key, effect) in wanted {
            let toleration: JSONValue = ["key": .string(key), "operator": "Exists", "effect": .string(effect.rawValue)]
            if !tolerations.contains(toleration) { tolerations.append(toleration) }
        }
        pod.spec["tolerations"] = .array(tolerations)
        return pod
    }
}

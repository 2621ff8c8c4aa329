import KubeMachinery
import Primitives

/// What a ReplicaSet lacks or has too much of.
struct ReplicaSetPlan {
    /// Pods made at once at most; the rest follows with the next look.
    static let burst = 500

    private(set) var create = 0
    private(set) var delete: [KubeObject] = []
    /// The status to write; its conditions are those the object has.
    private(set) var status: JSONValue
    /// When a pod that is ready becomes available.
    private(set) var lookAgain: Duration?

    /// `pods` are all that the set owns, finished and terminating ones included.
    init(_ set: KubeObject, pods: [KubeObject], now: Timestamp) {
        let active = pods.filter(\.isActive)
        if !set.isTerminating {
            let missing = set.replicas - active.count
            if missing > 0 { create = min(missing, Self.burst) }
            if missing < 0 { delete = Array(Self.worstFirst(active).prefix(min(-missing, Self.burst))) }
        }
        let templateLabels = set.spec.at("template", "metadata", "labels").stringMap
        let minReady = set.spec["minReadySeconds"].count ?? 0
        let readiness = active.compactMap { $0.availableSince(minReadySeconds: minReady) }
        let available = readiness.count { $0 <= now }
        lookAgain = readiness.filter { $0 > now }.min().map { $0 - now + .milliseconds(50) }
        var status: JSONValue = ["replicas": .integer(Int64(active.count))]
        let labelled = active.count { pod in templateLabels.allSatisfy { pod.labels[$0.key] == $0.value } }
        for (member, value) in [("fullyLabeledReplicas", labelled), ("readyReplicas", readiness.count), ("availableReplicas", available)]
        where value > 0 {
            status[member] = .integer(Int64(value))
        }
        status["observedGeneration"] = .integer(set.generation)
        if let conditions = set.status.member("conditions") { status["conditions"] = conditions }
        self.status = status
    }

    /// The pods in the order in which they go: without a node, not running, not ready, cheap, crowded, young.
    static func worstFirst(_ pods: [KubeObject]) -> [KubeObject] {
        let perNode = Dictionary(grouping: pods, by: \.nodeName).mapValues(\.count)
        let phases = ["Pending": 0, "Unknown": 1]
        struct Rank: Comparable {
            let keys: [Int]
            let readySince: Int64
            let created: Int64
            let name: String

            static func < (left: Rank, right: Rank) -> Bool {
                for (one, other) in zip(left.keys, right.keys) where one != other { return one < other }
                if left.readySince != right.readySince { return left.readySince > right.readySince }
                if left.created != right.created { return left.created > right.created }
                return left.name < right.name
            }
        }
        func rank(_ pod: KubeObject) -> Rank {
            let restarts = pod.status["containerStatuses"].elements.compactMap(\.["restartCount"].count).max() ?? 0
            let cost = pod.annotations["controller.kubernetes.io/pod-deletion-cost"].flatMap { Int32($0) } ?? 0
            return Rank(
                keys: [
                    pod.nodeName.isEmpty ? 0 : 1, phases[pod.phase] ?? 2, pod.isTrue("Ready") ? 1 : 0, Int(cost),
                    pod.nodeName.isEmpty ? 0 : -(perNode[pod.nodeName] ?? 0), -restarts,
                ],
                readySince: pod.availableSince(minReadySeconds: 0)?.seconds ?? 0, created: pod.creationTimestamp?.seconds ?? 0, name: pod.name)
        }
        return pods.map { (rank($0), $0) }.sorted { $0.0 < $1.0 }.map(\.1)
    }
}

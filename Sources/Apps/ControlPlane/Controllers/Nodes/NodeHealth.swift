import KubeMachinery
import Primitives

/// Which nodes still report, seen by when their lease or Ready condition last moved: a node's own clock does not count.
struct NodeHealth {
    /// How long a node may be silent.
    static let grace = Duration.seconds(40)
    /// How long a node that never reported may take to do so.
    static let startupGrace = Duration.seconds(60)

    enum Verdict: Hashable {
        case reporting
        case silent
        /// It never reported at all.
        case neverReported
    }

    private struct Sighting {
        var mark: String
        var seen: Duration
    }

    private var sightings: [String: Sighting] = [:]

    /// What to think of a node now. A node that is seen for the first time has its whole time before it.
    mutating func look(at node: KubeObject, lease: KubeObject?, now: Duration) -> Verdict {
        let heartbeat = node.condition("Ready")["lastHeartbeatTime"].string ?? ""
        let mark = "\(lease?.spec["renewTime"].string ?? "")/\(heartbeat)"
        guard let known = sightings[node.uid], known.mark == mark else {
            sightings[node.uid] = Sighting(mark: mark, seen: now)
            return .reporting
        }
        let silence = now - known.seen
        if mark == "/" { return silence >= Self.startupGrace ? .neverReported : .reporting }
        return silence >= Self.grace ? .silent : .reporting
    }

    /// Forgets all nodes but these.
    mutating func keep(_ nodes: [KubeObject]) {
        let uids = Set(nodes.map(\.uid))
        sightings = sightings.filter { uids.contains($0.key) }
    }
}

/// What a node's object should say.
struct NodePlan {
    /// The status to write; nil where it stands already.
    private(set) var status: JSONValue?
    /// The taints to write; nil where they stand already.
    private(set) var taints: [Taint]?

    private static let conditions = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"]
    private static let pressures = [
        "MemoryPressure": "node.kubernetes.io/memory-pressure", "DiskPressure": "node.kubernetes.io/disk-pressure",
        "PIDPressure": "node.kubernetes.io/pid-pressure", "NetworkUnavailable": "node.kubernetes.io/network-unavailable",
    ]

    init(_ node: KubeObject, _ verdict: NodeHealth.Verdict, now: Timestamp) {
        var node = node
        if verdict != .reporting {
            let (reason, message) =
                verdict == .silent
                ? ("NodeStatusUnknown", "Kubelet stopped posting node status.") : ("NodeStatusNeverUpdated", "Kubelet never posted node status.")
            var list = node.status["conditions"]
            for type in Self.conditions where node.condition(type)["status"].string != "Unknown" {
                let heartbeat = node.condition(type).member("lastHeartbeatTime")
                list = setting(type, "Unknown", reason: reason, message: message, in: list, at: now)
                if let heartbeat { list = Self.with(heartbeat, of: type, in: list) }
            }
            if list != node.status["conditions"] {
                node.status["conditions"] = list
                status = node.status
            }
        }
        let wanted = Self.wanted(node)
        let managed = Set(Self.pressures.values).union([Taint.notReady, Taint.unreachable, Taint.unschedulable])
        let before = node.taints
        var after = before.filter { taint in !managed.contains(taint.key) || wanted.contains { $0.matches(taint) } }
        for taint in wanted where !after.contains(where: { $0.matches(taint) }) {
            var taint = taint
            if taint.effect == .noExecute { taint.timeAdded = now }
            after.append(taint)
        }
        if after != before { taints = after }
    }

    private static func wanted(_ node: KubeObject) -> [Taint] {
        var wanted: [Taint] = []
        switch node.condition("Ready")["status"].string {
        case "True": break
        case "Unknown": wanted = [Taint(key: Taint.unreachable, effect: .noSchedule), Taint(key: Taint.unreachable, effect: .noExecute)]
        default: wanted = [Taint(key: Taint.notReady, effect: .noSchedule), Taint(key: Taint.notReady, effect: .noExecute)]
        }
        for (condition, key) in pressures.sorted(by: { $0.key < $1.key }) where node.isTrue(condition) {
            wanted.append(Taint(key: key, effect: .noSchedule))
        }
        if node.spec["unschedulable"].bool == true { wanted.append(Taint(key: Taint.unschedulable, effect: .noSchedule)) }
        return wanted
    }

    private static func with(_ heartbeat: JSONValue, of type: String, in conditions: JSONValue) -> JSONValue {
        .array(
            conditions.elements.map { condition in
                guard condition["type"].string == type else { return condition }
                var condition = condition
                condition["lastHeartbeatTime"] = heartbeat
                return condition
            })
    }
}

/// When a pod has to leave a node because of its `NoExecute` taints.
enum TaintEviction: Hashable {
    case never
    case at(Timestamp)

    /// - Parameter keepsUnreachable: whether a node that is only out of reach keeps its pods, as edge nodes do: what runs there works on.
    init(of pod: KubeObject, on node: KubeObject, keepsUnreachable: Bool) {
        var deadline: Timestamp?
        for taint in node.taints where taint.effect == .noExecute {
            if keepsUnreachable, [Taint.unreachable, Taint.notReady].contains(taint.key) { continue }
            let tolerations = taint.tolerations(of: pod)
            let added = taint.timeAdded ?? Timestamp(seconds: 0)
            guard !tolerations.isEmpty else {
                deadline = min(deadline ?? added, added)
                continue
            }
            let seconds = tolerations.compactMap { $0["tolerationSeconds"].int.flatMap { Int32(exactly: $0) } }.min()
            guard let seconds else { continue }
            let end = added + .seconds(Int64(max(seconds, 0)))
            deadline = min(deadline ?? end, end)
        }
        self = deadline.map(TaintEviction.at) ?? .never
    }
}

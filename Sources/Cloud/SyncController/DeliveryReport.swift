import KubeMachinery
import Primitives

/// Which nodes have what the cluster has for them: said by the condition `ObjectsDelivered` of their Node objects.
///
/// Only a change that lasts is said, so that deliveries that go well write nothing.
struct DeliveryReport {
    static let condition = "ObjectsDelivered"
    /// How long an object has to wait before the condition says so.
    static let patience: Duration = .seconds(30)
    /// Nodes whose condition is written at one comparison.
    static let batch = 10

    private struct Waiting {
        var name: String
        var since: Moment
    }

    private var waiting: [String: [ObjectKey: Waiting]] = [:]
    /// What the condition of a node says, as far as is known.
    private var told: [String: Bool] = [:]
    /// Nodes that some cloudcore has a line to, as the cluster knows.
    private var ready: Set<String> = []
    private var touched: Set<String> = []

    /// What the cluster's Node says already, by whichever cloudcore.
    mutating func learn(_ node: KubeObject) {
        let conditions = node.status["conditions"].elements
        func status(_ type: String) -> String? { conditions.first { $0["type"].string == type }?["status"].string }
        if let status = status(Self.condition) { told[node.name] = status == "True" }
        if status("Ready") == "True" { ready.insert(node.name) } else { ready.remove(node.name) }
    }

    mutating func forget(node: String) {
        waiting[node] = nil
        told[node] = nil
        touched.remove(node)
        ready.remove(node)
    }

    /// A node lacks an object, or still has one that is gone.
    mutating func waits(_ record: RecordedObject, now: Moment) {
        touched.insert(record.node)
        guard waiting[record.node]?[record.record] == nil else { return }
        waiting[record.node, default: [:]][record.record] = Waiting(name: "\(record.kind.kind.lowercased())/\(record.key)", since: now)
    }

    /// A node has an object as it is, or the record is gone.
    mutating func settled(_ record: ObjectKey, node: String) {
        touched.insert(node)
        waiting[node]?[record] = nil
        if waiting[node]?.isEmpty == true { waiting[node] = nil }
    }

    /// The conditions to write now, for as many nodes as one comparison may. Of a node with a line to another cloudcore that one says it.
    mutating func due(connected: Set<String>, now: Moment) -> [(node: String, condition: JSONValue)] {
        var due: [(node: String, condition: JSONValue)] = []
        for node in touched.sorted() where due.count < Self.batch {
            let late = (waiting[node] ?? [:]).values.filter { now.uptime - $0.since.uptime >= Self.patience }
            let isDelivered = late.isEmpty
            // What waits may become late: such a node is looked at again.
            if waiting[node] == nil { touched.remove(node) }
            guard connected.contains(node) || !ready.contains(node) else { continue }
            guard told[node] != isDelivered, isDelivered == (waiting[node] == nil) else { continue }
            told[node] = isDelivered
            due.append((node, Self.condition(late, total: waiting[node]?.count ?? 0, isConnected: connected.contains(node), now: now)))
        }
        return due
    }

    /// A condition could not be written: it is tried again.
    mutating func failed(_ node: String) {
        told[node] = nil
        touched.insert(node)
    }

    private static func condition(_ late: [Waiting], total: Int, isConnected: Bool, now: Moment) -> JSONValue {
        let time = JSONValue.string(now.wall.rfc3339)
        var condition: JSONValue = ["type": .string(Self.condition), "lastHeartbeatTime": time, "lastTransitionTime": time]
        guard let oldest = late.min(by: { $0.since.uptime < $1.since.uptime }) else {
            condition["status"] = "True"
            condition["reason"] = "UpToDate"
            condition["message"] = "the node has acknowledged every object as it is in the cluster"
            return condition
        }
        condition["status"] = "False"
        condition["reason"] = isConnected ? "NotAcknowledged" : "NotConnected"
        let cause = isConnected ? "the node does not acknowledge them" : "the node is not connected"
        condition["message"] = .string("\(total) objects wait for the node, \(oldest.name) since \(oldest.since.wall.rfc3339): \(cause)")
        return condition
    }
}

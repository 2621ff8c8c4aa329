package import KubeMachinery
import KubeResources
package import Primitives

/// Keeps the cluster's picture of the node true: registration, status patches and when to send them (`spec/05 §5`).
package struct NodeReporter: Sendable {
    /// What the configuration adds to the node object.
    package struct Registration: Sendable, Hashable {
        package var labels: [String: String] = [:]
        package var taints: [JSONValue] = []
        package var isSchedulable = true
        package var managesAttachment = true
        package var keepsTerminatedPodVolumes = false

        package init() {}
    }

    /// How often the status is worked out.
    package static let computeInterval = Duration.seconds(10)
    /// How often an unchanged one is sent.
    package static let reportInterval = Duration.seconds(300)
    /// How long after a late renewal the cluster may still act on the gap before it.
    private static let judgementTime = Duration.seconds(15)
    private static let attachment = "volumes.kubernetes.io/controller-managed-attach-detach"

    package let registration: Registration
    /// The node as the cluster is known to have it; nil before it is registered.
    package private(set) var node: KubeObject?
    private var reportedAt: Duration?
    private var reportedBootID: String?
    private var leasedAt: Duration?
    private var isDoubtedUntil: Duration?

    package init(registration: Registration = Registration()) { self.registration = registration }

    /// The node as it is created: with its first status.
    package func newNode(_ facts: MachineFacts, now: Moment) -> KubeObject {
        var metadata: JSONValue = ["name": .string(facts.nodeName), "creationTimestamp": .null, "labels": JSONValue(labels(facts))]
        if !annotations.isEmpty { metadata["annotations"] = JSONValue(annotations) }
        var spec: JSONValue = [:]
        var taints = registration.taints
        if !registration.isSchedulable {
            taints.append(["key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"])
            spec["unschedulable"] = true
        }
        if !taints.isEmpty { spec["taints"] = .array(taints) }
        return KubeObject(["metadata": metadata, "spec": spec, "status": NodeStatus.make(facts, now: now.wall)])
    }

    /// What a node that existed already lacks of this registration, as a patch; nil where nothing is missing.
    package func reconciliation(_ existing: KubeObject, _ facts: MachineFacts) -> JSONValue? {
        var patch: JSONValue = [:]
        for (name, wanted) in [("labels", labels(facts)), ("annotations", annotations)] {
            for (key, value) in wanted.sorted(by: { $0.key < $1.key }) where existing.metadata[name][key].string != value {
                patch["metadata"][name][key] = .string(value)
            }
        }
        guard !patch.members.isEmpty else { return nil }
        return patch
    }

    /// The cluster answered with the node as it is now.
    package mutating func received(_ node: KubeObject) { self.node = node }

    /// The lease was renewed. After a gap the cluster may have judged the node by itself, and may still do so for a while.
    ///
    /// `duration` is that of the lease: a cluster waits about as long before it calls a node unreachable (`spec/05 §5.4`).
    package mutating func leased(duration: Duration, now: Moment) {
        if let leasedAt, now.uptime - leasedAt > duration * 0.5 { isDoubtedUntil = now.uptime + Self.judgementTime }
        leasedAt = now.uptime
    }

    /// Whether the cluster's node has to be read: it may not be as it was last seen.
    package func isDoubted(now: Moment) -> Bool { isDoubtedUntil.map { now.uptime < $0 } ?? false }

    /// The cluster does not have the node (any more): it has to be registered again.
    package mutating func lost() {
        node = nil
        reportedAt = nil
    }

    /// The patch to send now: when anything but heartbeats changed, when five minutes have passed, or after a reboot.
    package mutating func statusPatch(_ facts: MachineFacts, now: Moment) -> JSONValue? {
        guard let node else { return nil }
        let next = NodeStatus.make(facts, after: node.status, now: now.wall)
        let isDue = reportedAt.map { now.uptime - $0 >= Self.reportInterval } ?? true
        let hasRebooted = reportedBootID.map { $0 != facts.bootID } ?? false
        guard isDue || hasRebooted || Self.withoutHeartbeats(next) != Self.withoutHeartbeats(node.status) else { return nil }
        guard let patch = StatusPatch.node(from: node.status, to: next) else { return nil }
        reportedAt = now.uptime
        reportedBootID = facts.bootID
        return ["status": patch]
    }

    /// The last patch did not get through: the next round sends again.
    package mutating func patchFailed() { reportedAt = nil }

    private static func withoutHeartbeats(_ status: JSONValue) -> JSONValue {
        var status = status
        status["conditions"] = .array(
            status["conditions"].elements.map { condition in
                var condition = condition
                condition.removeMember("lastHeartbeatTime")
                return condition
            })
        return status
    }

    private func labels(_ facts: MachineFacts) -> [String: String] {
        let own = [
            "kubernetes.io/hostname": facts.nodeName, "kubernetes.io/os": "linux", "kubernetes.io/arch": facts.architecture,
            "beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": facts.architecture, "node-role.kubernetes.io/edge": "",
            "node-role.kubernetes.io/agent": "",
        ]
        return own.merging(registration.labels) { _, configured in configured }
    }

    private var annotations: [String: String] {
        var annotations: [String: String] = [:]
        if registration.managesAttachment { annotations[Self.attachment] = "true" }
        if registration.keepsTerminatedPodVolumes { annotations["volumes.kubernetes.io/keep-terminated-pod-volumes"] = "true" }
        return annotations
    }
}

/// The lease that shows that the node lives (`spec/05 §5.4`).
package enum NodeLease {
    package static let namespace = "kube-node-lease"
    /// How often it is renewed, before a jitter of 4 %.
    package static let interval = Duration.seconds(10)

    /// A lease to create; nil while the node's UID is unknown, for the cluster refuses an owner without one.
    package static func new(node: String, nodeUID: String, durationSeconds: Int64 = 40, now: Timestamp) -> KubeObject? {
        guard !nodeUID.isEmpty else { return nil }
        return KubeObject([
            "metadata": [
                "name": .string(node), "namespace": .string(namespace), "creationTimestamp": .null, "ownerReferences": [owner(node, nodeUID)],
            ],
            "spec": [
                "holderIdentity": .string(node), "leaseDurationSeconds": .integer(durationSeconds), "renewTime": .string(now.rfc3339Micro),
            ],
        ])
    }

    /// The last received lease with a later time, and with the node of today as its owner.
    package static func renewed(_ lease: KubeObject, node: String, nodeUID: String, durationSeconds: Int64 = 40, now: Timestamp) -> KubeObject {
        var lease = lease
        lease.spec["holderIdentity"] = .string(node)
        lease.spec["leaseDurationSeconds"] = .integer(durationSeconds)
        lease.spec["renewTime"] = LeaseRenewal.time(after: lease.spec["renewTime"], now: now)
        if !nodeUID.isEmpty, lease.metadata["ownerReferences"].elements.first?["uid"].string != nodeUID {
            lease.metadata["ownerReferences"] = [owner(node, nodeUID)]
        }
        return lease
    }

    private static func owner(_ node: String, _ uid: String) -> JSONValue {
        ["apiVersion": "v1", "kind": "Node", "name": .string(node), "uid": .string(uid)]
    }
}

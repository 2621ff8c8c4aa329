package import KubeMachinery
import Primitives

/// What users are told of the node: its start, its conditions as they change, and reboots.
package struct NodeEvents: Sendable {
    private let node: String
    private var told: [String: Bool] = [:]
    private var isSchedulable = true
    private var toldBootID: String?

    package init(node: String) { self.node = node }

    package static let starting = KubeletNotice(.normal, "Starting", "Starting kubelet.")

    /// What is news about a registered node. `cluster` is the node as the cluster has it, before it hears of `facts`.
    ///
    /// Pressures are told at every start, readiness only where it changes; `isNew` says that the node has just been created.
    package mutating func observe(_ facts: MachineFacts, cluster: KubeObject, isNew: Bool) -> [KubeletNotice] {
        var notices: [KubeletNotice] = []
        let known = cluster.status["nodeInfo"]["bootID"].string ?? ""
        if !known.isEmpty, known != facts.bootID, toldBootID != facts.bootID {
            toldBootID = facts.bootID
            notices.append(KubeletNotice(.warning, "Rebooted", "Node \(node) has been rebooted, boot id: \(facts.bootID)"))
        }
        let pressures = [
            ("MemoryPressure", facts.hasMemoryPressure, "NodeHasInsufficientMemory", "NodeHasSufficientMemory"),
            ("DiskPressure", facts.hasDiskPressure, "NodeHasDiskPressure", "NodeHasNoDiskPressure"),
            ("PIDPressure", facts.hasPIDPressure, "NodeHasInsufficientPID", "NodeHasSufficientPID"),
        ]
        for (type, isPressed, bad, good) in pressures where told.updateValue(isPressed, forKey: type) != isPressed {
            notices.append(status(isPressed ? bad : good))
        }
        let isReady = facts.problems.isEmpty
        let former = told.updateValue(isReady, forKey: "Ready") ?? (isNew ? nil : Self.isReady(cluster))
        if former != isReady { notices.append(status(isReady ? "NodeReady" : "NodeNotReady")) }
        let mayBeUsed = cluster.spec["unschedulable"].bool != true
        if mayBeUsed != isSchedulable {
            isSchedulable = mayBeUsed
            notices.append(status(mayBeUsed ? "NodeSchedulable" : "NodeNotSchedulable"))
        }
        return notices
    }

    private func status(_ reason: String) -> KubeletNotice { KubeletNotice(.normal, reason, "Node \(node) status is now: \(reason)") }

    private static func isReady(_ node: KubeObject) -> Bool? {
        let condition = node.status["conditions"].elements.first { $0["type"] == "Ready" }
        return condition.map { $0["status"] == "True" }
    }
}

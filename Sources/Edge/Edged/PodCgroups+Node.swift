import Logging
import PodCore

/// The groups above those of pods: of all, of burstable and of best-effort ones (`spec/05 §21.7`).
extension PodCgroups {
    /// Makes them, with what the pods together may take.
    ///
    /// - Parameters:
    ///   - share: cpu in thousandths, `memory` in bytes, `pid`; what is missing is not limited.
    func makeNodeGroups(_ node: NodeFacts, share: ResourceAmounts) {
        var plan = ResourcePlan()
        plan.cpuShares = ResourcePlan.shares(share["cpu"] ?? 0)
        plan.memoryLimit = share["memory"] ?? 0
        make(node.path(node.podsCgroup), plan, maximumProcesses: share["pid"] ?? -1)
        var least = ResourcePlan()
        least.cpuShares = ResourcePlan.shares(0)
        for quality in [QualityOfService.burstable, .bestEffort] { make(node.path(node.cgroup(of: quality)), least, maximumProcesses: -1) }
    }

    /// Gives burstable pods the processor time that they ask for together, thousandths of a core.
    func shareOut(burstable milliCPU: Int64, _ node: NodeFacts) {
        var plan = ResourcePlan()
        plan.cpuShares = ResourcePlan.shares(milliCPU)
        make(node.path(node.cgroup(of: .burstable)), plan, maximumProcesses: -1)
    }

    /// Removes what a pod that nobody knows left behind, whatever its class was.
    func removePod(_ uid: String, _ configuration: EdgedConfiguration) {
        var node = NodeFacts()
        node.cgroupRoot = configuration.cgroupRoot
        node.usesSystemdCgroups = configuration.usesSystemdCgroups
        for quality in [QualityOfService.guaranteed, .burstable, .bestEffort] { remove(node.path(node.cgroup(of: quality).child("pod\(uid)"))) }
    }
}

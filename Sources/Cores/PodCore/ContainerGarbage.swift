package import Primitives

/// Which ended containers and sandboxes of the node's pods are taken away (`spec/05 §24.1–24.2`).
///
/// Pods that nobody wants are not looked at here: they are stopped and removed whole. The newest ended container of a pod that has not
/// ended tells how it ended and whether to start it again, so that one stays whatever the limits say.
package enum ContainerGarbage {
    private struct Unit: Hashable {
        var pod: String
        var name: String
    }

    /// The containers to remove, the oldest first.
    ///
    /// - Parameters:
    ///   - containers: Of the whole node, in any state.
    ///   - pods: The wanted pods by UID.
    package static func containers(
        _ containers: [ContainerState], of pods: [String: PodStanding], policy: GarbagePolicy, now: Timestamp
    ) -> [ContainerState] {
        var units: [Unit: [ContainerState]] = [:]
        for container in containers where container.phase == .exited || container.phase == .created {
            guard let pod = container.labels[ContainerLabel.podUID], pods[pod] != nil else { continue }
            units[Unit(pod: pod, name: container.name), default: []].append(container)
        }
        var removals: [ContainerState] = []
        var kept: [(container: ContainerState, isNeeded: Bool)] = []
        for (unit, dead) in units {
            let hasEnded = pods[unit.pod]?.hasEnded ?? false
            for (index, container) in dead.sorted(by: isNewer).enumerated() {
                let isNeeded = index == 0 && !hasEnded
                if isNeeded || isYoung(container, policy, now) {
                    kept.append((container, true))
                } else if policy.containersKept >= 0, index >= policy.containersKept {
                    removals.append(container)
                } else {
                    kept.append((container, false))
                }
            }
        }
        if policy.containersKeptInAll >= 0 {
            let excess = kept.count - policy.containersKeptInAll
            removals += kept.filter { !$0.isNeeded }.map(\.container).sorted { isNewer($1, $0) }.prefix(max(0, excess))
        }
        return removals.sorted { isNewer($1, $0) }
    }

    /// The containers of ended pods, and all that policy does not keep of the others: what eviction asks for.
    package static func everyDead(_ containers: [ContainerState], of pods: [String: PodStanding], now: Timestamp) -> [ContainerState] {
        var policy = GarbagePolicy()
        policy.containersKept = 0
        return Self.containers(containers, of: pods, policy: policy, now: now)
    }

    /// The sandboxes that are not ready, have no container left, and are not the newest of a pod that has not ended.
    package static func sandboxes(_ sandboxes: [SandboxState], containers: [ContainerState], of pods: [String: PodStanding]) -> [SandboxState] {
        let used = Set(containers.map(\.sandboxID))
        var newest: [String: SandboxState] = [:]
        for sandbox in sandboxes {
            if let other = newest[sandbox.podUID], isNewer(other, sandbox) { continue }
            newest[sandbox.podUID] = sandbox
        }
        return sandboxes.filter { sandbox in
            guard let pod = pods[sandbox.podUID], !sandbox.isReady, !used.contains(sandbox.id) else { return false }
            return pod.hasEnded || newest[sandbox.podUID]?.id != sandbox.id
        }
    }

    /// A clock that was set back makes nothing young that no policy protects.
    private static func isYoung(_ container: ContainerState, _ policy: GarbagePolicy, _ now: Timestamp) -> Bool {
        policy.minimumContainerAge > .zero && now - container.createdAt < policy.minimumContainerAge
    }

    private static func isNewer(_ left: ContainerState, _ right: ContainerState) -> Bool {
        (left.createdAt, left.attempt, left.id) > (right.createdAt, right.attempt, right.id)
    }

    private static func isNewer(_ left: SandboxState, _ right: SandboxState) -> Bool {
        (left.createdAt, left.attempt, left.id) > (right.createdAt, right.attempt, right.id)
    }
}

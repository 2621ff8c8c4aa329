import KubeMachinery

/// Which pods make room for a critical one that the node has no resources left for (`spec/05 §10.2`).
package enum Preemption {
    package static let reason = "Preempting"
    package static let message = "Preempted in order to admit critical pod"
    package static let disruption = "Pod was preempted by Kubelet to accommodate a critical pod."

    /// The fewest and smallest pods to end; nil where the pod has no such right, or even all of them would not do.
    ///
    /// Best-effort pods go before burstable ones and those before guaranteed ones.
    package static func victims(for pod: PodView, among others: [PodView], node: NodeFacts) -> [PodView]? {
        guard pod.isCritical else { return nil }
        let candidates = others.filter { isPreemptible($0, by: pod) }
        let uids = Set(candidates.map(\.uid))
        guard !candidates.isEmpty, PodAdmission.refusal(pod, among: others.filter { !uids.contains($0.uid) }, node: node) == nil else { return nil }
        let missing = PodAdmission.shortage(pod, others, node)
        let classes = Dictionary(grouping: candidates, by: \.qualityOfService)
        let (best, burstable, guaranteed) = (classes[.bestEffort] ?? [], classes[.burstable] ?? [], classes[.guaranteed] ?? [])
        let third = fewest(of: guaranteed, freeing: missing.reduced(by: best + burstable))
        let second = fewest(of: burstable, freeing: missing.reduced(by: best + third))
        let first = fewest(of: best, freeing: missing.reduced(by: second + third))
        return first + second + third
    }

    private static func isPreemptible(_ other: PodView, by pod: PodView) -> Bool {
        if !other.isCritical { return true }
        guard let priority = pod.spec["priority"].int, let less = other.spec["priority"].int else { return false }
        return priority > less
    }

    /// Takes the pod that brings what is missing nearest to nothing, the smaller one of two, until nothing is missing.
    private static func fewest(of pods: [PodView], freeing missing: ResourceAmounts) -> [PodView] {
        var (missing, rest, chosen) = (missing, pods, [PodView]())
        while !missing.amounts.isEmpty {
            let ranked = rest.indices.map { (index: $0, distance: distance(missing, rest[$0]), size: rest[$0].effectiveRequests) }
            let nearest = ranked.min { left, right in
                left.distance != right.distance ? left.distance < right.distance : (left.size["memory"] ?? 0) < (right.size["memory"] ?? 0)
            }
            guard let nearest else { break }
            let pod = rest.remove(at: nearest.index)
            missing = missing.reduced(by: [pod])
            chosen.append(pod)
        }
        return chosen
    }

    private static func distance(_ missing: ResourceAmounts, _ pod: PodView) -> Double {
        let left = missing.reduced(by: [pod])
        return missing.amounts.reduce(0) { sum, need in
            let share = Double(left[need.key] ?? 0) / Double(need.value)
            return sum + share * share
        }
    }
}

extension ResourceAmounts {
    /// What is still missing once these pods are gone; only what is above zero.
    fileprivate func reduced(by pods: [PodView]) -> ResourceAmounts {
        var left = self
        for pod in pods {
            let requests = pod.effectiveRequests
            for (name, amount) in left.amounts {
                let freed = name == "pods" ? 1 : max(requests[name] ?? 0, 0)
                left[name] = amount > freed ? amount - freed : nil
            }
        }
        return left
    }
}

import KubeMachinery
package import Primitives

/// How well a pod's needs are guaranteed (`spec/05 §21.1`).
package enum QualityOfService: String, Sendable {
    case guaranteed = "Guaranteed"
    case burstable = "Burstable"
    case bestEffort = "BestEffort"
}

/// Amounts of a container or pod: cpu in thousandths of a core, everything else in bytes or whole units.
package struct ResourceAmounts: Sendable, Hashable {
    package var amounts: [String: Int64]

    package init(_ amounts: [String: Int64] = [:]) { self.amounts = amounts }

    /// Reads `limits` or `requests`; what is no quantity is left out.
    package init(json: JSONValue) {
        amounts = [:]
        for (name, value) in json.members {
            let text = value.string ?? value.int.map(String.init) ?? value.double.map { String($0) }
            guard let text, let quantity = Quantity(text) else { continue }
            amounts[name] = name == "cpu" ? quantity.milliValue : quantity.value
        }
    }

    package subscript(name: String) -> Int64? {
        get { amounts[name] }
        set { amounts[name] = newValue }
    }

    mutating func add(_ other: ResourceAmounts) {
        amounts.merge(other.amounts) { Int64(clamping: Int128($0) + Int128($1)) }
    }

    mutating func raise(to other: ResourceAmounts) { amounts.merge(other.amounts) { max($0, $1) } }
}

extension ContainerView {
    package var limits: ResourceAmounts { ResourceAmounts(json: resources["limits"]) }

    /// Requests; a limit without a request is one, as the API's defaults have it.
    package var requests: ResourceAmounts {
        var requests = ResourceAmounts(json: resources["requests"])
        requests.amounts.merge(limits.amounts) { request, _ in request }
        return requests
    }
}

extension PodView {
    package var qualityOfService: QualityOfService {
        let all = containers + initContainers
        func some(_ amounts: ResourceAmounts) -> Bool { (amounts["cpu"] ?? 0) > 0 || (amounts["memory"] ?? 0) > 0 }
        if !all.contains(where: { some($0.limits) || some($0.requests) }) { return .bestEffort }
        let isGuaranteed = all.allSatisfy { container in
            let (limits, requests) = (container.limits, container.requests)
            return ["cpu", "memory"].allSatisfy { (limits[$0] ?? 0) > 0 && limits[$0] == requests[$0] }
        }
        return isGuaranteed ? .guaranteed : .burstable
    }

    /// What the scheduler counts: what the containers want, plus overhead.
    package var effectiveRequests: ResourceAmounts {
        var total = containerRequests
        total.add(overhead)
        return total
    }

    /// The sum of the containers, or the largest init container where that is more; restartable ones count beside both.
    package var containerRequests: ResourceAmounts { combined(\.requests) }
    package var containerLimits: ResourceAmounts { combined(\.limits) }
    /// What the pod costs the node beyond its containers.
    package var overhead: ResourceAmounts { ResourceAmounts(json: spec["overhead"]) }

    private func combined(_ amounts: (ContainerView) -> ResourceAmounts) -> ResourceAmounts {
        var total = ResourceAmounts()
        for container in lastingContainers { total.add(amounts(container)) }
        var restartable = ResourceAmounts()
        for container in initContainers {
            if container.isRestartable {
                restartable.add(amounts(container))
                continue
            }
            var starting = restartable
            starting.add(amounts(container))
            total.raise(to: starting)
        }
        return total
    }
}

extension ResourcePlan {
    static let period: Int64 = 100_000

    /// Shares, quota and memory limit from amounts (`spec/05 §21.2`).
    init(requests: ResourceAmounts, limits: ResourceAmounts, node: NodeFacts) {
        self.init()
        cpuShares = Self.shares(requests["cpu"] ?? limits["cpu"] ?? 0)
        if node.enforcesCPUQuota {
            cpuPeriod = Self.period
            if let limit = limits["cpu"], limit > 0 { cpuQuota = max(Int64(clamping: Int128(limit) * Int128(Self.period) / 1000), 1000) }
        }
        memoryLimit = max(limits["memory"] ?? 0, 0)
    }

    /// The plan of one container.
    init(_ container: ContainerView, in pod: PodView, node: NodeFacts) {
        self.init(requests: container.requests, limits: container.limits, node: node)
        if node.usesCgroupV2 {
            unified["memory.oom.group"] = "1"
            if node.hasSwapController { unified["memory.swap.max"] = "0" }
        } else if node.hasSwapController {
            memorySwapLimit = memoryLimit
        }
        oomScoreAdjust = Self.oomScore(container, in: pod, node: node)
        for size in node.hugepageSizes {
            hugepageLimits[size] = UInt64(clamping: container.limits["hugepages-\(size.replacingB)"] ?? 0)
        }
    }

    /// The plan of the sandbox: what all containers together want, whatever is missing of some (`spec/05 §21.3`).
    init(sandboxOf pod: PodView, node: NodeFacts) {
        self.init(requests: pod.containerRequests, limits: pod.containerLimits, node: node)
    }

    /// What the pod costs beyond its containers; nil without `spec.overhead`.
    init?(overheadOf pod: PodView, node: NodeFacts) {
        let overhead = pod.overhead
        guard !overhead.amounts.isEmpty else { return nil }
        self.init(requests: overhead, limits: overhead, node: node)
    }

    /// The limits of the pod's own group: a sum that one container does not limit is no limit (`spec/05 §21.7`).
    package init(groupOf pod: PodView, node: NodeFacts) {
        var (requests, limits) = (pod.containerRequests, pod.containerLimits)
        let all = pod.containers + pod.initContainers
        let overhead = pod.overhead
        requests.add(overhead)
        for name in ["cpu", "memory"] {
            if all.allSatisfy({ ($0.limits[name] ?? 0) > 0 }) {
                if let more = overhead[name], let limit = limits[name] { limits[name] = Int64(clamping: Int128(limit) + Int128(more)) }
            } else {
                limits[name] = nil
            }
        }
        let quality = pod.qualityOfService
        self.init(requests: quality == .bestEffort ? ResourceAmounts() : requests, limits: limits, node: node)
        for size in node.hugepageSizes { hugepageLimits[size] = UInt64(clamping: limits["hugepages-\(size.replacingB)"] ?? 0) }
    }

    package static func shares(_ milliCPU: Int64) -> Int64 {
        guard milliCPU > 0 else { return 2 }
        return Int64(clamping: min(max(Int128(milliCPU) * 1024 / 1000, 2), 262_144))
    }

    /// `spec/05 §21.4`.
    static func oomScore(_ container: ContainerView, in pod: PodView, node: NodeFacts) -> Int64 {
        if pod.isCritical, pod.priorityClassName == "system-node-critical" { return -997 }
        switch pod.qualityOfService {
        case .guaranteed: return -997
        case .bestEffort: return 1000
        case .burstable:
            guard node.memoryCapacity > 0 else { return 999 }
            let request = max(ResourceAmounts(json: container.resources["requests"])["memory"] ?? container.limits["memory"] ?? 0, 0)
            let score = 1000 - Int64(clamping: Int128(request) * 1000 / Int128(node.memoryCapacity))
            return score < 3 ? 3 : min(score, 999)
        }
    }
}

extension String {
    /// `2MB` as Kubernetes names it in a resource: `2Mi`.
    fileprivate var replacingB: String { hasSuffix("B") ? dropLast() + "i" : self }
}

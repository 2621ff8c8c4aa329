import KubeMachinery
import Primitives

/// Why the node does not take a pod.
package struct AdmissionRefusal: Error, Sendable, Hashable, CustomStringConvertible {
    /// `OutOfcpu`, `NodePorts`, `TaintToleration`, … (`spec/05 §10.3`).
    package var reason: String
    package var message: String

    package init(reason: String, message: String) {
        self.reason = reason
        self.message = message
    }

    package var description: String { "\(reason): \(message)" }
}

/// Whether the node takes a pod, in the order and words of the kubelet (`spec/05 §10`).
package enum PodAdmission {
    /// nil where the pod is admitted. `others` are the pods of the node that have not ended.
    package static func refusal(_ pod: PodView, among others: [PodView], node: NodeFacts) -> AdmissionRefusal? {
        refusalBeforeDevices(pod, node: node) ?? operatingSystem(pod) ?? restartPolicies(pod, node) ?? resources(pod, others, node)
            ?? placement(pod, others, node)
    }

    /// What is looked at before devices are assigned to the pod; `refusal` includes it.
    package static func refusalBeforeDevices(_ pod: PodView, node: NodeFacts) -> AdmissionRefusal? {
        pressure(pod, node) ?? SysctlRule.refusal(pod, node: node)
    }

    /// Restartable init containers need the gate `SidecarContainers`, which is off by default (`spec/05 §3`).
    private static func restartPolicies(_ pod: PodView, _ node: NodeFacts) -> AdmissionRefusal? {
        guard !node.allowsSidecarContainers, let container = pod.initContainers.first(where: { !$0.json["restartPolicy"].isNull }) else { return nil }
        return AdmissionRefusal(
            reason: "InitContainerRestartPolicyForbidden",
            message: "Init container \"\(container.name)\" may not have a non-default restartPolicy")
    }

    /// While the node is short of something it takes no more pods: of memory, none that asked for nothing (`spec/05 §10.4`).
    private static func pressure(_ pod: PodView, _ node: NodeFacts) -> AdmissionRefusal? {
        guard !node.pressures.isEmpty, !pod.isCritical else { return nil }
        if node.pressures == [.memory] {
            let taint: JSONValue = ["key": "node.kubernetes.io/memory-pressure", "effect": "NoSchedule"]
            let isTolerant = pod.spec["tolerations"].elements.contains { tolerates($0, taint) }
            if pod.qualityOfService != .bestEffort || isTolerant { return nil }
        }
        let names = node.pressures.map(\.rawValue).joined(separator: " ")
        return AdmissionRefusal(reason: "Evicted", message: "The node had condition: [\(names)]. ")
    }

    private static func resources(_ pod: PodView, _ others: [PodView], _ node: NodeFacts) -> AdmissionRefusal? {
        if Int64(others.count) + 1 > node.maximumPods { return lack("pods", 1, Int64(others.count), node.maximumPods) }
        let wanted = pod.effectiveRequests
        var used = ResourceAmounts()
        for other in others { used.add(other.effectiveRequests) }
        let known = [("cpu", node.allocatableCPU), ("memory", node.allocatableMemory), ("ephemeral-storage", node.allocatableStorage)]
        for (name, capacity) in known + node.allocatableOther.sorted(by: { $0.key < $1.key }).map({ ($0.key, $0.value) }) {
            guard let request = wanted[name], request > 0 else { continue }
            if Int128(request) + Int128(used[name] ?? 0) > Int128(capacity) { return lack(name, request, used[name] ?? 0, capacity) }
        }
        return nil
    }

    /// How much of what the pod asks for is missing; only what is above zero.
    static func shortage(_ pod: PodView, _ others: [PodView], _ node: NodeFacts) -> ResourceAmounts {
        var missing = ResourceAmounts()
        func compare(_ name: String, _ wanted: Int64, _ used: Int64, _ capacity: Int64) {
            let lack = Int128(wanted) + Int128(used) - Int128(capacity)
            if wanted > 0, lack > 0 { missing[name] = Int64(clamping: lack) }
        }
        compare("pods", 1, Int64(others.count), node.maximumPods)
        let wanted = pod.effectiveRequests
        var used = ResourceAmounts()
        for other in others { used.add(other.effectiveRequests) }
        let known = ["cpu": node.allocatableCPU, "memory": node.allocatableMemory, "ephemeral-storage": node.allocatableStorage]
        for (name, capacity) in known.merging(node.allocatableOther, uniquingKeysWith: { known, _ in known }) {
            compare(name, wanted[name] ?? 0, used[name] ?? 0, capacity)
        }
        return missing
    }

    private static func lack(_ name: String, _ requested: Int64, _ used: Int64, _ capacity: Int64) -> AdmissionRefusal {
        AdmissionRefusal(
            reason: "OutOf\(name)",
            message: "Node didn't have enough resource: \(name), requested: \(requested), used: \(used), capacity: \(capacity)")
    }

    private static func placement(_ pod: PodView, _ others: [PodView], _ node: NodeFacts) -> AdmissionRefusal? {
        func failed(_ predicate: String) -> AdmissionRefusal { AdmissionRefusal(reason: predicate, message: "Predicate \(predicate) failed") }
        if !NodeAffinity.matches(pod, node: node) { return failed("NodeAffinity") }
        if !pod.nodeName.isEmpty, pod.nodeName != node.name { return failed("NodeName") }
        let taken = others.flatMap(\.hostPorts)
        if pod.hostPorts.contains(where: { port in taken.contains { $0.conflicts(with: port) } }) { return failed("NodePorts") }
        let tolerations = pod.spec["tolerations"].elements
        let isTolerated = node.taints.filter { $0["effect"] == "NoExecute" }.allSatisfy { taint in
            tolerations.contains { Self.tolerates($0, taint) }
        }
        return isTolerated || pod.isStatic ? nil : failed("TaintToleration")
    }

    static func tolerates(_ toleration: JSONValue, _ taint: JSONValue) -> Bool {
        let effect = toleration["effect"].string ?? ""
        let key = toleration["key"].string ?? ""
        guard effect.isEmpty || effect == taint["effect"].string, key.isEmpty || key == taint["key"].string else { return false }
        switch toleration["operator"].string ?? "" {
        case "", "Equal": return !key.isEmpty && (toleration["value"].string ?? "") == (taint["value"].string ?? "")
        case "Exists": return true
        default: return false
        }
    }

    private static func operatingSystem(_ pod: PodView) -> AdmissionRefusal? {
        if let label = pod.object.labels["kubernetes.io/os"], label != "linux" {
            return AdmissionRefusal(
                reason: "PodOSSelectorNodeLabelDoesNotMatch",
                message: "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label")
        }
        if let name = pod.spec["os"]["name"].string, name != "linux" {
            return AdmissionRefusal(reason: "PodOSNotSupported", message: "Failed to admit pod as the OS field doesn't match node OS")
        }
        return nil
    }
}

extension PodView {
    /// The ports of the host that the pod takes.
    var hostPorts: [PortPlan] {
        containers.flatMap(\.portPlans).compactMap { port in
            var port = port
            if usesHostNetwork, port.hostPort == 0 { port.hostPort = port.containerPort }
            return port.hostPort > 0 ? port : nil
        }
    }
}

extension PortPlan {
    fileprivate func conflicts(with other: PortPlan) -> Bool {
        let anywhere = ["", "0.0.0.0", "::"]
        guard transport == other.transport, hostPort == other.hostPort else { return false }
        return hostIP == other.hostIP || anywhere.contains(hostIP) || anywhere.contains(other.hostIP)
    }
}

/// Whether a node is one that a pod asks for.
enum NodeAffinity {
    static func matches(_ pod: PodView, node: NodeFacts) -> Bool {
        for (key, value) in pod.spec["nodeSelector"].stringMap where node.labels[key] != value { return false }
        return matches(pod.spec.at("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"), node: node)
    }

    /// Whether a node selector allows the node; one that is not there allows all.
    static func matches(_ required: JSONValue, node: NodeFacts) -> Bool {
        guard required.object != nil else { return true }
        return required["nodeSelectorTerms"].elements.contains { term in
            let (labels, fields) = (term["matchExpressions"].elements, term["matchFields"].elements)
            guard !labels.isEmpty || !fields.isEmpty else { return false }
            return labels.allSatisfy { meets($0, node.labels[$0["key"].string ?? ""]) }
                && fields.allSatisfy { $0["key"] == "metadata.name" && meets($0, node.name) }
        }
    }

    private static func meets(_ requirement: JSONValue, _ value: String?) -> Bool {
        let values = requirement["values"].strings
        switch requirement["operator"].string {
        case "In": return value.map(values.contains) ?? false
        case "NotIn": return !(value.map(values.contains) ?? false)
        case "Exists": return value != nil
        case "DoesNotExist": return value == nil
        case "Gt", "Lt":
            guard let number = value.flatMap(Int64.init), let bound = values.first.flatMap(Int64.init) else { return false }
            return requirement["operator"] == "Gt" ? number > bound : number < bound
        default: return false
        }
    }
}

import KubeMachinery
package import Primitives

/// The status of the node (`spec/05 §5.6–5.12`).
package enum NodeStatus {
    /// The whole status as of `now`, with every condition as if it had just changed.
    package static func make(_ facts: MachineFacts, now: Timestamp) -> JSONValue {
        var status: JSONValue = ["capacity": amounts(facts.capacity), "allocatable": amounts(facts.allocatable)]
        status["conditions"] = .array(conditions(facts, now: now))
        status["addresses"] = .array(
            facts.addresses.map { ["type": "InternalIP", "address": .string($0)] } + [["type": "Hostname", "address": .string(facts.nodeName)]])
        status["daemonEndpoints"] = ["kubeletEndpoint": ["Port": .integer(facts.kubeletPort)]]
        status["nodeInfo"] = [
            "machineID": .string(facts.machineID), "systemUUID": .string(facts.systemUUID), "bootID": .string(facts.bootID),
            "kernelVersion": .string(facts.kernelVersion), "osImage": .string(facts.osImage),
            "containerRuntimeVersion": .string(facts.runtimeVersion), "kubeletVersion": .string(facts.kubeletVersion),
            "kubeProxyVersion": .string(facts.kubeProxyVersion), "operatingSystem": "linux", "architecture": .string(facts.architecture),
        ]
        if let images = facts.images { status["images"] = .array(images) }
        if !facts.volumesInUse.isEmpty { status["volumesInUse"] = JSONValue(facts.volumesInUse) }
        return status
    }

    /// The status that follows `old`: transition times move only where a condition's status does, what others own stays.
    package static func make(_ facts: MachineFacts, after old: JSONValue, now: Timestamp) -> JSONValue {
        var status = make(facts, now: now)
        let before = old["conditions"].elements
        let own = status["conditions"].elements.map { condition in
            guard let former = before.first(where: { $0["type"] == condition["type"] }), former["status"] == condition["status"],
                !former["lastTransitionTime"].isNull
            else { return condition }
            var condition = condition
            condition["lastTransitionTime"] = former["lastTransitionTime"]
            return condition
        }
        let types = Set(own.compactMap { $0["type"].string })
        status["conditions"] = .array(before.filter { !types.contains($0["type"].string ?? "") } + own)
        // The cloud puts the port of its tunnel there: that is where the API server finds this node.
        if let port = old["daemonEndpoints"]["kubeletEndpoint"]["Port"].int, port > 0 { status["daemonEndpoints"] = old["daemonEndpoints"] }
        for (key, value) in old.members where status.member(key) == nil && key != "images" && key != "volumesInUse" { status[key] = value }
        for name in ["capacity", "allocatable"] {
            for (key, value) in old[name].members where status[name].member(key) == nil && key.contains("/") { status[name][key] = value }
        }
        return status
    }

    private static func amounts(_ amounts: ResourceAmounts) -> JSONValue {
        var value: JSONValue = [:]
        for (name, amount) in amounts.amounts.sorted(by: { $0.key < $1.key }) {
            let quantity =
                switch name {
                case "cpu": Quantity(milli: amount)
                case "memory", "ephemeral-storage": Quantity(amount, format: .binary)
                default: Quantity(amount, format: name.hasPrefix("hugepages-") ? .binary : .decimal)
                }
            value[name] = .string(quantity.canonical)
        }
        return value
    }

    private static func conditions(_ facts: MachineFacts, now: Timestamp) -> [JSONValue] {
        func condition(_ type: String, _ isTrue: Bool, _ reason: String, _ message: String) -> JSONValue {
            [
                "type": .string(type), "status": isTrue ? "True" : "False", "lastHeartbeatTime": .string(now.rfc3339),
                "lastTransitionTime": .string(now.rfc3339), "reason": .string(reason), "message": .string(message),
            ]
        }
        func pressure(_ type: String, _ isPressed: Bool, _ good: (String, String), _ bad: (String, String)) -> JSONValue {
            condition(type, isPressed, isPressed ? bad.0 : good.0, isPressed ? bad.1 : good.1)
        }
        var problems = facts.problems
        let missing = [("cpu", facts.cpuCount), ("memory", facts.memory), ("pods", facts.maximumPods), ("ephemeral-storage", facts.storage)]
            .filter { $0.1 <= 0 }.map(\.0)
        if !missing.isEmpty { problems.append("missing node capacity for resources: \(missing.joined(separator: ", "))") }
        let complaint = problems.count == 1 ? problems[0] : "[\(problems.joined(separator: ", "))]"
        let ready = "edge is posting ready status" + (facts.enforcesAppArmor ? ". AppArmor enabled" : "")
        return [
            pressure(
                "MemoryPressure", facts.hasMemoryPressure, ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
                ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available")),
            pressure(
                "DiskPressure", facts.hasDiskPressure, ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
                ("KubeletHasDiskPressure", "kubelet has disk pressure")),
            pressure(
                "PIDPressure", facts.hasPIDPressure, ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
                ("KubeletHasInsufficientPID", "kubelet has insufficient PID available")),
            problems.isEmpty
                ? condition("Ready", true, "EdgeReady", ready) : condition("Ready", false, "KubeletNotReady", complaint),
        ]
    }
}

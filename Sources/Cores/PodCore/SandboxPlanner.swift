import KubeMachinery
import Primitives

/// Makes the plan of a pod's sandbox (`spec/05 §12.2`).
package enum SandboxPlanner {
    /// Throws a failure with reason `CreatePodSandboxError` for what the node cannot do.
    ///
    /// - Parameter runtimeHandler: Of the pod's RuntimeClass; empty for the runtime's own choice.
    package static func plan(_ pod: PodView, attempt: UInt32, runtimeHandler: String = "", node: NodeFacts) throws(StartFailure) -> SandboxPlan {
        let security = pod.securityContext
        var plan = SandboxPlan()
        plan.podName = pod.name
        plan.podNamespace = pod.namespace
        plan.podUID = pod.uid
        plan.attempt = attempt
        plan.hostname = pod.usesHostNetwork ? "" : try HostnamePlan.hostname(pod, node: node)
        plan.logDirectory = node.logDirectory(pod)
        let resolver = ResolverPlan(pod, node: node)
        plan.dnsServers = resolver.servers
        plan.dnsSearches = resolver.searches
        plan.dnsOptions = resolver.options
        plan.ports = pod.containers.flatMap(\.portPlans)
        plan.labels = pod.object.labels
        plan.labels[ContainerLabel.podName] = pod.name
        plan.labels[ContainerLabel.podNamespace] = pod.namespace
        plan.labels[ContainerLabel.podUID] = pod.uid
        plan.annotations = pod.object.annotations
        plan.cgroupParent = pod.cgroupParent(node)
        for sysctl in security["sysctls"].elements {
            guard let name = sysctl["name"].string, let value = sysctl["value"].string else { continue }
            plan.sysctls[SysctlRule.dotted(name)] = value
        }
        plan.namespaces = NamespacePlan(pod)
        plan.isPrivileged = pod.allContainers.contains(where: \.isPrivileged)
        plan.runAsUser = security["runAsUser"].int
        // A group without a user is refused by the runtime, and nobody needs it of a process that only waits.
        plan.runAsGroup = plan.runAsUser == nil ? nil : security["runAsGroup"].int
        plan.supplementalGroups = pod.supplementalGroups
        plan.seLinux = SELinuxPlan(security["seLinuxOptions"])
        plan.resources = ResourcePlan(sandboxOf: pod, node: node)
        plan.overhead = ResourcePlan(overheadOf: pod, node: node)
        plan.runtimeHandler = runtimeHandler
        return plan
    }
}

extension PodView {
    /// The RuntimeClass that the pod asks for; nil for none.
    package var runtimeClassName: String? { spec["runtimeClassName"].string.flatMap { $0.isEmpty ? nil : $0 } }
}

extension SELinuxPlan {
    /// Reads `seLinuxOptions`; nil where there are none.
    init?(_ json: JSONValue) {
        guard json.object != nil else { return nil }
        self.init(
            user: json["user"].string ?? "", role: json["role"].string ?? "", type: json["type"].string ?? "", level: json["level"].string ?? "")
    }
}

extension NamespacePlan {
    /// The namespaces of a pod's sandbox and containers (`spec/05 §22.1`).
    init(_ pod: PodView) {
        self.init()
        network = pod.usesHostNetwork ? .node : .pod
        pid = pod.usesHostPID ? .node : pod.sharesProcessNamespace ? .pod : .container
        ipc = pod.usesHostIPC ? .node : .pod
    }
}

extension PodView {
    /// fsGroup first, then what the pod adds.
    var supplementalGroups: [Int64] { supplementalGroups(with: [MountedVolume]()) }

    /// fsGroup first, then the groups of the volumes, then what the pod adds (`spec/05 §12.2`).
    package func supplementalGroups(with volumes: some Sequence<MountedVolume>) -> [Int64] {
        var groups = securityContext["fsGroup"].int.map { [$0] } ?? []
        let added = securityContext["supplementalGroups"].elements.compactMap(\.int)
        groups += Set(volumes.compactMap(\.group)).subtracting(groups).subtracting(added).sorted()
        return groups + added
    }
}

extension ContainerView {
    /// The ports that the container declares; what is out of range is left out.
    package var portPlans: [PortPlan] {
        ports.compactMap { port in
            guard let number = port["containerPort"].int.flatMap(Int32.init(exactly:)) else { return nil }
            let transport: PortPlan.TransportProtocol =
                switch port["protocol"].string ?? "TCP" {
                case "UDP": .udp
                case "SCTP": .sctp
                default: .tcp
                }
            return PortPlan(
                transport: transport, containerPort: number, hostPort: port["hostPort"].int.flatMap(Int32.init(exactly:)) ?? 0,
                hostIP: port["hostIP"].string ?? "")
        }
    }
}

/// Which kernel settings a pod may change (`spec/05 §10.6`).
package enum SysctlRule {
    static let safe: Set<String> = [
        "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range",
        "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ip_local_reserved_ports",
    ]

    /// The name with dots; in a name whose first separator is a dot, slashes stand for dots within a part.
    static func dotted(_ name: String) -> String {
        guard let first = name.first(where: { $0 == "." || $0 == "/" }), first == "/" else { return name }
        return String(name.map { $0 == "/" ? "." : $0 == "." ? "/" : $0 })
    }

    /// The namespace that a setting belongs to, `ipc` or `net`; nil where it is the whole machine's.
    static func namespace(_ name: String) -> String? {
        if name == "kernel.sem" || ["kernel.shm", "kernel.msg", "fs.mqueue."].contains(where: name.hasPrefix) { return "ipc" }
        return name.hasPrefix("net.") ? "net" : nil
    }

    /// Whether a setting is safe, or the node's operator allows it by name or by a prefix with `*`.
    private static func isAllowed(_ name: String, _ node: NodeFacts) -> Bool {
        safe.contains(name)
            || node.allowedUnsafeSysctls.map(dotted).contains { pattern in
                guard pattern.hasSuffix("*") else { return name == pattern && namespace(pattern) != nil }
                return name.hasPrefix(pattern.dropLast()) && namespace(String(pattern.dropLast())) != nil
            }
    }

    static func refusal(_ pod: PodView, node: NodeFacts) -> AdmissionRefusal? {
        for sysctl in pod.securityContext["sysctls"].elements {
            let name = dotted(sysctl["name"].string ?? "")
            let namespace = namespace(name)
            let why: String? =
                if !isAllowed(name, node) {
                    "not allowlisted"
                } else if namespace == "net" && pod.usesHostNetwork || namespace == "ipc" && pod.usesHostIPC {
                    "not allowed with host \(namespace ?? "") enabled"
                } else {
                    nil
                }
            if let why { return AdmissionRefusal(reason: "SysctlForbidden", message: "forbidden sysctl: \"\(name)\" \(why)") }
        }
        return nil
    }
}

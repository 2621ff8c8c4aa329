import KubeMachinery
import Primitives

extension ContainerSecurityPlan {
    static let maskedPaths = [
        "/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
        "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
    ]
    static let readOnlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]

    /// What a container may do: its own security context wins over the pod's (`spec/05 §20`).
    init(_ container: ContainerView, in pod: PodView, image: ImageState, node: NodeFacts, target: String?) throws(StartFailure) {
        self.init()
        let (own, shared) = (container.securityContext, pod.securityContext)
        func effective(_ name: String) -> JSONValue { own[name].isNull ? shared[name] : own[name] }
        addedCapabilities = own["capabilities"]["add"].strings
        droppedCapabilities = own["capabilities"]["drop"].strings
        isPrivileged = container.isPrivileged
        namespaces = NamespacePlan(pod)
        if let target { namespaces.pid = .target(containerID: target) }
        runAsUser = effective("runAsUser").int
        runAsGroup = effective("runAsGroup").int
        if effective("runAsNonRoot").bool == true { try Self.verifyNonRoot(user: runAsUser, image: image, container, pod) }
        if runAsUser == nil {
            // An image that names nobody is root's; a group alone is refused by the runtime.
            runAsUser = image.user ?? (image.userName.isEmpty ? 0 : nil)
            if image.user == nil { runAsUserName = image.userName }
        }
        hasReadOnlyRoot = own["readOnlyRootFilesystem"].bool ?? false
        supplementalGroups = pod.supplementalGroups
        noNewPrivileges = own["allowPrivilegeEscalation"].bool == false
        if own["procMount"].string != "Unmasked" {
            maskedPaths = Self.maskedPaths
            readOnlyPaths = Self.readOnlyPaths
        }
        seLinux = SELinuxPlan(effective("seLinuxOptions"))
        seccomp = try Self.seccomp(effective("seccompProfile"), node: node)
        appArmor = Self.appArmor(pod.object.annotations["container.apparmor.security.beta.kubernetes.io/\(container.name)"])
    }

    private static func verifyNonRoot(user: Int64?, image: ImageState, _ container: ContainerView, _ pod: PodView) throws(StartFailure) {
        let place = "(pod: \"\(pod.fullName)\", container: \(container.name))"
        if let user {
            if user == 0 { throw .configuration("container's runAsUser breaks non-root policy \(place)") }
        } else if image.user == 0 || (image.user == nil && image.userName.isEmpty) {
            throw .configuration("container has runAsNonRoot and image will run as root \(place)")
        } else if image.user == nil {
            throw .configuration(
                "container has runAsNonRoot and image has non-numeric user (\(image.userName)), cannot verify user is non-root \(place)")
        }
    }

    private static func seccomp(_ profile: JSONValue, node: NodeFacts) throws(StartFailure) -> SecurityProfilePlan {
        switch profile["type"].string {
        case "RuntimeDefault": return SecurityProfilePlan(kind: .runtimeDefault)
        case "Unconfined": return SecurityProfilePlan(kind: .unconfined)
        case "Localhost":
            guard let file = profile["localhostProfile"].string, !file.isEmpty else {
                throw .configuration("localhostProfile must be set if seccompProfile type is Localhost.")
            }
            return SecurityProfilePlan(kind: .localhost, localhostReference: "\(node.rootDirectory)/seccomp/\(file)")
        default: return SecurityProfilePlan(kind: node.usesDefaultSeccompProfile ? .runtimeDefault : .unconfined)
        }
    }

    private static func appArmor(_ annotation: String?) -> SecurityProfilePlan? {
        switch annotation {
        case "runtime/default": SecurityProfilePlan(kind: .runtimeDefault)
        case "unconfined": SecurityProfilePlan(kind: .unconfined)
        case let name? where name.hasPrefix("localhost/"):
            SecurityProfilePlan(kind: .localhost, localhostReference: String(name.dropFirst("localhost/".count)))
        default: nil
        }
    }
}

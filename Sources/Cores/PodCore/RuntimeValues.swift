package import Primitives

/// How the sandbox of a pod is to be made. Paths are host paths.
package struct SandboxPlan: Sendable, Hashable {
    package var podName = ""
    package var podNamespace = ""
    package var podUID = ""
    package var attempt: UInt32 = 0
    /// Empty for a pod on the host's network.
    package var hostname = ""
    package var logDirectory = ""
    package var dnsServers: [String] = []
    package var dnsSearches: [String] = []
    package var dnsOptions: [String] = []
    package var ports: [PortPlan] = []
    package var labels: [String: String] = [:]
    package var annotations: [String: String] = [:]
    package var cgroupParent = ""
    package var sysctls: [String: String] = [:]
    package var namespaces = NamespacePlan()
    package var isPrivileged = false
    package var runAsUser: Int64?
    package var runAsGroup: Int64?
    package var supplementalGroups: [Int64] = []
    package var seLinux: SELinuxPlan?
    package var resources: ResourcePlan?
    /// What the pod costs beyond its containers.
    package var overhead: ResourcePlan?
    /// The runtime's name for how to run the pod; empty for its own choice.
    package var runtimeHandler = ""

    package init() {}
}

/// A port of a container, and of the host where `hostPort` is not 0.
package struct PortPlan: Sendable, Hashable {
    package enum TransportProtocol: Sendable { case tcp, udp, sctp }

    package var transport: TransportProtocol
    package var containerPort: Int32
    package var hostPort: Int32
    package var hostIP: String

    package init(transport: TransportProtocol, containerPort: Int32, hostPort: Int32, hostIP: String) {
        self.transport = transport
        self.containerPort = containerPort
        self.hostPort = hostPort
        self.hostIP = hostIP
    }
}

/// Which Linux namespaces a sandbox or container shares, and with whom.
package struct NamespacePlan: Sendable, Hashable {
    package enum Mode: Sendable, Hashable { case pod, container, node, target(containerID: String) }

    package var network = Mode.pod
    package var pid = Mode.container
    package var ipc = Mode.pod

    package init() {}
}

/// Limits in the units of the CRI: shares and quota in µs of `period`, bytes, kernel oom score.
package struct ResourcePlan: Sendable, Hashable {
    package var cpuPeriod: Int64 = 0
    package var cpuQuota: Int64 = 0
    package var cpuShares: Int64 = 0
    package var memoryLimit: Int64 = 0
    package var oomScoreAdjust: Int64 = 0
    package var cpusetCPUs = ""
    package var cpusetMemories = ""
    /// Page size text (`2MB`) to bytes.
    package var hugepageLimits: [String: UInt64] = [:]
    /// Bytes of memory and swap together, in version 1 of control groups; 0 for none.
    package var memorySwapLimit: Int64 = 0
    /// Files of version 2 of control groups with what is written to them.
    package var unified: [String: String] = [:]

    package init() {}
}

/// A seccomp or AppArmor profile; the reference counts for `localhost` only.
package struct SecurityProfilePlan: Sendable, Hashable {
    package enum Kind: Sendable { case runtimeDefault, unconfined, localhost }

    package var kind: Kind
    package var localhostReference: String

    package init(kind: Kind, localhostReference: String = "") {
        self.kind = kind
        self.localhostReference = localhostReference
    }
}

/// A label of SELinux; what is empty is left to the runtime.
package struct SELinuxPlan: Sendable, Hashable {
    package var user: String
    package var role: String
    package var type: String
    package var level: String
}

/// How a container is to be made in its sandbox.
package struct ContainerPlan: Sendable, Hashable {
    package var name = ""
    package var attempt: UInt32 = 0
    /// The reference the runtime resolved (image ID).
    package var image = ""
    /// The image as the pod names it.
    package var userImage = ""
    package var command: [String] = []
    package var arguments: [String] = []
    package var workingDirectory = ""
    package var environment: [(name: String, value: String)] = []
    package var mounts: [MountPlan] = []
    package var devices: [DevicePlan] = []
    /// Names of the Container Device Interface.
    package var cdiDevices: [String] = []
    package var labels: [String: String] = [:]
    package var annotations: [String: String] = [:]
    /// Below the sandbox's log directory.
    package var logPath = ""
    package var stdin = false
    package var stdinOnce = false
    package var tty = false
    package var resources = ResourcePlan()
    package var security = ContainerSecurityPlan()

    package init() {}

    package static func == (left: ContainerPlan, right: ContainerPlan) -> Bool {
        left.comparable == right.comparable && left.environment.elementsEqual(right.environment, by: ==)
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(name)
        hasher.combine(attempt)
        hasher.combine(image)
    }

    private var comparable: [AnyHashable] {
        [
            name, attempt, image, userImage, command, arguments, workingDirectory, mounts, devices, cdiDevices, labels, annotations, logPath,
            stdin, stdinOnce, tty, resources, security,
        ]
    }
}

/// A host path as it appears in a container.
package struct MountPlan: Sendable, Hashable {
    package enum Propagation: Sendable { case isPrivate, hostToContainer, bidirectional }

    package var containerPath: String
    package var hostPath: String
    package var isReadOnly: Bool
    package var propagation: Propagation

    package init(containerPath: String, hostPath: String, isReadOnly: Bool, propagation: Propagation = .isPrivate) {
        self.containerPath = containerPath
        self.hostPath = hostPath
        self.isReadOnly = isReadOnly
        self.propagation = propagation
    }
}

/// A device of the host in a container; permissions in the letters `rwm`.
package struct DevicePlan: Sendable, Hashable {
    package var containerPath: String
    package var hostPath: String
    package var permissions: String

    package init(containerPath: String, hostPath: String, permissions: String) {
        self.containerPath = containerPath
        self.hostPath = hostPath
        self.permissions = permissions
    }
}

/// What a container may do, in the terms of the CRI.
package struct ContainerSecurityPlan: Sendable, Hashable {
    package var addedCapabilities: [String] = []
    package var droppedCapabilities: [String] = []
    package var isPrivileged = false
    package var namespaces = NamespacePlan()
    package var runAsUser: Int64?
    package var runAsUserName = ""
    package var runAsGroup: Int64?
    package var hasReadOnlyRoot = false
    package var supplementalGroups: [Int64] = []
    package var noNewPrivileges = false
    package var maskedPaths: [String] = []
    package var readOnlyPaths: [String] = []
    package var seccomp: SecurityProfilePlan?
    package var appArmor: SecurityProfilePlan?
    package var seLinux: SELinuxPlan?

    package init() {}
}

/// A sandbox as the runtime knows it.
package struct SandboxState: Sendable, Hashable {
    package var id: String
    package var podName: String
    package var podNamespace: String
    package var podUID: String
    package var attempt: UInt32
    package var isReady: Bool
    package var createdAt: Timestamp
    package var labels: [String: String]
    package var annotations: [String: String]
    /// Known after a status call; empty for host network.
    package var addresses: [String] = []
    package var usesHostNetwork = false

    package init(
        id: String, podName: String, podNamespace: String, podUID: String, attempt: UInt32, isReady: Bool, createdAt: Timestamp,
        labels: [String: String] = [:], annotations: [String: String] = [:]
    ) {
        self.id = id
        self.podName = podName
        self.podNamespace = podNamespace
        self.podUID = podUID
        self.attempt = attempt
        self.isReady = isReady
        self.createdAt = createdAt
        self.labels = labels
        self.annotations = annotations
    }
}

/// A container as the runtime knows it.
package struct ContainerState: Sendable, Hashable {
    package enum Phase: Sendable { case created, running, exited, unknown }

    package var id: String
    package var sandboxID: String
    package var name: String
    package var attempt: UInt32
    package var phase: Phase
    package var createdAt: Timestamp
    package var startedAt: Timestamp?
    package var finishedAt: Timestamp?
    package var exitCode: Int32 = 0
    /// The image as the pod named it.
    package var image = ""
    /// The digest or ID that runs.
    package var imageReference = ""
    /// `OOMKilled`, `Error`, `Completed` or what else the runtime says.
    package var reason = ""
    package var message = ""
    package var labels: [String: String] = [:]
    package var annotations: [String: String] = [:]
    package var logPath = ""
    /// Known after a status call.
    package var mounts: [MountPlan] = []

    package init(id: String, sandboxID: String, name: String, attempt: UInt32, phase: Phase, createdAt: Timestamp) {
        self.id = id
        self.sandboxID = sandboxID
        self.name = name
        self.attempt = attempt
        self.phase = phase
        self.createdAt = createdAt
    }
}

/// An image as the runtime knows it.
package struct ImageState: Sendable, Hashable {
    package var id: String
    package var tags: [String]
    package var digests: [String]
    /// Bytes.
    package var size: UInt64
    package var user: Int64?
    package var userName: String
    package var isPinned: Bool

    package init(id: String, tags: [String], digests: [String], size: UInt64, user: Int64?, userName: String, isPinned: Bool) {
        self.id = id
        self.tags = tags
        self.digests = digests
        self.size = size
        self.user = user
        self.userName = userName
        self.isPinned = isPinned
    }
}

/// One condition of the runtime, `RuntimeReady` or `NetworkReady`.
package struct RuntimeCondition: Sendable, Hashable {
    package var type: String
    package var isTrue: Bool
    package var reason: String
    package var message: String

    package init(type: String, isTrue: Bool, reason: String, message: String) {
        self.type = type
        self.isTrue = isTrue
        self.reason = reason
        self.message = message
    }
}

extension SandboxState {
    /// The order of a pod's sandboxes, newest first. The attempt counts before the time: a clock that is set back changes nothing.
    package static func isNewer(_ one: SandboxState, _ other: SandboxState) -> Bool {
        (one.attempt, one.createdAt) > (other.attempt, other.createdAt)
    }
}

extension ContainerState {
    /// The order of the containers of one name, newest first. The attempt counts before the time: a clock that is set back changes nothing.
    package static func isNewer(_ one: ContainerState, _ other: ContainerState) -> Bool {
        (one.attempt, one.createdAt) > (other.attempt, other.createdAt)
    }
}

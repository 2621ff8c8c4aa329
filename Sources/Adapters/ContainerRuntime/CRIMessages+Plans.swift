import PodCore

// Plans as CRI messages (`spec/05 §12`).

extension Runtime_V1_PodSandboxConfig {
    init(_ plan: SandboxPlan) {
        self.init()
        metadata.name = plan.podName
        metadata.uid = plan.podUID
        metadata.namespace = plan.podNamespace
        metadata.attempt = plan.attempt
        hostname = plan.hostname
        logDirectory = plan.logDirectory
        dnsConfig.servers = plan.dnsServers
        dnsConfig.searches = plan.dnsSearches
        dnsConfig.options = plan.dnsOptions
        portMappings = plan.ports.map { port in
            var mapping = Runtime_V1_PortMapping()
            mapping.protocol =
                switch port.transport {
                case .tcp: .tcp
                case .udp: .udp
                case .sctp: .sctp
                }
            mapping.containerPort = port.containerPort
            mapping.hostPort = port.hostPort
            mapping.hostIp = port.hostIP
            return mapping
        }
        labels = plan.labels
        annotations = plan.annotations
        linux.cgroupParent = plan.cgroupParent
        linux.sysctls = plan.sysctls
        linux.securityContext.namespaceOptions = Runtime_V1_NamespaceOption(plan.namespaces)
        linux.securityContext.privileged = plan.isPrivileged
        if let user = plan.runAsUser { linux.securityContext.runAsUser.value = user }
        if let group = plan.runAsGroup { linux.securityContext.runAsGroup.value = group }
        linux.securityContext.supplementalGroups = plan.supplementalGroups
        linux.securityContext.seccomp.profileType = .runtimeDefault
        if let label = plan.seLinux { linux.securityContext.selinuxOptions = Runtime_V1_SELinuxOption(label) }
        if let resources = plan.resources { linux.resources = Runtime_V1_LinuxContainerResources(resources) }
        if let overhead = plan.overhead { linux.overhead = Runtime_V1_LinuxContainerResources(overhead) }
    }
}

extension Runtime_V1_NamespaceOption {
    init(_ plan: NamespacePlan) {
        self.init()
        network = Runtime_V1_NamespaceMode(plan.network)
        pid = Runtime_V1_NamespaceMode(plan.pid)
        ipc = Runtime_V1_NamespaceMode(plan.ipc)
        if case .target(let containerID) = plan.pid { targetID = containerID }
    }
}

extension Runtime_V1_NamespaceMode {
    init(_ mode: NamespacePlan.Mode) {
        self =
            switch mode {
            case .pod: .pod
            case .container: .container
            case .node: .node
            case .target: .target
            }
    }
}

extension Runtime_V1_LinuxContainerResources {
    init(_ plan: ResourcePlan) {
        self.init()
        cpuPeriod = plan.cpuPeriod
        cpuQuota = plan.cpuQuota
        cpuShares = plan.cpuShares
        memoryLimitInBytes = plan.memoryLimit
        oomScoreAdj = plan.oomScoreAdjust
        cpusetCpus = plan.cpusetCPUs
        cpusetMems = plan.cpusetMemories
        memorySwapLimitInBytes = plan.memorySwapLimit
        unified = plan.unified
        hugepageLimits = plan.hugepageLimits.sorted { $0.key < $1.key }.map { size, bytes in
            var limit = Runtime_V1_HugepageLimit()
            limit.pageSize = size
            limit.limit = bytes
            return limit
        }
    }
}

extension Runtime_V1_SecurityProfile {
    init(_ plan: SecurityProfilePlan) {
        self.init()
        profileType =
            switch plan.kind {
            case .runtimeDefault: .runtimeDefault
            case .unconfined: .unconfined
            case .localhost: .localhost
            }
        localhostRef = plan.localhostReference
    }
}

extension Runtime_V1_SELinuxOption {
    init(_ plan: SELinuxPlan) {
        self.init()
        user = plan.user
        role = plan.role
        type = plan.type
        level = plan.level
    }
}

extension Runtime_V1_ContainerConfig {
    init(_ plan: ContainerPlan) {
        self.init()
        metadata.name = plan.name
        metadata.attempt = plan.attempt
        image.image = plan.image
        image.userSpecifiedImage = plan.userImage
        command = plan.command
        args = plan.arguments
        workingDir = plan.workingDirectory
        envs = plan.environment.map { name, value in
            var pair = Runtime_V1_KeyValue()
            pair.key = name
            pair.value = value
            return pair
        }
        mounts = plan.mounts.map(Runtime_V1_Mount.init)
        devices = plan.devices.map { plan in
            var device = Runtime_V1_Device()
            device.containerPath = plan.containerPath
            device.hostPath = plan.hostPath
            device.permissions = plan.permissions
            return device
        }
        cdiDevices = plan.cdiDevices.map { name in
            var device = Runtime_V1_CDIDevice()
            device.name = name
            return device
        }
        labels = plan.labels
        annotations = plan.annotations
        logPath = plan.logPath
        stdin = plan.stdin
        stdinOnce = plan.stdinOnce
        tty = plan.tty
        linux.resources = Runtime_V1_LinuxContainerResources(plan.resources)
        linux.securityContext = Runtime_V1_LinuxContainerSecurityContext(plan.security)
    }
}

extension Runtime_V1_Mount {
    init(_ plan: MountPlan) {
        self.init()
        containerPath = plan.containerPath
        hostPath = plan.hostPath
        readonly = plan.isReadOnly
        propagation =
            switch plan.propagation {
            case .isPrivate: .propagationPrivate
            case .hostToContainer: .propagationHostToContainer
            case .bidirectional: .propagationBidirectional
            }
    }
}

extension Runtime_V1_LinuxContainerSecurityContext {
    init(_ plan: ContainerSecurityPlan) {
        self.init()
        capabilities.addCapabilities = plan.addedCapabilities
        capabilities.dropCapabilities = plan.droppedCapabilities
        privileged = plan.isPrivileged
        namespaceOptions = Runtime_V1_NamespaceOption(plan.namespaces)
        if let user = plan.runAsUser { runAsUser.value = user }
        runAsUsername = plan.runAsUserName
        if let group = plan.runAsGroup { runAsGroup.value = group }
        readonlyRootfs = plan.hasReadOnlyRoot
        supplementalGroups = plan.supplementalGroups
        noNewPrivs = plan.noNewPrivileges
        maskedPaths = plan.maskedPaths
        readonlyPaths = plan.readOnlyPaths
        if let label = plan.seLinux { selinuxOptions = Runtime_V1_SELinuxOption(label) }
        if let profile = plan.seccomp { seccomp = Runtime_V1_SecurityProfile(profile) }
        if let profile = plan.appArmor {
            apparmorProfile =
                switch profile.kind {
                case .runtimeDefault: "runtime/default"
                case .unconfined: "unconfined"
                case .localhost: "localhost/\(profile.localhostReference)"
                }
        }
    }
}

package import ContainerRuntime
import KubeMachinery
package import Logging
package import PodCore
package import Primitives

/// The node's kubelet: registers the node, and makes the pods of the backend run in the container runtime (`spec/05`).
///
/// Pods come from the local store and need neither the cloud nor the registration. `run` returns when it is cancelled;
/// containers run on, and the next start adopts them.
package struct Edged: Sendable {
    private let context: PodContext
    private let current = CurrentPods()
    private let reader: UsageReader
    private let processes: ProcessReader
    private let reclaimer: (any DiskReclaimer)?

    /// What the node and its pods use. Costs nothing until it is asked.
    package var usage: any UsageSource { reader }
    private let window: KubeletWindow
    /// What the HTTP server shows of this kubelet.
    package var view: any KubeletView { window }

    /// - Parameters:
    ///   - handlers: How hooks and probes reach into pods.
    ///   - events: Takes what users are told of pods and node.
    ///   - meter: Takes what there is to count.
    ///   - devices: Brings what device plugins have to offer.
    ///   - runtime: Must be running (`CRIRuntime.run`) while this runs.
    package init(
        _ configuration: EdgedConfiguration, runtime: any RuntimeInterface, backend: any KubeletBackend, handlers: any HandlerNetwork,
        events: any EventSink = NoEvents(), meter: any KubeletMeter = NoMeter(), devices: any DeviceAllocator = NoDevices(),
        clock: any MomentSource = SystemClock(), logger: Logger
    ) throws(EdgedFailure) {
        try self.init(
            configuration, runtime: runtime, backend: backend, handlers: handlers, events: events, meter: meter, devices: devices,
            cgroups: PodCgroups(logger: logger), clock: clock, logger: logger)
    }

    init(
        _ configuration: EdgedConfiguration, runtime: any RuntimeInterface, backend: any KubeletBackend, handlers: any HandlerNetwork,
        events: any EventSink = NoEvents(), meter: any KubeletMeter = NoMeter(), devices: any DeviceAllocator = NoDevices(),
        cgroups: PodCgroups,
        processes: ProcessReader = ProcessReader(), reclaimer: (any DiskReclaimer)? = nil, clock: any MomentSource, logger: Logger
    ) throws(EdgedFailure) {
        window = KubeletWindow(clock: clock)
        context = PodContext(
            configuration: configuration, runtime: runtime, backend: backend, clock: clock,
            node: NodeState(NodeFacts(configuration, cgroups: cgroups)),
            images: ImageStore(
                runtime: runtime, clock: clock,
                credentialFiles: ["\(configuration.rootDirectory)/config.json", "/root/.docker/config.json", "/.docker/config.json"],
                logger: logger), cgroups: cgroups, handlers: handlers, events: events, meter: meter, devices: devices, logger: logger,
            starts: .podStarts(clock: clock), root: try OwnDirectory(configuration.rootDirectory),
            logs: try OwnDirectory(configuration.podLogDirectory))
        self.processes = processes
        self.reclaimer = reclaimer
        let current = current
        reader = UsageReader(context, processes: processes) { await current.subjects() }
    }

    package func run() async throws {
        for directory in ["pods", "plugins", "plugins_registry", "pod-resources", "checkpoints", "seccomp"] {
            try context.root.makeDirectory(directory)
        }
        await prepareGroups()
        let clock = context.clock
        let supervisor = PodSupervisor(context)
        current.follow(supervisor)
        window.show(supervisor)
        let garbage = GarbageCollector(context, pods: { await supervisor.standings() })
        let eviction = EvictionKeeper(
            context, supervisor: supervisor, usage: reader, reclaimer: reclaimer ?? garbage, processes: processes, kernelLog: KernelLog())
        let node = NodeKeeper(
            context.configuration, runtime: context.runtime, backend: context.backend, state: context.node, events: context.events,
            devices: context.devices,
            clock: clock,
            logger: context.logger,
            relistAge: { await supervisor.lastRelist.map { clock.now().uptime - $0 } })
        let lease = LeaseKeeper(context.configuration, backend: context.backend, clock: clock, logger: context.logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await node.run() }
            group.addTask { try await lease.run(node) }
            group.addTask { try await supervisor.run() }
            if context.configuration.evictionInterval > .zero { group.addTask { try await eviction.run() } }
            group.addTask { try await garbage.run() }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}

extension Edged {
    /// The groups above the pods', and the agent's own kernel score.
    private func prepareGroups() async {
        let configuration = context.configuration
        let machine = MachineFacts(configuration)
        // Only now is there a root directory whose file system can be measured: a pod may come before the node's first look.
        await context.node.update { $0.take(machine) }
        var share = configuration.enforcesAllocatable ? machine.podsShare : machine.capacity
        if let most = processes.processes().maximum {
            share["pid"] = max(Int64(clamping: most) - (configuration.enforcesAllocatable ? configuration.reserved["pid"] ?? 0 : 0), 1)
        }
        context.cgroups.makeNodeGroups(await context.node.facts, share: share)
        guard let score = configuration.oomScoreAdjust else { return }
        do { try HostFiles.put("\(score)", into: "/proc/self/oom_score_adj") } catch {
            context.logger.warning(
                "the kernel may kill the agent before its pods: it needs CAP_SYS_RESOURCE to protect itself",
                metadata: ["oomScoreAdj": "\(score)", "error": "\(error)"])
        }
    }
}

extension NodeFacts {
    /// What is known before the machine is measured.
    init(_ configuration: EdgedConfiguration, cgroups: PodCgroups) {
        self.init()
        name = configuration.nodeName
        labels = configuration.nodeLabels
        labels["kubernetes.io/hostname"] = configuration.nodeName
        labels["kubernetes.io/os"] = "linux"
        labels["kubernetes.io/arch"] = MachineReader.architecture
        rootDirectory = configuration.rootDirectory
        podLogDirectory = configuration.podLogDirectory
        clusterDomain = configuration.clusterDomain
        clusterDNS = configuration.clusterDNS
        resolverConfiguration = configuration.resolverFile.isEmpty ? nil : HostFiles.text(configuration.resolverFile) ?? ""
        hostsFile = HostFiles.text("/etc/hosts") ?? ""
        maximumPods = configuration.maximumPods
        enforcesCPUQuota = configuration.enforcesCPUQuota
        usesCgroupV2 = cgroups.isVersionTwo
        hasSwapController = cgroups.hasSwapController
        usesSystemdCgroups = configuration.usesSystemdCgroups
        cgroupRoot = configuration.cgroupRoot
        usesDefaultSeccompProfile = configuration.usesDefaultSeccompProfile
        kubernetesServiceHost = configuration.kubernetesServiceHost
        kubernetesServicePort = configuration.kubernetesServicePort
        allowedUnsafeSysctls = configuration.allowedUnsafeSysctls
        allowsSidecarContainers = configuration.allowsSidecarContainers
        hugepageSizes = MachineReader().hugepages.keys.sorted().map { $0 % (1 << 20) == 0 ? "\($0 >> 20)GB" : "\($0 >> 10)MB" }
        take(MachineFacts(configuration))
    }
}

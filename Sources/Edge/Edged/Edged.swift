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

    /// - Parameters:
    ///   - handlers: How hooks and probes reach into pods.
    ///   - events: Takes what users are told of pods and node.
    ///   - runtime: Must be running (`CRIRuntime.run`) while this runs.
    package init(
        _ configuration: EdgedConfiguration, runtime: any RuntimeInterface, backend: any KubeletBackend, handlers: any HandlerNetwork,
        events: any EventSink = NoEvents(), clock: any MomentSource = SystemClock(), logger: Logger
    ) throws(EdgedFailure) {
        try self.init(
            configuration, runtime: runtime, backend: backend, handlers: handlers, events: events, cgroups: PodCgroups(logger: logger), clock: clock,
            logger: logger)
    }

    init(
        _ configuration: EdgedConfiguration, runtime: any RuntimeInterface, backend: any KubeletBackend, handlers: any HandlerNetwork,
        events: any EventSink = NoEvents(), cgroups: PodCgroups, clock: any MomentSource, logger: Logger
    ) throws(EdgedFailure) {
        context = PodContext(
            configuration: configuration, runtime: runtime, backend: backend, clock: clock,
            node: NodeState(NodeFacts(configuration, cgroups: cgroups)),
            images: ImageStore(runtime: runtime, clock: clock, logger: logger), cgroups: cgroups, handlers: handlers, events: events,
            logger: logger,
            root: try OwnDirectory(configuration.rootDirectory), logs: try OwnDirectory(configuration.podLogDirectory))
    }

    package func run() async throws {
        for directory in ["pods", "plugins", "plugins_registry", "pod-resources", "checkpoints", "seccomp"] {
            try context.root.makeDirectory(directory)
        }
        let supervisor = PodSupervisor(context)
        let clock = context.clock
        let node = NodeKeeper(
            context.configuration, runtime: context.runtime, backend: context.backend, state: context.node, events: context.events, clock: clock,
            logger: context.logger,
            relistAge: { await supervisor.lastRelist.map { clock.now().uptime - $0 } })
        let lease = LeaseKeeper(context.configuration, backend: context.backend, clock: clock, logger: context.logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await node.run() }
            group.addTask { try await lease.run(node) }
            group.addTask { try await supervisor.run() }
            defer { group.cancelAll() }
            try await group.next()
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
        usesSystemdCgroups = configuration.usesSystemdCgroups
        cgroupRoot = configuration.cgroupRoot
        usesDefaultSeccompProfile = configuration.usesDefaultSeccompProfile
        kubernetesServiceHost = configuration.kubernetesServiceHost
        kubernetesServicePort = configuration.kubernetesServicePort
        allowedUnsafeSysctls = configuration.allowedUnsafeSysctls
        hugepageSizes = MachineReader().hugepages.keys.sorted().map { $0 % (1 << 20) == 0 ? "\($0 >> 20)GB" : "\($0 >> 10)MB" }
        take(MachineFacts(configuration))
    }
}

import ContainerRuntime
import KubeMachinery
import Logging
import PodCore
import Primitives

/// Registers the node and keeps its status true (`spec/05 §5`). What to send and when is decided by `NodeReporter`.
///
/// It looks at the runtime every five seconds, ten times a second until the node is ready for the first time. Pods do not wait for it.
actor NodeKeeper {
    private let configuration: EdgedConfiguration
    private let runtime: any RuntimeInterface
    private let backend: any KubeletBackend
    private let state: NodeState
    private let devices: any DeviceAllocator
    private let clock: any MomentSource
    private let logger: Logger
    private let events: any EventSink
    private var news: NodeEvents
    private var isNew = false
    private var reporter: NodeReporter
    private var facts: MachineFacts
    private var runtimeSeenAt: Duration?
    private var isLossSuspected = false
    private var hasBeenReady = false
    private let wake = Signal()
    /// The age of the runtime's lists as `PodSupervisor` tells it.
    private let relistAge: @Sendable () async -> Duration?

    init(
        _ configuration: EdgedConfiguration, runtime: any RuntimeInterface, backend: any KubeletBackend, state: NodeState,
        events: any EventSink, devices: any DeviceAllocator = NoDevices(), clock: any MomentSource, logger: Logger,
        relistAge: @escaping @Sendable () async -> Duration?
    ) {
        self.events = events
        news = NodeEvents(node: configuration.nodeName)
        self.configuration = configuration
        self.runtime = runtime
        self.backend = backend
        self.state = state
        self.devices = devices
        self.clock = clock
        self.logger = logger
        self.relistAge = relistAge
        var registration = NodeReporter.Registration()
        registration.labels = configuration.nodeLabels
        registration.taints = configuration.taints
        registration.isSchedulable = configuration.isSchedulable
        registration.keepsTerminatedPodVolumes = configuration.keepsTerminatedPodVolumes
        reporter = NodeReporter(registration: registration)
        facts = MachineFacts(configuration)
    }

    /// The node's UID, nil until it is registered.
    var uid: String? { reporter.node.flatMap { $0.uid.isEmpty ? nil : $0.uid } }

    /// Something that belongs to the node is gone: the next round looks whether the node is still there.
    func suspectLoss() {
        isLossSuspected = true
        wake.set()
    }

    /// The lease was renewed; after a gap the next rounds look what the cluster has made of the node.
    func leased(duration: Duration) {
        reporter.leased(duration: duration, now: clock.now())
        if reporter.isDoubted(now: clock.now()) { wake.set() }
    }

    func run() async throws {
        let startedAt = clock.now().uptime
        record([NodeEvents.starting])
        await learnOffline()
        var retry = Backoff(initial: .milliseconds(100), limit: .seconds(7))
        while true {
            await look()
            if reporter.node == nil {
                do {
                    try await register()
                    retry.reset()
                } catch let error as CancellationError {
                    throw error
                } catch {
                    logger.info("node not registered yet", metadata: ["node": "\(configuration.nodeName)", "error": "\(error)"])
                    try await clock.wait(until: clock.now().uptime + retry.next())
                    continue
                }
            }
            await report()
            let isStarting = !hasBeenReady && clock.now().uptime - startedAt < .seconds(120)
            let pause = isStarting ? .milliseconds(100) : configuration.statusInterval * 0.5 * Double.random(in: 1...1.04)
            await wake.wait(until: clock.now().uptime + pause, clock: clock)
            try Task.checkCancellation()
        }
    }

    // MARK: - Looking

    /// Measures what changes, and asks the runtime.
    private func look() async {
        facts.measure(configuration)
        let pressures = await state.facts.pressures
        facts.hasMemoryPressure = pressures.contains(.memory)
        facts.hasDiskPressure = pressures.contains(.disk)
        facts.hasPIDPressure = pressures.contains(.processes)
        facts.devices = await devices.resources().mapValues { (capacity: $0.capacity, allocatable: $0.allocatable) }
        let now = clock.now().uptime
        var problems: [String] = []
        var network: String?
        do {
            if facts.runtimeVersion.isEmpty || facts.runtimeVersion.hasPrefix("Unknown") {
                let (name, version) = try await runtime.version()
                facts.runtimeVersion = "\(name)://\(version)"
                await state.update { $0.runtimeName = name }
            }
            let conditions = try await runtime.status()
            if let condition = conditions.first(where: { $0.type == "RuntimeReady" }), condition.isTrue { runtimeSeenAt = now }
            if let condition = conditions.first(where: { $0.type == "NetworkReady" }), !condition.isTrue {
                network = "NetworkReady=false reason:\(condition.reason) message:\(condition.message)"
            }
        } catch {
            if facts.runtimeVersion.isEmpty { facts.runtimeVersion = "Unknown://Unknown" }
            logger.debug("runtime did not answer", metadata: ["error": "\(error)"])
        }
        if let runtimeSeenAt {
            if now - runtimeSeenAt > .seconds(30) { problems.append("container runtime is down") }
        } else {
            problems.append("container runtime status check may not have completed yet")
        }
        if let age = await relistAge(), age > .seconds(180) {
            problems.append("PLEG is not healthy: pleg was last seen active \(age.components.seconds)s ago; threshold is 3m0s")
        }
        if let network { problems.append("container runtime network not ready: \(network)") }
        facts.problems = problems
        if problems.isEmpty { hasBeenReady = hasBeenReady || reporter.node != nil }
        await state.setNetworkProblem(network)
        let facts = facts
        await state.update { $0.take(facts) }
    }

    /// Before the cloud answers, what the local store knows of the node serves for plans.
    private func learnOffline() async {
        guard let node = try? await backend.node() else { return }
        await state.update { $0.take(node) }
    }

    // MARK: - Registering

    private func register() async throws {
        let node: KubeObject
        if configuration.registersNode {
            do {
                node = try await backend.createNode(reporter.newNode(facts, now: clock.now()))
                isNew = true
                logger.info("node registered", metadata: ["node": "\(configuration.nodeName)"])
            } catch let status as KubeStatus where status.isAlreadyExists {
                node = try await reconcile(backend.node())
            }
        } else {
            node = try await backend.node()
        }
        guard !node.uid.isEmpty else {
            throw KubeStatus.serviceUnavailable("the cluster answered with a node without a UID: registration is tried again")
        }
        await take(node)
    }

    private func reconcile(_ existing: KubeObject) async throws -> KubeObject {
        guard let patch = reporter.reconciliation(existing, facts) else { return existing }
        return try await backend.patchNodeStatus(patch)
    }

    private func take(_ node: KubeObject) async {
        reporter.received(node)
        await state.update { $0.take(node) }
    }

    // MARK: - Reporting

    private func record(_ notices: [KubeletNotice]) {
        for notice in notices { events.record(KubeletEvent(.node(configuration.nodeName), notice)) }
    }

    private func report() async {
        if let node = reporter.node { record(news.observe(facts, cluster: node, isNew: isNew)) }
        do {
            if isLossSuspected || reporter.isDoubted(now: clock.now()) {
                await take(try await backend.node())
                isLossSuspected = false
            }
            guard let patch = reporter.statusPatch(facts, now: clock.now()) else { return }
            await take(try await backend.patchNodeStatus(patch))
        } catch let status as KubeStatus where status.isNotFound {
            logger.warning("node is gone from the cluster: it is registered again", metadata: ["node": "\(configuration.nodeName)"])
            isLossSuspected = false
            reporter.lost()
        } catch {
            reporter.patchFailed()
            logger.debug("node status not sent", metadata: ["error": "\(error)"])
        }
    }
}

extension MachineFacts {
    /// What does not change while the agent runs.
    init(_ configuration: EdgedConfiguration) {
        self.init()
        let machine = MachineReader()
        nodeName = configuration.nodeName
        machineID = machine.machineID
        systemUUID = machine.systemUUID
        bootID = machine.bootID
        kernelVersion = machine.kernelVersion
        osImage = machine.systemName
        architecture = MachineReader.architecture
        enforcesAppArmor = machine.enforcesAppArmor
        cpuCount = machine.cores
        memory = machine.memory
        for (size, bytes) in machine.hugepages {
            hugepages[size % (1 << 20) == 0 ? "\(size >> 20)Gi" : size % 1024 == 0 ? "\(size >> 10)Mi" : "\(size)Ki"] = bytes
        }
        maximumPods = configuration.maximumPods
        kubeletVersion = configuration.kubeletVersion
        kubeProxyVersion = configuration.kubeletVersion
        kubeletPort = configuration.serverPort
        podsPerCore = configuration.podsPerCore
        reserved = configuration.reserved
        eviction = configuration.eviction
        measure(configuration)
    }

    /// What may have changed since the last look.
    mutating func measure(_ configuration: EdgedConfiguration) {
        if let space = Mounts.space(configuration.rootDirectory) { storage = space.capacity }
        let address = configuration.nodeAddress.isEmpty ? MachineReader.nodeAddress() : configuration.nodeAddress
        addresses = address.map { [$0] } ?? []
    }
}

extension NodeFacts {
    /// What plans need of a machine.
    mutating func take(_ machine: MachineFacts) {
        addresses = machine.addresses
        memoryCapacity = machine.memory
        let amounts = machine.allocatable
        allocatableCPU = amounts["cpu"] ?? 0
        allocatableMemory = amounts["memory"] ?? 0
        allocatableStorage = amounts["ephemeral-storage"] ?? 0
        maximumPods = amounts["pods"] ?? maximumPods
        for (name, amount) in amounts.amounts where name.hasPrefix("hugepages-") || name.contains("/") { allocatableOther[name] = amount }
        enforcesAppArmor = machine.enforcesAppArmor
    }

    /// What the cluster says of the node.
    mutating func take(_ node: KubeObject) {
        uid = node.uid
        labels = node.labels
        taints = node.spec["taints"].elements
    }
}

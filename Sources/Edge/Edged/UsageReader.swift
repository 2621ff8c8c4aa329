import ContainerRuntime
import Logging
import PodCore
import Primitives

/// Measures the node and its pods when somebody asks, never otherwise (`spec/05 §27.1–27.2`).
///
/// Containers come from the runtime, pods and node from control groups, disks from walks that are kept for a minute.
/// What cannot be had is left out.
actor UsageReader: UsageSource {
    /// Time between the two samples of a first question.
    private static let firstInterval = Duration.milliseconds(250)

    let context: PodContext
    let groups: CgroupReader
    let processes: ProcessReader
    private let subjects: @Sendable () async -> [PodSubject]
    var rates = ProcessorRates()
    var walks = WalkCache()

    init(_ context: PodContext, processes: ProcessReader = ProcessReader(), subjects: @escaping @Sendable () async -> [PodSubject]) {
        self.context = context
        self.processes = processes
        groups = CgroupReader(context.cgroups, proc: processes.proc)
        self.subjects = subjects
    }

    func usage(onlyProcessorAndMemory: Bool) async throws -> NodeUsage {
        if !rates.hasRecent(context.clock.now().uptime) {
            _ = await measure(withDisks: false)
            try await context.clock.wait(until: context.clock.now().uptime + Self.firstInterval)
        }
        return await measure(withDisks: !onlyProcessorAndMemory)
    }

    private func measure(withDisks: Bool) async -> NodeUsage {
        let node = await context.node.facts
        let subjects = await subjects()
        let statistics = Dictionary(grouping: await containerStatistics(ofPod: nil)) { $0.labels[ContainerLabel.podUID] ?? "" }
        let disks = withDisks ? await disks() : nil
        var pods: [PodUsage] = []
        for subject in subjects {
            let own = statistics[subject.pod.uid] ?? []
            var usage = pod(subject, own, node)
            if let disks { await measureStorage(&usage, subject, own, disks, node, maximumAge: WalkCache.lifetime) }
            pods.append(usage)
        }
        let now = context.clock.now()
        var usage = NodeUsage(nodeName: node.name, time: now.wall)
        usage.startTime = now.wall + (.zero - now.uptime)
        usage.processor = processor("/", groups.processorTime("/"))
        usage.memory = groups.memory("/") ?? MemoryUsage()
        (usage.maximumProcesses, usage.processes) = processes.processes()
        usage.systemContainers = systemContainers(node)
        usage.network = processes.network(of: "self")
        usage.filesystem = disks?.node
        usage.imageFilesystem = disks?.images
        usage.pods = pods.sorted { $0.key < $1.key }
        rates.endRound(at: now.uptime)
        if withDisks { walks.endRound(at: now.uptime) }
        return usage
    }

    func containerStatistics(ofPod uid: String?) async -> [ContainerStatistics] {
        do { return try await context.runtime.containerStatistics(ofPod: uid) } catch {
            context.logger.debug("usage of containers not read", metadata: ["error": "\(error)"])
            return []
        }
    }

    private func processor(_ name: String, _ nanoseconds: UInt64?, measuredAt: Duration? = nil, told: UInt64? = nil) -> ProcessorUsage {
        let rate = rates.rate(name, nanoseconds, measuredAt: measuredAt, at: context.clock.now().uptime)
        return ProcessorUsage(nanoCores: rate ?? told, nanoseconds: nanoseconds, measuredAt: measuredAt)
    }

    private func systemContainers(_ node: NodeFacts) -> [ContainerUsage] {
        var agent = processes.ownUsage()
        agent.processor = processor(agent.name, agent.processor.nanoseconds)
        let path = node.path(node.podsCgroup)
        guard let memory = groups.memory(path) else { return [agent] }
        var all = ContainerUsage(name: "pods")
        all.memory = memory
        if memory.available == nil, node.memoryCapacity > 0, let working = memory.workingSet {
            all.memory.available = UInt64(node.memoryCapacity) - min(UInt64(node.memoryCapacity), working)
        }
        all.processor = processor(path, groups.processorTime(path))
        return [agent, all]
    }

    private func pod(_ subject: PodSubject, _ statistics: [ContainerStatistics], _ node: NodeFacts) -> PodUsage {
        let pod = subject.pod
        var usage = PodUsage(key: pod.object.key, uid: pod.uid)
        usage.startTime = subject.startTime
        usage.containers = statistics.sorted { $0.name < $1.name }.map { container in
            var own = ContainerUsage(name: container.name, id: container.id)
            own.startTime = subject.started[container.id]
            let measured = container.processor
            own.processor = processor(container.id, measured.nanoseconds, measuredAt: measured.measuredAt, told: measured.nanoCores)
            own.memory = container.memory
            return own
        }
        let path = node.path(pod.cgroup(node))
        if let memory = groups.memory(path) {
            usage.memory = memory
            usage.processor = processor(path, groups.processorTime(path))
        } else {
            usage.memory.workingSet = usage.containers.compactMap(\.memory.workingSet).reduce(0, &+)
            usage.processor.nanoseconds = usage.containers.compactMap(\.processor.nanoseconds).reduce(0, &+)
            usage.processor.nanoCores = usage.containers.compactMap(\.processor.nanoCores).reduce(0, &+)
        }
        let (count, first) = groups.processes(path)
        usage.processes = count
        if !pod.usesHostNetwork, let first { usage.network = processes.network(of: "\(first)") }
        return usage
    }
}

import ContainerRuntime
import KubeMachinery
import Logging
import PodCore
import Primitives

/// Watches the node for shortages: shows them in its conditions, frees what it can, and at last ends one pod at a time (`spec/05 §25`).
///
/// A look every ten seconds reads a dozen small files. Pods are measured only when one has to go, and those whose local storage is limited.
actor EvictionKeeper {
    /// How long the next look waits for an evicted pod to stop.
    private static let cleanUpTime = Duration.seconds(30)

    private let context: PodContext
    private let supervisor: PodSupervisor
    private let usage: UsageReader
    private let reclaimer: any DiskReclaimer
    private let signals: SignalReader
    private let kernelLog: KernelLog?
    private var tracker: PressureTracker
    private var imageMountPoint: String?

    private var logger: Logger { context.logger }
    private var settings: EvictionSettings { tracker.settings }

    init(
        _ context: PodContext, supervisor: PodSupervisor, usage: UsageReader, reclaimer: any DiskReclaimer,
        processes: ProcessReader = ProcessReader(), kernelLog: KernelLog?
    ) {
        self.context = context
        self.supervisor = supervisor
        self.usage = usage
        self.reclaimer = reclaimer
        self.kernelLog = kernelLog
        signals = SignalReader(context, processes: processes)
        tracker = PressureTracker(context.configuration.eviction)
    }

    func run() async throws {
        let interval = context.configuration.evictionInterval
        while true {
            try await context.clock.wait(until: context.clock.now().uptime + interval)
            // A pod that went may not have been enough.
            while let evicted = await look() { try await waitForEnd(of: evicted) }
        }
    }

    /// One look; returns the pods that had to go.
    private func look() async -> [String]? {
        reportKilledProcesses()
        let node = await context.node.facts
        let observations = await observe(node)
        let assessment = tracker.observe(observations, uptime: context.clock.now().uptime)
        if assessment.pressures != node.pressures { await show(assessment.pressures) }
        if settings.limitsLocalStorage {
            let offenders = await evictOffenders()
            if !offenders.isEmpty { return offenders }
        }
        guard let threshold = assessment.thresholds.first else { return nil }
        return await relieve(threshold, assessment, observations, node).map { [$0] }
    }

    private func observe(_ node: NodeFacts) async -> EvictionObservations {
        if imageMountPoint == nil, let mountPoint = try? await context.runtime.imageFilesystems().first?.mountPoint, !mountPoint.isEmpty {
            imageMountPoint = mountPoint
        }
        return signals.read(node, imageMountPoint: imageMountPoint)
    }

    private func show(_ pressures: [NodePressure]) async {
        logger.warning("node pressure changed", metadata: ["conditions": "\(pressures.map(\.rawValue).joined(separator: ","))"])
        await context.node.update { $0.pressures = pressures }
    }

    private var hasImageFilesystem: Bool { imageMountPoint.flatMap { DirectoryUsage.areApart(context.root.path, $0) } ?? false }

    // MARK: - A shortage

    /// Frees disk where that may help, else ends one pod; returns its UID.
    private func relieve(
        _ threshold: EvictionThreshold, _ assessment: PressureAssessment, _ observations: EvictionObservations, _ node: NodeFacts
    ) async -> String? {
        let resource = threshold.signal.resource
        context.events.record(
            KubeletEvent(.node(node.name), .warning, reason: "EvictionThresholdMet", message: "Attempting to reclaim \(resource)"))
        if await hasReclaimed(threshold.signal, node) {
            logger.info("shortage relieved without ending a pod", metadata: ["resource": "\(resource)"])
            return nil
        }
        let needsDisks = threshold.signal.pressure == .disk
        let measured = try? await usage.usage(onlyProcessorAndMemory: !needsDisks)
        let known = Dictionary((measured?.pods ?? []).map { ($0.uid, $0) }, uniquingKeysWith: { first, _ in first })
        let candidates = await supervisor.subjects().filter(\.isEvictable).map { EvictionCandidate(pod: $0.pod, usage: known[$0.pod.uid]) }
        let ranked = EvictionRanking.ranked(candidates, for: threshold.signal, hasImageFilesystem: hasImageFilesystem)
        for candidate in ranked where !candidate.pod.isCritical {
            let message = EvictionRanking.message(threshold.signal, candidate, thresholds: assessment.thresholds, observations)
            await evict(candidate.pod, message, grace: threshold.isHard ? .zero : settings.maximumPodGrace, isDisruption: true)
            return candidate.pod.uid
        }
        logger.warning(
            "the node is short of something and no pod can go: free some of it by hand",
            metadata: ["resource": "\(resource)", "signal": "\(threshold.signal.rawValue)"])
        return nil
    }

    /// Whether nothing is short any more once dead containers and unused images are gone.
    private func hasReclaimed(_ signal: EvictionSignal, _ node: NodeFacts) async -> Bool {
        guard signal.pressure == .disk else { return false }
        // With images on a disk of their own, nothing of theirs lies on the node's.
        if hasImageFilesystem, signal == .nodeSpace || signal == .nodeInodes { return false }
        do {
            try await reclaimer.removeDeadContainers()
            try await reclaimer.removeUnusedImages()
        } catch {
            logger.warning("disk space not freed", metadata: ["signal": "\(signal.rawValue)", "error": "\(error)"])
        }
        return tracker.isRelieved(await observe(node))
    }

    // MARK: - Local storage

    /// Ends every pod that takes more local storage than it may.
    private func evictOffenders() async -> [String] {
        var evicted: [String] = []
        for subject in await supervisor.subjects(withStorageLimits: true) where subject.isEvictable && !subject.pod.isCritical {
            let used = await usage.storage(of: subject, maximumAge: context.configuration.evictionInterval * 0.9)
            guard let message = LocalStorageRule.violation(subject.pod, used, hasImageFilesystem: hasImageFilesystem) else { continue }
            await evict(subject.pod, message, grace: .zero, isDisruption: false)
            evicted.append(subject.pod.uid)
        }
        return evicted
    }

    // MARK: - Ending pods

    private func evict(_ pod: PodView, _ message: String, grace: Duration, isDisruption: Bool) async {
        logger.warning("pod is evicted", metadata: ["pod": "\(pod.object.key)", "message": "\(message)"])
        context.events.record(KubeletEvent(.pod(pod), .warning, reason: "Evicted", message: message))
        await supervisor.evict(pod.uid, message, grace: grace, isDisruption: isDisruption)
    }

    private func waitForEnd(of uids: [String]) async throws {
        let deadline = context.clock.now().uptime + Self.cleanUpTime
        var left = uids
        while !left.isEmpty, context.clock.now().uptime < deadline {
            try await context.clock.wait(until: context.clock.now().uptime + .seconds(1))
            var open: [String] = []
            for uid in left where await !supervisor.hasReleased(uid) { open.append(uid) }
            left = open
        }
    }

    // MARK: - Killed processes

    private func reportKilledProcesses() {
        for killed in kernelLog?.killed() ?? [] {
            logger.warning(
                "the kernel killed a process for want of memory",
                metadata: ["process": "\(killed.process)", "pid": "\(killed.pid)", "cgroup": "\(killed.cgroup)"])
            guard killed.isOfSystem else { continue }
            context.events.record(
                KubeletEvent(.node(context.configuration.nodeName), .warning, reason: "SystemOOM", message: killed.message))
        }
    }
}

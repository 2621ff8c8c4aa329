import ContainerRuntime
import KubeMachinery
import Logging
import PodCore
import Primitives

/// What a turn of a pod ended with.
struct TurnOutcome: Sendable {
    /// What the runtime had of the pod, to be compared with its lists.
    var fingerprint: Int?
    /// Uptime of the next turn when nothing happens before.
    var wakeUp: Duration?
    /// Uptime of the next round of probes; nil without any.
    var probesDue: Duration?
    /// Nothing of the pod is left, in the runtime or on the disk, and nobody wants it: the worker is done.
    var isGone = false
}

/// Performs what `PodLifecycle` decides for one pod.
///
/// A turn observes, decides, reports the status and acts until nothing is left to do now. `PodSupervisor` gives one turn at a time.
/// News that change the end of a pod (deletion, a shorter grace) cut a turn short, wherever it waits.
actor PodWorker {
    enum UpdateResult: Sendable { case unchanged, changed, tooLate }

    nonisolated let key: ObjectKey
    nonisolated let uid: String
    let context: PodContext
    var lifecycle: PodLifecycle
    var probes = ProbeResults()
    /// States that need not be asked for again, by container or sandbox.
    var knownContainers: [String: ContainerState] = [:]
    var knownSandboxes: [String: SandboxState] = [:]
    var volumes = VolumeSet()
    var podProbes = PodProbes()
    var retry = Backoff(initial: .seconds(1), limit: .seconds(10), jitter: 0.2)
    /// The API object was asked to be deleted for good.
    var hasDeletedObject = false
    /// The cluster was told that the pod runs.
    var hasToldRunning = false
    var fingerprint: Int?
    /// What the turn that runs, or the last one, saw.
    private var observation: PodObservation?
    private var interruption: AsyncStream<Void>.Continuation?

    var logger: Logger { context.logger }
    var pod: PodView { lifecycle.pod }

    init(_ pod: KubeObject, _ context: PodContext) {
        key = pod.key
        uid = pod.uid
        self.context = context
        lifecycle = PodLifecycle(Self.marked(pod, context.clock.now()))
        probes = ProbeResults(PodView(pod))
    }

    /// Of a pod that runs although nobody wants it: `pod` holds what the labels tell.
    init(orphan pod: KubeObject, _ context: PodContext) {
        key = pod.key
        uid = pod.uid
        self.context = context
        lifecycle = PodLifecycle(pod)
        lifecycle.orphan()
    }

    /// The annotations that the kubelet sets on each pod it sees (`spec/05 §4.5`).
    private static func marked(_ pod: KubeObject, _ now: Moment) -> KubeObject {
        var pod = pod
        let annotations = pod.metadata["annotations"]
        if annotations["kubernetes.io/config.seen"].string == nil {
            pod.metadata["annotations"]["kubernetes.io/config.seen"] = .string(now.wall.rfc3339Nano)
        }
        if annotations["kubernetes.io/config.source"].string == nil { pod.metadata["annotations"]["kubernetes.io/config.source"] = "api" }
        return pod
    }

    // MARK: - News

    /// Takes the newest object of the cluster; returns whether a turn is due.
    func update(_ object: KubeObject) -> UpdateResult {
        if lifecycle.ending == .removed { return .tooLate }
        let before = lifecycle
        lifecycle.update(object)
        let isSame =
            before.pod.spec == lifecycle.pod.spec && before.pod.object.labels == lifecycle.pod.object.labels
            && before.pod.object.annotations == lifecycle.pod.object.annotations && before.pod.isDeleted == lifecycle.pod.isDeleted
            && before.pod.deletionGrace == lifecycle.pod.deletionGrace && before.pod.object.status == lifecycle.pod.object.status
        if before.pod.object.labels != lifecycle.pod.object.labels || before.pod.object.annotations != lifecycle.pod.object.annotations {
            // Files may show them.
            volumes.isStale = true
        }
        let isEnding = before.stage != lifecycle.stage || before.pod.deletionGrace != lifecycle.pod.deletionGrace
        if isEnding { interrupt() }
        return isSame ? .unchanged : .changed
    }

    /// The pod is gone from the cluster.
    func remove() {
        guard lifecycle.ending != .removed else { return }
        let wasEnding = lifecycle.stage != .syncing
        lifecycle.remove()
        if !wasEnding { interrupt() }
    }

    /// Nothing of the pod is started while the node cannot give it something.
    func block(_ refusal: AdmissionRefusal?) { lifecycle.block(refusal) }

    func reject(_ refusal: AdmissionRefusal) {
        logger.warning("pod refused", metadata: ["pod": "\(key)", "reason": "\(refusal.reason)", "message": "\(refusal.message)"])
        record(.refused(refusal))
        lifecycle.reject(refusal)
    }

    /// Takes the mirror of a static pod; true where that is news.
    func update(mirror: KubeObject?) -> Bool {
        guard lifecycle.mirror != mirror else { return false }
        lifecycle.update(mirror: mirror)
        return true
    }

    /// Files made from configMaps and secrets are made anew in the next turn.
    func configurationChanged() { volumes.isStale = true }

    /// The pod with its newest status; nil once the cluster has no such pod any more.
    var served: KubeObject? {
        guard lifecycle.ending != .removed else { return nil }
        var object = pod.object
        if !lifecycle.status.isNull { object.status = lifecycle.status }
        return object
    }

    /// The pod and whether it counts as one that uses the node: one that the cluster knows to have ended does not.
    var admissionView: (PodView, Bool) { (lifecycle.pod, lifecycle.couldHaveRunningContainers && !lifecycle.pod.isTerminal) }

    func interrupt() { interruption?.finish() }

    // MARK: - A turn

    func turn(_ node: NodeFacts) async -> TurnOutcome {
        let (interrupted, interruption) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.interruption = interruption
        defer { self.interruption = nil }
        let outcome = await withTaskGroup(of: TurnOutcome?.self) { group in
            group.addTask { await self.advance(node) }
            group.addTask {
                for await _ in interrupted {}
                return nil
            }
            var outcome: TurnOutcome?
            for await result in group {
                if let result { outcome = result }
                group.cancelAll()
            }
            return outcome
        }
        return outcome ?? TurnOutcome()
    }

    private func advance(_ node: NodeFacts) async -> TurnOutcome {
        var outcome = TurnOutcome()
        do {
            outcome.wakeUp = try await settle(node)
        } catch is CancellationError {
            outcome.wakeUp = context.clock.now().uptime
        } catch {
            let delay = retry.next()
            logger.warning("pod not settled", metadata: ["pod": "\(key)", "error": "\(error)", "retry": "\(delay)"])
            outcome.wakeUp = context.clock.now().uptime + delay
        }
        outcome.fingerprint = fingerprint
        outcome.probesDue = nextProbes()
        outcome.isGone = lifecycle.stage == .finished && lifecycle.ending == .removed && fingerprint == 0
        return outcome
    }

    /// Works until nothing is left to do now; returns the uptime of the next turn.
    private func settle(_ node: NodeFacts) async throws -> Duration {
        for _ in 0..<32 {
            try Task.checkCancellation()
            let observation = try await look()
            self.observation = observation
            let now = context.clock.now()
            let wasRunning = lifecycle.stage == .syncing
            let actions = lifecycle.sync(observation, probes: probes, now: now)
            if wasRunning, case .failed("DeadlineExceeded", let message) = lifecycle.ending { record(.deadlineExceeded(message)) }
            lifecycle.updateStatus(observation, node: node, probes: probes, now: now)
            await reportStatus()
            if actions.releases {
                try await release(node)
                continue
            }
            if actions.deletesObject, !hasDeletedObject { try await deleteObject() }
            if lifecycle.stage == .finished, lifecycle.ending == .removed {
                try await leaveNoTrace(observation, node)
                return now.uptime
            }
            let isBusy = !actions.isEmpty && !(actions.deletesObject && hasDeletedObject)
            if isBusy {
                if try await perform(actions, observation, node) { continue }
                return try await settleAfterFailure(node, actions)
            }
            if lifecycle.stage == .syncing { try await refreshVolumes(node) }
            await removeDead(observation)
            retry.reset()
            recordBackOffs()
            return nextLook(actions, now)
        }
        throw EdgedFailure(code: .hook, message: "pod \(key) does not come to rest: it is looked at again")
    }

    private func look() async throws -> PodObservation {
        do {
            return try await observe()
        } catch let failure as RuntimeFailure {
            record(.syncFailed(failure.message))
            throw failure
        }
    }

    /// Something did not start: the status says so, and the next try waits.
    private func settleAfterFailure(_ node: NodeFacts, _ actions: PodActions) async throws -> Duration {
        let observation = try await observe()
        let now = context.clock.now()
        let next = lifecycle.sync(observation, probes: probes, now: now)
        lifecycle.updateStatus(observation, node: node, probes: probes, now: now)
        await reportStatus()
        recordBackOffs()
        let delay = retry.next()
        return min(now.uptime + delay, next.wakeUp ?? .seconds(Int64.max / 4))
    }

    /// A probe's result shows at once although a turn is at work, such as a container that takes its time to stop.
    func showProbes(_ node: NodeFacts) async {
        guard let observation else { return }
        lifecycle.updateStatus(observation, node: node, probes: probes, now: context.clock.now())
        await reportStatus()
    }

    private func nextLook(_ actions: PodActions, _ now: Moment) -> Duration {
        var next = now.uptime + context.configuration.syncInterval * Double.random(in: 1...1.5)
        if let wakeUp = actions.wakeUp { next = min(next, wakeUp) }
        if let refresh = volumes.refreshAt { next = min(next, refresh) }
        return next
    }

    /// New containers may be probed at once; `ProbeCore` knows the times.
    private func nextProbes() -> Duration? {
        let hasProbes = pod.lastingContainers.contains { $0.readinessProbe != nil || $0.livenessProbe != nil || $0.startupProbe != nil }
        return hasProbes && lifecycle.couldHaveRunningContainers ? context.clock.now().uptime : nil
    }

    // MARK: - The cluster

    private func reportStatus() async {
        measureStart()
        guard let uid = lifecycle.reportUID, let patch = lifecycle.statusPatch() else { return }
        do {
            try await context.backend.patchPodStatus(key, uid: uid, patch)
        } catch let status as KubeStatus where status.isNotFound {
            logger.debug("pod is not in the cluster any more", metadata: ["pod": "\(key)"])
        } catch {
            lifecycle.patchFailed()
            logger.debug("pod status not stored", metadata: ["pod": "\(key)", "error": "\(error)"])
        }
    }

    private func measureStart() {
        guard !hasToldRunning, lifecycle.status["phase"] == "Running" else { return }
        hasToldRunning = true
        guard pod.phase != "Running", let creation = pod.object.creationTimestamp else { return }
        context.meter.record(.podRuns(sinceCreation: context.clock.now().wall - creation))
    }

    private func deleteObject() async throws {
        do {
            try await context.backend.deletePod(key, uid: uid)
        } catch let status as KubeStatus where status.isNotFound {
            logger.debug("pod is deleted already", metadata: ["pod": "\(key)"])
        }
        hasDeletedObject = true
    }
}

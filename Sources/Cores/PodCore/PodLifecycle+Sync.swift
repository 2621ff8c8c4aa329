import KubeMachinery
package import Primitives

extension PodLifecycle {
    /// Works out the next step from what the runtime has.
    package mutating func sync(_ observation: PodObservation, probes: ProbeResults = ProbeResults(), now: Moment) -> PodActions {
        var actions = PodActions()
        if stage == .syncing { checkDeadline(now: now, &actions) }
        if stage == .syncing, isComplete(observation) { end(.completed) }
        switch stage {
        case .syncing where blockage != nil: break
        case .syncing: run(observation, probes: probes, now: now, &actions)
        case .terminating: terminate(observation, &actions)
        case .terminated, .finished: break
        }
        switch stage {
        case .terminated: actions.releases = true
        case .finished: actions.deletesObject = pod.isDeleted && ending != .removed && !pod.isStatic
        case .syncing, .terminating: break
        }
        return actions
    }

    private mutating func checkDeadline(now: Moment, _ actions: inout PodActions) {
        guard let allowed = pod.activeDeadline else {
            deadline = nil
            return
        }
        guard let start = startTime else { return }
        if deadline?.allowed != allowed { deadline = (allowed, now.uptime + allowed - max(now.wall - start, .zero)) }
        guard let deadline else { return }
        if now.uptime >= deadline.at {
            end(.failed(reason: "DeadlineExceeded", message: "Pod was active on the node longer than the specified deadline"))
        } else {
            actions.wake(at: deadline.at)
        }
    }

    var startTime: Timestamp? {
        (status["startTime"].string ?? storedStatus["startTime"].string).flatMap(Timestamp.init(rfc3339:))
    }

    // MARK: - A pod that should run

    /// Whether the newest sandbox serves, and where not, the attempt number of the next (`spec/05 §12.1`).
    private func nextSandbox(_ observation: PodObservation) -> UInt32? {
        guard let newest = observation.sandboxes.first else { return 0 }
        let fits =
            newest.isReady && observation.sandboxes.filter(\.isReady).count == 1 && newest.usesHostNetwork == pod.usesHostNetwork
            && (pod.usesHostNetwork || !newest.addresses.isEmpty)
        return fits ? nil : newest.attempt &+ 1
    }

    private mutating func run(_ observation: PodObservation, probes: ProbeResults, now: Moment, _ actions: inout PodActions) {
        if let attempt = nextSandbox(observation) {
            startOver(observation, attempt: attempt, now: now, &actions)
        } else {
            for container in pod.ephemeralContainers where observation.newest(container.name) == nil { start(container, observation, now, &actions) }
            if initialize(observation, probes: probes, now: now, &actions) { keep(observation, probes: probes, now: now, &actions) }
        }
    }

    /// There is no usable sandbox (`spec/05 §13.1`).
    private mutating func startOver(_ observation: PodObservation, attempt: UInt32, now: Moment, _ actions: inout PodActions) {
        let wanted = pod.containers.filter { container in
            guard pod.restartPolicy == .onFailure, let newest = observation.newest(container.name) else { return true }
            return !(newest.phase == .exited && newest.exitCode == 0)
        }
        if wanted.isEmpty || (pod.restartPolicy == .never && attempt != 0 && !observation.containers.isEmpty) {
            let ready = readySandboxes(observation)
            if !ready.isEmpty || !observation.alive.isEmpty { actions.podKill = podKill(observation, sandboxes: ready, grace: stopGrace) }
            return
        }
        if !observation.sandboxes.isEmpty || !observation.alive.isEmpty {
            actions.podKill = podKill(observation, sandboxes: observation.sandboxes.map(\.id), grace: stopGrace)
        }
        actions.sandboxAttempt = attempt
        if let first = pod.initContainers.first {
            let names = Set(pod.initContainers.map(\.name))
            actions.removals = observation.containers.filter { names.contains($0.name) }.map(\.id)
            start(first, observation, now, &actions)
        } else {
            for container in wanted { start(container, observation, now, &actions) }
        }
    }

    /// Runs init containers one by one; true once they are done (`spec/05 §13.3`). A restartable one is done once it has started.
    private mutating func initialize(_ observation: PodObservation, probes: ProbeResults, now: Moment, _ actions: inout PodActions) -> Bool {
        let containers = pod.initContainers
        guard !containers.isEmpty, let sandbox = observation.sandboxes.first else { return true }
        let here = observation.containers.filter { $0.sandboxID == sandbox.id }
        let regular = Set(pod.containers.map(\.name))
        let isInitialized = here.contains { regular.contains($0.name) }
        for container in containers where container.isRestartable {
            let newest = here.first { $0.name == container.name }
            if newest != nil || isInitialized { keep(restartable: container, newest, observation, probes, now: now, &actions) }
        }
        if isInitialized { return true }
        for container in containers {
            let history = observation.history(container.name)
            if history.count > 1 { actions.removals += history.dropFirst().filter { $0.phase == .exited || $0.phase == .created }.map(\.id) }
        }
        guard let last = containers.lastIndex(where: { container in here.contains { $0.name == container.name } }),
            let newest = here.first(where: { $0.name == containers[last].name })
        else {
            start(containers[0], observation, now, &actions)
            return false
        }
        switch newest.phase {
        case _ where containers[last].isRestartable:
            guard newest.phase == .running, isStarted(containers[last], newest, probes) else { break }
            if last == containers.count - 1 { return true }
            start(containers[last + 1], observation, now, &actions)
        case .running: break
        case .exited where newest.exitCode == 0:
            if last == containers.count - 1 { return true }
            start(containers[last + 1], observation, now, &actions)
        case .exited:
            if pod.restartPolicy == .never {
                actions.podKill = podKill(observation, sandboxes: readySandboxes(observation), grace: stopGrace)
            } else {
                start(containers[last], observation, now, &actions)
            }
        case .unknown, .created:
            if newest.phase == .unknown {
                actions.kills.append(kill(newest, .unknownState, "Init container is in unknown state, try killing it before restart"))
            }
            start(containers[last], observation, now, &actions)
        }
        return false
    }

    private func isStarted(_ container: ContainerView, _ state: ContainerState, _ probes: ProbeResults) -> Bool {
        container.startupProbe == nil || probes.outcome(.startup, state.id) == .success
    }

    /// Starts a restartable init container again whenever it does not run, and stops it where a probe has failed.
    private mutating func keep(
        restartable container: ContainerView, _ newest: ContainerState?, _ observation: PodObservation, _ probes: ProbeResults, now: Moment,
        _ actions: inout PodActions
    ) {
        guard let newest, newest.phase == .running else {
            guard shouldRestart(container, observation) else { return }
            if let newest, newest.phase == .unknown {
                actions.kills.append(kill(newest, .unknownState, "Init container is in unknown state, try killing it before restart"))
            }
            return start(container, observation, now, &actions)
        }
        guard let (message, reason) = failedProbe(container, newest, probes) else { return }
        restart(container, newest, "Init container \(message)", reason, observation, now, &actions)
    }

    private func failedProbe(
        _ container: ContainerView, _ newest: ContainerState, _ probes: ProbeResults
    ) -> (message: String, reason: ContainerKill.Reason)? {
        if probes.outcome(.liveness, newest.id) == .failure { return ("\(container.name) failed liveness probe", .liveness) }
        if probes.outcome(.startup, newest.id) == .failure { return ("\(container.name) failed startup probe", .startup) }
        return nil
    }

    /// Stops a container that runs and starts it again, now or when its back-off is over.
    private mutating func restart(
        _ container: ContainerView, _ newest: ContainerState, _ message: String, _ reason: ContainerKill.Reason, _ observation: PodObservation,
        _ now: Moment, _ actions: inout PodActions
    ) {
        actions.kills.append(kill(newest, reason, "\(message), will be restarted"))
        if reason == .liveness || reason == .startup {
            let isFirstRun = !observation.history(container.name).dropFirst().contains { $0.phase == .exited }
            let verdict = backoffs[backoffKey(container), default: RestartBackoff()].verdict(killing: newest.id, isFirstRun: isFirstRun, now: now)
            if case .wait(let delay, let until) = verdict { return hold(container, delay, until, &actions) }
        }
        actions.starts.append(ContainerStart(name: container.name, kind: container.kind, attempt: nextAttempt(newest)))
    }

    private func backoffKey(_ container: ContainerView) -> String { "\(container.name)_\(ContainerHash.text(container.json))" }

    /// The container waits in its back-off, and its status says so.
    private mutating func hold(_ container: ContainerView, _ delay: Duration, _ until: Duration, _ actions: inout PodActions) {
        startFailures[container.name] = StartFailure(
            reason: "CrashLoopBackOff", message: "back-off \(delay.goText) restarting failed container=\(container.name) pod=\(pod.fullName)")
        actions.wake(at: until)
    }

    /// Starts and stops regular containers (`spec/05 §13.4–13.6`).
    private mutating func keep(_ observation: PodObservation, probes: ProbeResults, now: Moment, _ actions: inout PodActions) {
        var kept = 0
        var starting = 0
        for container in pod.containers {
            guard let newest = observation.newest(container.name), newest.phase == .running else {
                guard shouldRestart(container, observation) else { continue }
                starting += 1
                if let newest = observation.newest(container.name), newest.phase == .unknown {
                    actions.kills.append(kill(newest, .unknownState, "Container is in unknown state, try killing it before restart"))
                }
                start(container, observation, now, &actions)
                continue
            }
            if let hash = newest.annotations[ContainerHash.annotation], hash != ContainerHash.text(container.json) {
                starting += 1
                restart(container, newest, "Container \(container.name) definition changed", .definitionChanged, observation, now, &actions)
            } else if let (message, reason) = failedProbe(container, newest, probes) {
                if pod.restartPolicy == .never {
                    actions.kills.append(kill(newest, reason, "Container \(message)"))
                } else {
                    starting += 1
                    restart(container, newest, "Container \(message)", reason, observation, now, &actions)
                }
            } else {
                kept += 1
            }
        }
        if kept == 0, starting == 0 {
            actions.podKill = podKill(observation, sandboxes: readySandboxes(observation), grace: stopGrace)
        }
    }

    /// Whether policy wants a container that does not run to be started (`spec/05 §13.4`).
    func shouldRestart(_ container: ContainerView, _ observation: PodObservation) -> Bool {
        if pod.isDeleted { return false }
        guard let newest = observation.newest(container.name) else { return true }
        switch newest.phase {
        case .running: return false
        case .unknown, .created: return true
        case .exited where container.isRestartable: return true
        case .exited:
            switch pod.restartPolicy {
            case .always: return true
            case .onFailure: return newest.exitCode != 0
            case .never: return false
            }
        }
    }

    private mutating func start(_ container: ContainerView, _ observation: PodObservation, _ now: Moment, _ actions: inout PodActions) {
        let newest = observation.newest(container.name)
        if container.kind != .ephemeral, let newest, newest.phase == .exited {
            let verdict = backoffs[backoffKey(container), default: RestartBackoff()]
                .verdict(exit: newest.id, finishedAt: newest.finishedAt, now: now)
            if case .wait(let delay, let until) = verdict { return hold(container, delay, until, &actions) }
        }
        if let newest, newest.phase == .created {
            // It was made and never ran, because the agent ended in between: the next one has the same number.
            if !actions.removals.contains(newest.id) { actions.removals.append(newest.id) }
            actions.starts.append(ContainerStart(name: container.name, kind: container.kind, attempt: newest.restartCount))
            return
        }
        actions.starts.append(ContainerStart(name: container.name, kind: container.kind, attempt: newest.map(nextAttempt)))
    }

    private func nextAttempt(_ newest: ContainerState) -> UInt32 { newest.restartCount &+ 1 }

    private func readySandboxes(_ observation: PodObservation) -> [String] { observation.sandboxes.filter(\.isReady).map(\.id) }
}

extension ContainerState {
    /// The restart count that this container was made with.
    package var restartCount: UInt32 { annotations[ContainerAnnotation.restartCount].flatMap(UInt32.init) ?? attempt }
}

extension PodActions {
    mutating func wake(at uptime: Duration) { wakeUp = wakeUp.map { min($0, uptime) } ?? uptime }
}

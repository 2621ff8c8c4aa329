import ContainerRuntime
import KubeMachinery
import Logging
import PodCore
import Primitives

extension PodWorker {
    /// Performs one step in the order of its parts; returns false where something did not start and another try must wait.
    func perform(_ actions: PodActions, _ observation: PodObservation, _ node: NodeFacts) async throws -> Bool {
        if actions.sandboxAttempt != nil, !observation.sandboxes.isEmpty { record(.sandboxChanged) }
        do {
            if let kill = actions.podKill { try await stop(kill, observation) }
            if !actions.kills.isEmpty { try await stop(actions.kills, observation) }
        } catch let failure as RuntimeFailure {
            record(.killFailed(failure.message))
            throw failure
        }
        for id in actions.removals { try await context.runtime.removeContainer(id) }
        guard actions.sandboxAttempt != nil || !actions.starts.isEmpty else { return true }

        let sandbox: SandboxPlan
        let state: SandboxState
        do {
            if let attempt = actions.sandboxAttempt {
                sandbox = try await plan(attempt: attempt, isNew: true, node)
                state = try await makeSandbox(sandbox, node)
            } else if let newest = observation.sandboxes.first {
                sandbox = try await plan(attempt: newest.attempt, isNew: false, node)
                state = newest
            } else {
                return false
            }
        } catch let failure as EdgedFailure where failure.code == .volume {
            logger.info("pod waits for its volumes", metadata: ["pod": "\(key)", "error": "\(failure)"])
            return false
        }
        return try await start(actions.starts, in: state, sandbox, node)
    }

    private func start(_ starts: [ContainerStart], in state: SandboxState, _ sandbox: SandboxPlan, _ node: NodeFacts) async throws -> Bool {
        var isWhole = true
        for start in starts {
            guard let container = pod.container(named: start.name) else { continue }
            do {
                try await run(container, start, in: state, sandbox, node)
                context.meter.record(.containerStart(kind: container.kind, code: nil))
                lifecycle.started(start.name)
            } catch let failure as StartFailure {
                isWhole = false
                context.meter.record(.containerStart(kind: container.kind, code: failure.reason))
                lifecycle.failed(start.name, failure)
                if let notice = KubeletNotice.failed(failure) { record(notice, about: container) }
                logger.warning(
                    "container not started",
                    metadata: ["pod": "\(key)", "container": "\(start.name)", "reason": "\(failure.reason)", "error": "\(failure.message)"])
                if start.kind == .initialization, !container.isRestartable { break }
            }
        }
        return isWhole
    }

    // MARK: - Stopping

    /// Stops all containers side by side, then the sandboxes.
    private func stop(_ kill: PodKill, _ observation: PodObservation) async throws {
        try await stop(kill.containers, observation)
        for id in kill.sandboxes { try await context.runtime.stopSandbox(id) }
    }

    private func stop(_ kills: [ContainerKill], _ observation: PodObservation) async throws {
        guard kills.count > 1 else {
            if let kill = kills.first { try await stop(kill, observation) }
            return
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for kill in kills { group.addTask { try await self.stop(kill, observation) } }
            try await group.waitForAll()
        }
    }

    private func stop(_ kill: ContainerKill, _ observation: PodObservation) async throws {
        logger.info("container stops", metadata: ["pod": "\(key)", "container": "\(kill.name)", "cause": "\(kill.message)"])
        let container = pod.container(named: kill.name)
        if let container { record(.killing(kill.message), about: container, id: kill.id) }
        var used = Duration.zero
        if kill.grace > .zero, let container, let hook = container.preStop {
            let start = context.clock.now().uptime
            let failure = await runHook(hook, "PreStopHook", of: kill.name, kill.id, addresses: addresses(observation), timeout: kill.grace)
            if failure != nil { record(.preStopFailed, about: container) }
            used = context.clock.now().uptime - start
        }
        try await context.runtime.stopContainer(kill.id, grace: StopBudget.stopTimeout(grace: kill.grace, used: used))
    }

    private func addresses(_ observation: PodObservation) -> [String] { observation.sandboxes.first?.addresses ?? [] }

    /// Runs a hook; a failure is logged and told, and stops nothing by itself.
    @discardableResult
    func runHook(
        _ hook: JSONValue, _ kind: String, of container: String, _ id: String, addresses: [String], timeout: Duration?
    ) async -> EdgedFailure? {
        do {
            try await HandlerRunner(context: context, pod: pod, addresses: addresses)
                .run(hook, inContainer: id, named: container, timeout: timeout)
            return nil
        } catch {
            let failure = error as? EdgedFailure ?? EdgedFailure(code: .hook, message: "\(error)")
            logger.warning(
                "container hook failed", metadata: ["pod": "\(key)", "container": "\(container)", "hook": "\(kind)", "error": "\(failure)"])
            return failure
        }
    }

    // MARK: - The sandbox

    /// Prepares the disk and runs the sandbox; returns it with its addresses.
    private func makeSandbox(_ plan: SandboxPlan, _ node: NodeFacts) async throws -> SandboxState {
        if !pod.usesHostNetwork, let problem = await context.node.networkProblem {
            record(.networkNotReady(problem))
            throw EdgedFailure(code: .network, message: "network is not ready: \(problem)")
        }
        makeDirectories(node)
        makeGroup(node)
        try await mountVolumes(node)
        recordResolver(node)
        var plan = plan
        plan.supplementalGroups = pod.supplementalGroups(with: volumes.mounted.values)
        let id: String
        do {
            id = try await context.starts.pass { [context, plan] in
                // What was waited for the turn is not the runtime's.
                let begin = context.clock.now().uptime
                do {
                    let id = try await context.runtime.runSandbox(plan)
                    context.meter.record(.sandboxStart(duration: context.clock.now().uptime - begin, hasFailed: false))
                    return id
                } catch {
                    context.meter.record(.sandboxStart(duration: context.clock.now().uptime - begin, hasFailed: true))
                    throw error
                }
            }
        } catch let failure as RuntimeFailure {
            record(.sandboxFailed(failure.message))
            throw EdgedFailure(code: .network, message: "Failed to create sandbox for pod \"\(pod.fullName)\": \(failure.message)")
        }
        // systemd makes the slices of a new sandbox its own, and what was written before is gone.
        if node.usesSystemdCgroups { makeGroup(node) }
        let state: SandboxState
        do {
            state = try await context.runtime.sandbox(id)
        } catch let failure as RuntimeFailure {
            record(.sandboxStatusFailed(failure.message))
            throw failure
        }
        knownSandboxes[id] = state
        logger.info("pod sandbox runs", metadata: ["pod": "\(key)", "sandbox": "\(id)", "addresses": "\(state.addresses.joined(separator: ","))"])
        return state
    }

    private func makeGroup(_ node: NodeFacts) {
        let problem = context.cgroups.make(
            node.path(pod.cgroup(node)), ResourcePlan(groupOf: pod, node: node), maximumProcesses: context.configuration.podProcessLimit)
        if let problem { record(.controlGroupFailed(problem)) }
    }

    // MARK: - A container

    private func run(
        _ container: ContainerView, _ start: ContainerStart, in sandbox: SandboxState, _ sandboxPlan: SandboxPlan, _ node: NodeFacts
    ) async throws {
        try await mountVolumes(node)
        let image = try await ensureImage(container, sandboxPlan)
        let attempt = start.attempt ?? nextAttemptFromLogs(container.name, node)
        let plan = try await plan(container, attempt: attempt, image: image, sandbox: sandbox, node)
        let id: String
        do {
            id = try await context.starts.pass(isUrgent: true) { [runtime = context.runtime] in
                try await runtime.createContainer(plan, inSandbox: sandbox.id, sandboxPlan)
            }
        } catch let failure as RuntimeFailure {
            throw StartFailure.create(failure.message)
        }
        record(.created(container.name), about: container)
        do {
            try await context.starts.pass(isUrgent: true) { [runtime = context.runtime] in try await runtime.startContainer(id) }
        } catch let failure as RuntimeFailure {
            throw StartFailure.run(failure.message)
        }
        record(.started(container.name), about: container)
        logger.info("container runs", metadata: ["pod": "\(key)", "container": "\(container.name)", "id": "\(id)"])
        linkLog(container.name, id: id, logFile: "\(sandboxPlan.logDirectory)/\(plan.logPath)")
        guard let hook = container.postStart else { return }
        if let failure = await runHook(hook, "PostStartHook", of: container.name, id, addresses: sandbox.addresses, timeout: nil) {
            record(.postStartFailed, about: container)
            record(.killing("FailedPostStartHook"), about: container)
            try await context.runtime.stopContainer(id, grace: pod.terminationGrace ?? StopBudget.minimum)
            throw StartFailure(reason: "PostStartHookError", message: failure.message)
        }
    }

    /// Asks the backend for objects; what it does not know to exist stays out, and a failed read is a reason to wait.
    func objects(_ references: Set<ObjectReference>) async throws(StartFailure) -> PodObjects {
        var objects = PodObjects()
        for reference in references.sorted() {
            let key = ObjectKey(namespace: pod.namespace, name: reference.name)
            do {
                switch reference.kind {
                case .configMap: objects[reference] = try await context.backend.configMap(key)
                case .secret: objects[reference] = try await context.backend.secret(key)
                }
            } catch let status as KubeStatus where status.isNotFound {
                continue
            } catch {
                throw .configuration("\(reference) cannot be read now: \(error)")
            }
        }
        return objects
    }
}

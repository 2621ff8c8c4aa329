import ContainerRuntime
import PodCore
import Primitives

extension PodWorker {
    /// What the runtime has of the pod. States that cannot have changed since the last look are not asked for again.
    func observe() async throws -> PodObservation {
        var sandboxes = try await context.runtime.sandboxes(ofPod: uid)
        let listed = try await context.runtime.containers(ofPod: uid)
        fingerprint = RuntimeList(sandboxes: sandboxes, containers: listed).fingerprints[uid, default: 0]
        sandboxes.sort(by: SandboxState.isNewer)
        if let newest = sandboxes.first { sandboxes[0] = try await state(of: newest) ?? newest }
        var containers: [ContainerState] = []
        for container in listed { if let state = try await state(of: container) { containers.append(state) } }
        let present = Set(listed.map(\.id))
        for id in knownContainers.keys where !present.contains(id) {
            knownContainers[id] = nil
            probes.forget(id)
        }
        let standing = Set(sandboxes.map(\.id))
        for id in knownSandboxes.keys where !standing.contains(id) { knownSandboxes[id] = nil }
        return PodObservation(sandboxes: sandboxes, containers: containers)
    }

    private func state(of sandbox: SandboxState) async throws -> SandboxState? {
        if let known = knownSandboxes[sandbox.id], known.isReady == sandbox.isReady { return known }
        do {
            let state = try await context.runtime.sandbox(sandbox.id)
            knownSandboxes[sandbox.id] = state
            return state
        } catch let failure as RuntimeFailure where failure.code == .notFound {
            return nil
        }
    }

    private func state(of container: ContainerState) async throws -> ContainerState? {
        if let known = knownContainers[container.id], known.phase == container.phase { return known }
        do {
            var state = try await context.runtime.container(container.id)
            state.sandboxID = container.sandboxID
            if state.phase == .exited {
                let words = lastWords(state)
                if !words.isEmpty { state.message += state.message.isEmpty ? words : ": " + words }
            }
            knownContainers[container.id] = state
            return state
        } catch let failure as RuntimeFailure where failure.code == .notFound {
            return nil
        }
    }

    /// What the container left in its termination file, or where it may, at the end of its log (`spec/05 §15.13`).
    private func lastWords(_ container: ContainerState) -> String {
        let path = container.annotations[ContainerAnnotation.terminationMessagePath] ?? ""
        var message = ""
        if !path.isEmpty, let mount = container.mounts.first(where: { $0.containerPath == path }), mount.hostPath.hasPrefix(context.root.path + "/") {
            message = HostFiles.readTail(mount.hostPath, limit: 4096).map { String(decoding: $0, as: UTF8.self) } ?? ""
        }
        let fallsBack = container.annotations[ContainerAnnotation.terminationMessagePolicy] == "FallbackToLogsOnError"
        let hasFailed = container.exitCode != 0 || container.reason == "OOMKilled"
        guard message.isEmpty, fallsBack, hasFailed, container.logPath.hasPrefix(context.logs.path + "/") else { return message }
        return logTail(container.logPath)
    }

    /// The last 80 lines or 2048 bytes of what a CRI log holds. A line that the container left unfinished gets no end here either.
    private func logTail(_ path: String) -> String {
        // The runtime breaks lines after 16 KiB: one whole line is in this.
        let limit = 40960
        guard let bytes = HostFiles.readTail(path, limit: limit) else { return "" }
        var lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: true)
        if bytes.count == limit, !lines.isEmpty { lines.removeFirst() }
        // Each line has the form `<time> <stream> <tags> <content>`.
        let contents = lines.suffix(80).compactMap { line -> String? in
            let fields = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false)
            guard fields.count == 4 else { return nil }
            let isPartial = fields[2].split(separator: ":").first == "P"
            return isPartial ? String(fields[3]) : fields[3] + "\n"
        }
        return String(decoding: Array(contents.joined().utf8.suffix(2048)), as: UTF8.self)
    }

    /// Removes what has ended and is not needed for the status: older copies of containers, sandboxes without containers.
    func removeDead(_ observation: PodObservation) async {
        let pods = [uid: standing]
        var gone: Set<String> = []
        let (policy, now) = (context.configuration.garbage, context.clock.now().wall)
        for container in ContainerGarbage.containers(observation.containers, of: pods, policy: policy, now: now) {
            gone.insert(container.id)
            await tolerating { try await self.context.removeDead(container) }
        }
        let left = observation.containers.filter { !gone.contains($0.id) }
        for sandbox in ContainerGarbage.sandboxes(observation.sandboxes, containers: left, of: pods) {
            await tolerating {
                try await self.context.runtime.stopSandbox(sandbox.id)
                try await self.context.runtime.removeSandbox(sandbox.id)
            }
        }
    }

    /// What the pod means for what may be taken away from the node.
    var standing: PodStanding {
        PodStanding(hasEnded: lifecycle.stage == .finished, images: Set(pod.allContainers.map(\.image)))
    }

    private func tolerating(_ body: () async throws -> Void) async {
        do { try await body() } catch { logger.debug("dead container or sandbox not removed", metadata: ["pod": "\(key)", "error": "\(error)"]) }
    }

    /// Removes the pod from the runtime and from the disk.
    func leaveNoTrace(_ observation: PodObservation, _ node: NodeFacts) async throws {
        for container in observation.containers {
            try await context.runtime.removeContainer(container.id)
        }
        for sandbox in observation.sandboxes {
            try await context.runtime.stopSandbox(sandbox.id)
            try await context.runtime.removeSandbox(sandbox.id)
        }
        fingerprint = 0
        await context.images.forget(podUID: uid)
        removeFiles()
    }
}

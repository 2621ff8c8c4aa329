import KubeMachinery
package import Primitives

extension PodLifecycle {
    /// Works out the pod's status and keeps it as `status`. Call it after `sync`, with the same observation.
    @discardableResult
    package mutating func updateStatus(
        _ observation: PodObservation, node: NodeFacts, probes: ProbeResults = ProbeResults(), now: Moment
    ) -> JSONValue {
        let stored = storedStatus
        let old = status.isNull ? stored : status
        if let refused = refusedStatus(observation, stored, now) {
            status = refused
            return refused
        }
        let hasEnded = stage == .terminated || stage == .finished
        var initial = containerStatuses(.initialization, observation, old: old, node: node, probes: probes)
        var regular = containerStatuses(.regular, observation, old: old, node: node, probes: probes)
        let ephemeral = containerStatuses(.ephemeral, observation, old: old, node: node, probes: probes)
        if hasEnded { settle(&initial, &regular) }

        var phase = PodPhase.phase(pod, initial: initial, regular: regular, hasEnded: hasEnded)
        var (reason, message) = ("", "")
        if !Self.isTerminal(phase) {
            if let kept = [old, stored].compactMap({ $0["phase"].string }).first(where: Self.isTerminal) { phase = kept }
        }
        if case .failed(let why, let what) = ending { (phase, reason, message) = ("Failed", why, what) }
        if hasEnded, !pod.isStatic, !Self.isTerminal(phase) { phase = "Failed" }
        if let final = stored["phase"].string, Self.isTerminal(final) { phase = final }
        if let blockage, stage == .syncing, !Self.isTerminal(phase) {
            (phase, reason, message) = ("Pending", blockage.reason, blockage.message)
            for index in initial.indices { Self.showBlocked(&initial[index]) }
            for index in regular.indices { Self.showBlocked(&regular[index]) }
        }
        if reason.isEmpty, phase == old["phase"].string {
            reason = old["reason"].string ?? stored["reason"].string ?? ""
            message = old["message"].string ?? stored["message"].string ?? ""
        }

        var result: JSONValue = ["phase": .string(phase)]
        result["conditions"] = .array(conditions(initial: initial, regular: regular, phase: phase, old: old, now: now))
        if !message.isEmpty { result["message"] = .string(message) }
        if !reason.isEmpty { result["reason"] = .string(reason) }
        if let nominated = stored.member("nominatedNodeName") { result["nominatedNodeName"] = nominated }
        setAddresses(&result, observation, old: old, node: node)
        result["startTime"] = [old, stored].map { $0["startTime"] }.first { !$0.isNull } ?? .string(now.wall.rfc3339)
        if !initial.isEmpty { result["initContainerStatuses"] = .array(initial) }
        if !regular.isEmpty { result["containerStatuses"] = .array(regular) }
        result["qosClass"] = stored.member("qosClass") ?? .string(pod.qualityOfService.rawValue)
        if !ephemeral.isEmpty { result["ephemeralContainerStatuses"] = .array(ephemeral) }
        status = result
        return result
    }

    /// The status of a pod that the node did not take: phase, reason and message, and no word about containers (`spec/05 §10.2`).
    private func refusedStatus(_ observation: PodObservation, _ stored: JSONValue, _ now: Moment) -> JSONValue? {
        guard observation.containers.isEmpty else { return nil }
        if pod.isTerminal, stored["containerStatuses"].elements.isEmpty { return stored }
        guard isRejected, case .failed(let reason, let message) = ending else { return nil }
        var result = stored
        result["phase"] = "Failed"
        result["reason"] = .string(reason)
        result["message"] = .string(message)
        if result["startTime"].isNull { result["startTime"] = .string(now.wall.rfc3339) }
        if result["qosClass"].isNull { result["qosClass"] = .string(pod.qualityOfService.rawValue) }
        return result
    }

    static func isTerminal(_ phase: String) -> Bool { phase == "Failed" || phase == "Succeeded" }

    /// Whether all containers have ended for good, by policy.
    func isComplete(_ observation: PodObservation) -> Bool {
        let node = NodeFacts()
        let old = status.isNull ? storedStatus : status
        let initial = containerStatuses(.initialization, observation, old: old, node: node, probes: ProbeResults())
        let regular = containerStatuses(.regular, observation, old: old, node: node, probes: ProbeResults())
        return Self.isTerminal(PodPhase.phase(pod, initial: initial, regular: regular, hasEnded: false))
    }

    // MARK: - Containers

    static func listName(_ kind: ContainerView.Kind) -> String {
        switch kind {
        case .initialization: "initContainerStatuses"
        case .regular: "containerStatuses"
        case .ephemeral: "ephemeralContainerStatuses"
        }
    }

    func containerStatuses(
        _ kind: ContainerView.Kind, _ observation: PodObservation, old: JSONValue, node: NodeFacts, probes: ProbeResults
    ) -> [JSONValue] {
        let containers: [ContainerView]
        switch kind {
        case .initialization: containers = pod.initContainers
        case .regular: containers = pod.containers.sorted { $0.name < $1.name }
        case .ephemeral: containers = pod.ephemeralContainers
        }
        let olds = old[Self.listName(kind)].elements
        let messageLimit = ContainerStatus.messageLimit / max(pod.allContainers.count, 1)
        return containers.map { container in
            let before = olds.first { $0["name"].string == container.name }
            var status = baseStatus(container, observation, old: before, node: node)
            showFailure(container, observation, &status)
            setReadiness(container, observation, probes, &status)
            ContainerStatus.cutMessages(&status, to: messageLimit)
            return status
        }
    }

    private func baseStatus(_ container: ContainerView, _ observation: PodObservation, old: JSONValue?, node: NodeFacts) -> JSONValue {
        let history = observation.history(container.name)
        if let newest = history.first {
            var state = ContainerStatus.state(newest, runtimeName: node.runtimeName)
            var restarts = Int64(newest.restartCount)
            if newest.phase == .unknown, let old, ContainerStatus.isRunning(old) {
                state = ContainerStatus.lost("The container could not be located when the pod was terminated")
                restarts = (old["restartCount"].int ?? 0) + 1
            }
            var last: JSONValue = [:]
            if let former = history.dropFirst().first(where: { $0.phase == .exited }) {
                last = ContainerStatus.state(former, runtimeName: node.runtimeName)
            } else if let old, restarts > 0 {
                last = Self.previousEnd(old, of: newest, node: node)
            }
            return ContainerStatus.make(
                name: container.name, image: newest.image.isEmpty ? container.image : newest.image, imageID: newest.imageReference,
                containerID: "\(node.runtimeName)://\(newest.id)", state: state, lastState: last, restarts: restarts)
        }
        let hasInit = !pod.initContainers.isEmpty && container.kind != .ephemeral
        let waiting = ContainerStatus.waiting(hasInit ? "PodInitializing" : "ContainerCreating")
        guard let old else { return ContainerStatus.make(name: container.name, image: container.image, state: waiting, restarts: 0) }
        if ContainerStatus.isTerminated(old) { return old }
        var restarts = old["restartCount"].int ?? 0
        var last = old["lastState"].isNull ? [:] : old["lastState"]
        if ContainerStatus.isRunning(old), last["terminated"].isNull {
            last = ContainerStatus.lost("The container could not be located when the pod was deleted.  The container used to be Running")
            if !pod.isDeleted { restarts += 1 }
        }
        return ContainerStatus.make(name: container.name, image: container.image, state: waiting, lastState: last, restarts: restarts)
    }

    /// How the run before `newest` ended, from the former status, where its container has been removed already.
    private static func previousEnd(_ old: JSONValue, of newest: ContainerState, node: NodeFacts) -> JSONValue {
        let same = old["containerID"].string == "\(node.runtimeName)://\(newest.id)"
        if !same, ContainerStatus.isTerminated(old) { return old["state"] }
        return old["lastState"].isNull ? [:] : old["lastState"]
    }

    /// A container that is to be started again and could not be shows why (`spec/05 §15.3`).
    private func showFailure(_ container: ContainerView, _ observation: PodObservation, _ status: inout JSONValue) {
        guard let failure = startFailures[container.name], stage == .syncing else { return }
        if container.kind == .initialization, let newest = observation.newest(container.name), newest.phase == .exited, newest.exitCode == 0 {
            return
        }
        guard shouldRestart(container, observation) else { return }
        if ContainerStatus.isTerminated(status) { status["lastState"] = status["state"] }
        status["state"] = ContainerStatus.waiting(failure.reason, failure.message)
    }

    private func setReadiness(_ container: ContainerView, _ observation: PodObservation, _ probes: ProbeResults, _ status: inout JSONValue) {
        guard let newest = observation.newest(container.name) else { return }
        let isRunning = ContainerStatus.isRunning(status)
        let isStarted = isRunning && (container.startupProbe == nil || probes.outcome(.startup, newest.id) == .success)
        status["started"] = .bool(isStarted)
        if container.kind == .initialization, !container.isRestartable {
            status["ready"] = .bool(ContainerStatus.exitCode(status["state"]) == 0)
        } else {
            status["ready"] = .bool(isStarted && (container.readinessProbe == nil || probes.outcome(.readiness, newest.id) == .success))
        }
    }

    /// At the end of a pod no container is left waiting where it may have run.
    private func settle(_ initial: inout [JSONValue], _ regular: inout [JSONValue]) {
        let lost = ContainerStatus.lost("The container could not be located when the pod was terminated")
        let isInitialized =
            initial.isEmpty || regular.contains(where: ContainerStatus.hasStarted)
            || initial.last.flatMap { ContainerStatus.exitCode($0["state"]) } == 0
        for index in regular.indices where !ContainerStatus.isTerminated(regular[index]) && isInitialized {
            regular[index]["state"] = lost
            regular[index]["ready"] = false
            regular[index]["started"] = false
        }
        let begun = isInitialized ? initial.count : (initial.lastIndex(where: ContainerStatus.hasStarted).map { $0 + 1 } ?? 0)
        for index in 0..<begun where !ContainerStatus.isTerminated(initial[index]) { initial[index]["state"] = lost }
    }

    private static func showBlocked(_ status: inout JSONValue) {
        if status["state"]["waiting"].object != nil { status["state"]["waiting"]["reason"] = "Blocked" }
    }

    // MARK: - Conditions and addresses

    private func conditions(initial: [JSONValue], regular: [JSONValue], phase: String, old: JSONValue, now: Moment) -> [JSONValue] {
        let foreign = storedStatus["conditions"].elements.filter { condition in
            !PodConditions.owned.contains(condition["type"].string ?? "")
                && (disruption == nil || condition["type"].string != disruption?["type"].string)
        }
        let containersReady = PodConditions.containersReady(pod, statuses: initial + regular, phase: phase)
        var own = [
            PodConditions.initialized(pod, statuses: initial, regular: regular, phase: phase),
            PodConditions.ready(pod, containersReady: containersReady, foreign: foreign), containersReady,
            PodConditions.condition("PodScheduled", true),
        ]
        for index in own.indices {
            let before = [old, storedStatus].lazy.compactMap { status in
                status["conditions"].elements.first { $0["type"] == own[index]["type"] }
            }.first
            if let before, before["status"] == own[index]["status"], !before["lastTransitionTime"].isNull {
                own[index]["lastTransitionTime"] = before["lastTransitionTime"]
            } else {
                own[index]["lastTransitionTime"] = .string(now.wall.rfc3339)
            }
        }
        return foreign + (disruption.map { [$0] } ?? []) + own
    }

    /// The node's address and the sandbox's; a pod whose sandbox is gone keeps the address it had.
    private func setAddresses(_ result: inout JSONValue, _ observation: PodObservation, old: JSONValue, node: NodeFacts) {
        if !node.hostIP.isEmpty { result["hostIP"] = .string(node.hostIP) } else { result.setMember("hostIP", old.member("hostIP")) }
        var addresses = observation.sandboxes.first.flatMap { $0.isReady ? $0.addresses : nil } ?? []
        if pod.usesHostNetwork { addresses = node.addresses }
        if addresses.isEmpty { addresses = old["podIPs"].elements.compactMap { $0["ip"].string } }
        let ordered = AddressOrder.onePerFamily(addresses, first: node.hostIP)
        guard let first = ordered.first else { return }
        result["podIP"] = .string(first)
        result["podIPs"] = .array(ordered.map { ["ip": .string($0)] })
    }
}

/// Puts the node's address family first, with at most one address of each.
enum AddressOrder {
    static func onePerFamily(_ addresses: [String], first hostIP: String) -> [String] {
        let wantsSix = hostIP.contains(":")
        let same = addresses.first { $0.contains(":") == wantsSix }
        let other = addresses.first { $0.contains(":") != wantsSix }
        return [same, other].compactMap { $0 }
    }
}

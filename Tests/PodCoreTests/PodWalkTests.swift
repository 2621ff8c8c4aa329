import KubeMachinery
import Primitives
import Testing

@testable import PodCore

/// A runtime that does what it is told, and now and then something else.
struct WalkingRuntime {
    var sandboxes: [SandboxState] = []
    var containers: [ContainerState] = []
    var time: Int64 = 0
    var number = 0
    var chance: WalkingChance

    var observation: PodObservation { PodObservation(sandboxes: sandboxes, containers: containers) }

    mutating func perform(_ actions: PodActions) -> [String] {
        for kill in (actions.podKill?.containers ?? []) + actions.kills { stop(kill.id, code: 137) }
        for id in actions.podKill?.sandboxes ?? [] {
            for index in sandboxes.indices where sandboxes[index].id == id { sandboxes[index].isReady = false }
            for container in containers where container.sandboxID == id { stop(container.id, code: 137) }
        }
        containers.removeAll { actions.removals.contains($0.id) }
        if let attempt = actions.sandboxAttempt {
            number += 1
            var sandbox = Fixture.sandbox(attempt: attempt)
            sandbox.id = "sandbox-\(number)"
            sandbox.createdAt = Fixture.at(time).wall
            sandboxes.append(sandbox)
        }
        var started: [String] = []
        for start in actions.starts where chance.is(90) {
            guard let sandbox = observation.sandboxes.first, sandbox.isReady else { break }
            number += 1
            var state = Fixture.state(start.name, attempt: start.attempt ?? 0, sandbox: sandbox.id, id: "\(start.name)-\(number)")
            state.createdAt = Fixture.at(time).wall + .nanoseconds(Int64(number))
            state.startedAt = state.createdAt
            containers.append(state)
            started.append(start.name)
            if start.kind == .initialization { break }
        }
        return started
    }

    /// Containers end, the machine restarts, dead containers are collected.
    mutating func live() {
        time += chance.number(below: 40)
        for container in containers where container.phase == .running && chance.is(20) { stop(container.id, code: chance.is(50) ? 0 : 1) }
        if chance.is(3) {
            for index in sandboxes.indices { sandboxes[index].isReady = false }
            for container in containers where container.phase == .running { stop(container.id, code: 255) }
        }
        if chance.is(10) {
            let newest = Set(Set(containers.map(\.name)).compactMap { observation.newest($0)?.id })
            containers.removeAll { !newest.contains($0.id) && $0.phase == .exited }
        }
    }

    private mutating func stop(_ id: String, code: Int32) {
        guard let index = containers.firstIndex(where: { $0.id == id }), containers[index].phase == .running else { return }
        containers[index].phase = .exited
        containers[index].exitCode = code
        containers[index].reason = code == 0 ? "Completed" : "Error"
        containers[index].finishedAt = Fixture.at(time).wall
    }
}

/// Chance that repeats from a seed (SplitMix64).
struct WalkingChance {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
    mutating func number(below limit: Int64) -> Int64 { Int64(next() % UInt64(limit)) }
    mutating func `is`(_ percent: UInt64) -> Bool { next() % 100 < percent }
}

@Suite("a pod's life by chance")
struct PodWalkTests {
    static let initNames = ["i0", "i1"]

    @Test("whatever happens, the rules of a pod's life hold", arguments: 0..<60)
    func walk(seed: Int) {
        var chance = WalkingChance(state: UInt64(seed))
        let policy = ["Always", "OnFailure", "Never"][Int(chance.number(below: 3))]
        let inits = chance.is(50) ? Self.initNames : []
        let object = Fixture.pod(
            policy: policy, containers: ["a", "b"].map { Fixture.container($0) }, initContainers: inits.map { Fixture.container($0) })
        var runtime = WalkingRuntime(chance: chance)
        var pod = PodLifecycle(object)
        var finalPhase: String?
        var broken: Set<String> = []
        for step in 0..<80 {
            if step == 60 {
                var deleted = object
                deleted.metadata["deletionTimestamp"] = "2026-11-23T12:00:00Z"
                pod.update(deleted)
            }
            let observation = runtime.observation
            let before = pod.stage
            let actions = pod.sync(observation, now: Fixture.at(runtime.time))
            broken.formUnion(brokenRules(actions, observation, inits))
            if rank(pod.stage) < rank(before) { broken.insert("a pod never goes back") }
            let phase = pod.updateStatus(observation, node: Fixture.node, now: Fixture.at(runtime.time))["phase"].string
            if let finalPhase, phase != finalPhase { broken.insert("a terminal phase never changes") }
            if phase == "Failed" || phase == "Succeeded" { finalPhase = phase }
            for name in runtime.perform(actions) { pod.started(name) }
            if actions.releases { pod.released() }
            runtime.live()
        }
        #expect(broken.isEmpty)
        #expect(pod.stage == .finished, "a deleted pod comes to its end")
        #expect(runtime.observation.alive.isEmpty)
    }

    private func rank(_ stage: PodLifecycle.Stage) -> Int { [.syncing, .terminating, .terminated, .finished].firstIndex(of: stage) ?? -1 }

    private func brokenRules(_ actions: PodActions, _ observation: PodObservation, _ inits: [String]) -> [String] {
        var broken: [String] = []
        let killed = Set(((actions.podKill?.containers ?? []) + actions.kills).map(\.id))
        for start in actions.starts where observation.running.contains(where: { $0.name == start.name && !killed.contains($0.id) }) {
            broken.append("a container that runs is not started")
        }
        let initial = actions.starts.filter { inits.contains($0.name) }
        if initial.count > 1 || (!initial.isEmpty && actions.starts.count > 1) { broken.append("init containers start alone") }
        if let sandbox = observation.sandboxes.first, actions.sandboxAttempt == nil, let last = inits.last,
            actions.starts.contains(where: { !inits.contains($0.name) })
        {
            let here = observation.containers.filter { $0.sandboxID == sandbox.id }
            let isDone = here.contains { $0.name == last && $0.phase == .exited && $0.exitCode == 0 }
            if !isDone, !here.contains(where: { !inits.contains($0.name) }) { broken.append("init comes first") }
        }
        if let attempt = actions.sandboxAttempt, observation.sandboxes.contains(where: { $0.attempt == attempt }) {
            broken.append("a sandbox has a number of its own")
        }
        return broken
    }
}

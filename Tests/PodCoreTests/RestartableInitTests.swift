import KubeMachinery
import Primitives
import Testing

@testable import PodCore

@Suite("init containers that go on running")
struct RestartableInitTests {
    struct Row: CustomTestStringConvertible, Sendable {
        var name: String
        var containers: [ContainerState]
        var started: [String] = []
        var failed: [String] = []
        var policy = "Always"
        var expected: String
        var testDescription: String { name }
    }

    static func pod(_ policy: String = "Always") -> KubeObject {
        let side = Fixture.container(
            "side", ["restartPolicy": "Always", "startupProbe": ["exec": ["command": ["true"]]], "livenessProbe": ["exec": ["command": ["true"]]]])
        return Fixture.pod(policy: policy, initContainers: [side, Fixture.container("setup")])
    }

    static let rows: [Row] = [
        Row(name: "the next one waits until it has started", containers: [Fixture.state("side")], expected: ""),
        Row(name: "once it has started the next one follows", containers: [Fixture.state("side")], started: ["side-0"], expected: "start(setup)"),
        Row(
            name: "it runs on beside the others", containers: [Fixture.state("side"), Fixture.state("setup", .exited)], started: ["side-0"],
            expected: "start(main)"),
        Row(
            name: "an end during init starts it again", containers: [Fixture.state("side", .exited), Fixture.state("setup")],
            expected: "start(side,1)"),
        Row(
            name: "an end beside the containers starts it again, whatever the policy",
            containers: [Fixture.state("side", .exited), Fixture.state("setup", .exited), Fixture.state("main")], policy: "Never",
            expected: "start(side,1)"),
        Row(
            name: "a failed probe restarts it", containers: [Fixture.state("side"), Fixture.state("setup", .exited), Fixture.state("main")],
            failed: ["side-0"], policy: "Never", expected: "kill(side) start(side,1)"),
        Row(
            name: "it does not keep a pod whose containers have ended",
            containers: [Fixture.state("side"), Fixture.state("setup", .exited), Fixture.state("main", .exited)], started: ["side-0"],
            policy: "Never",
            expected: "kill-pod(side,s0)"),
    ]

    @Test("the next step", arguments: rows)
    func step(row: Row) {
        var pod = PodLifecycle(Self.pod(row.policy))
        var probes = ProbeResults()
        for id in row.started { probes.set(.startup, id, .success) }
        for id in row.failed { probes.set(.liveness, id, .failure) }
        let seen = PodObservation(sandboxes: [Fixture.sandbox()], containers: row.containers)
        #expect(pod.sync(seen, probes: probes, now: Fixture.at(20)).summary == row.expected)
    }

    @Test("the pod is initialized, ready and running with it, and ends without it")
    func status() {
        var pod = PodLifecycle(Self.pod("Never"))
        var probes = ProbeResults()
        func update(_ containers: [ContainerState]) -> JSONValue {
            pod.updateStatus(
                PodObservation(sandboxes: [Fixture.sandbox()], containers: containers), node: Fixture.node, probes: probes, now: Fixture.at(20))
        }
        func condition(_ type: String) -> JSONValue { pod.status["conditions"].elements.first { $0["type"].string == type } ?? .null }
        let early = update([Fixture.state("side")])
        #expect(early["phase"] == "Pending")
        #expect(condition("Initialized")["message"] == "containers with incomplete status: [side setup]")
        probes.set(.startup, "side-0", .success)
        let running = [Fixture.state("side"), Fixture.state("setup", .exited), Fixture.state("main")]
        let whole = update(running)
        #expect(whole["phase"] == "Running")
        #expect(whole["initContainerStatuses"][0]["ready"] == true)
        #expect(condition("Ready")["status"] == "True")
        let lame = update([Fixture.state("side", .exited, exit: 1), running[1], running[2]])
        #expect(lame["phase"] == "Running")
        #expect(condition("ContainersReady")["message"] == "containers with unready status: [side]")
        let over = update([Fixture.state("side", .exited, exit: 143), running[1], Fixture.state("main", .exited)])
        #expect(over["phase"] == "Succeeded")
    }
}

import KubeMachinery
import Primitives
import Testing

@testable import PodCore

@Suite("the end of a pod")
struct PodEndingTests {
    static let running = PodObservation(sandboxes: [Fixture.sandbox()], containers: [Fixture.state("main")])
    static let stopped = PodObservation(
        sandboxes: [Fixture.sandbox(isReady: false)], containers: [Fixture.state("main", .exited, exit: 137, end: 40)])

    static func deleted(grace: Int64) -> KubeObject {
        Fixture.pod(metadata: ["deletionTimestamp": "2026-11-23T11:16:30Z", "deletionGracePeriodSeconds": .integer(grace)])
    }

    @Test("a deletion goes through terminating, terminated and finished to the last delete")
    func deletion() {
        var pod = PodLifecycle(Fixture.pod())
        #expect(pod.sync(Self.running, now: Fixture.at(5)).isEmpty)
        pod.update(Self.deleted(grace: 2))
        let kill = pod.sync(Self.running, now: Fixture.at(6))
        #expect(kill.summary == "kill-pod(main,s0)")
        #expect(kill.podKill?.containers.first?.grace == .seconds(2))
        #expect(kill.podKill?.containers.first?.message == "Stopping container main")
        #expect(pod.sync(Self.stopped, now: Fixture.at(8)).summary == "release")
        #expect(pod.stage == .terminated)
        pod.released()
        #expect(pod.sync(Self.stopped, now: Fixture.at(9)).summary == "delete")
        #expect(pod.stage == .finished)
    }

    @Test("a shorter grace replaces a longer one, never the other way round")
    func grace() {
        var pod = PodLifecycle(Self.deleted(grace: 30))
        func graceNow() -> Duration? { pod.sync(Self.running, now: Fixture.at(6)).podKill?.containers.first?.grace }
        #expect(graceNow() == .seconds(30))
        pod.update(Self.deleted(grace: 5))
        #expect(graceNow() == .seconds(5))
        pod.update(Self.deleted(grace: 20))
        #expect(graceNow() == .seconds(5))
    }

    @Test("a pod that never started is gone at once")
    func neverStarted() {
        var pod = PodLifecycle(Self.deleted(grace: 30))
        #expect(pod.sync(PodObservation(), now: Fixture.at(6)).summary == "release")
    }

    @Test("a removed pod is stopped and nothing is deleted in the cluster")
    func removal() {
        var pod = PodLifecycle(Self.deleted(grace: 1))
        pod.remove()
        #expect(pod.sync(Self.running, now: Fixture.at(6)).summary == "kill-pod(main,s0)")
        #expect(pod.sync(Self.stopped, now: Fixture.at(6)).summary == "release")
        pod.released()
        #expect(pod.sync(Self.stopped, now: Fixture.at(6)).summary == "")
    }

    @Test("a terminating pod never goes back")
    func noReturn() {
        var pod = PodLifecycle(Fixture.pod())
        pod.remove()
        pod.update(Fixture.pod())
        #expect(pod.sync(PodObservation(sandboxes: [], containers: []), now: Fixture.at(6)).summary == "release")
        #expect(pod.sync(PodObservation(), now: Fixture.at(7)).summary == "release")
    }

    @Test("the active deadline ends the pod, and wakes the one who waits for it")
    func deadline() {
        var pod = PodLifecycle(Fixture.pod(spec: ["activeDeadlineSeconds": 60]))
        pod.updateStatus(PodObservation(), node: Fixture.node, now: Fixture.at(0))
        #expect(pod.sync(Self.running, now: Fixture.at(10)).wakeUp == Fixture.at(60).uptime)
        #expect(pod.sync(Self.running, now: Fixture.at(60)).summary == "kill-pod(main,s0)")
        let status = pod.updateStatus(Self.stopped, node: Fixture.node, now: Fixture.at(61))
        #expect(status["reason"] == "DeadlineExceeded")
        #expect(status["message"] == "Pod was active on the node longer than the specified deadline")
        #expect(status["phase"] == "Failed")
    }

    @Test("a refused pod fails without a container")
    func refusal() {
        var pod = PodLifecycle(Fixture.pod())
        pod.reject(AdmissionRefusal(reason: "OutOfcpu", message: "Node didn't have enough resource: cpu, requested: 1, used: 0, capacity: 0"))
        #expect(pod.sync(PodObservation(), now: Fixture.at(1)).summary == "release")
        let status = pod.updateStatus(PodObservation(), node: Fixture.node, now: Fixture.at(1))
        #expect(status["phase"] == "Failed")
        #expect(status["reason"] == "OutOfcpu")
        #expect(status["message"].string?.hasPrefix("Pod was rejected: Node didn't") == true)
        #expect(Set(status.members.keys) == ["phase", "reason", "message", "startTime", "qosClass"])
        // An agent that starts again leaves it as it is.
        var again = PodLifecycle(Fixture.pod(status: status))
        #expect(again.updateStatus(PodObservation(), node: Fixture.node, now: Fixture.at(9)) == status)
        #expect(again.statusPatch() == nil)
    }

    @Test("an eviction stops with its own grace and tells of the disruption only at the end")
    func eviction() {
        var pod = PodLifecycle(Fixture.pod())
        pod.updateStatus(Self.running, node: Fixture.node, now: Fixture.at(0))
        pod.evict(reason: "Evicted", message: "The node was low on resource: memory. ", grace: .zero, now: Fixture.at(1))
        #expect(pod.sync(Self.running, now: Fixture.at(1)).podKill?.containers.first?.grace == .zero)
        pod.updateStatus(Self.running, node: Fixture.node, now: Fixture.at(1))
        let early = pod.statusPatch()?["status"] ?? .null
        #expect(early["reason"].isNull)
        #expect(!early["conditions"].elements.contains { $0["type"] == "DisruptionTarget" })
        _ = pod.sync(Self.stopped, now: Fixture.at(2))
        pod.updateStatus(Self.stopped, node: Fixture.node, now: Fixture.at(2))
        let late = pod.statusPatch()?["status"] ?? .null
        #expect(late["reason"] == "Evicted" && late["phase"] == "Failed")
        #expect(late["conditions"].elements.contains { $0["type"] == "DisruptionTarget" && $0["status"] == "True" })
    }

    @Test("a finished pod of the store is not started again", arguments: ["Succeeded", "Failed"])
    func storedEnd(phase: String) {
        var pod = PodLifecycle(Fixture.pod(policy: "Never", status: ["phase": .string(phase)]))
        #expect(pod.sync(PodObservation(), now: Fixture.at(1)).summary == "release")
        #expect(pod.updateStatus(PodObservation(), node: Fixture.node, now: Fixture.at(1))["phase"].string == phase)
    }

    @Test("a job that has ended stops its sandbox and stays")
    func completion() {
        var pod = PodLifecycle(Fixture.pod(policy: "OnFailure"))
        let done = PodObservation(sandboxes: [Fixture.sandbox()], containers: [Fixture.state("main", .exited)])
        #expect(pod.sync(done, now: Fixture.at(11)).summary == "kill-pod(s0)")
        let over = PodObservation(sandboxes: [Fixture.sandbox(isReady: false)], containers: done.containers)
        #expect(pod.sync(over, now: Fixture.at(12)).summary == "release")
        let status = pod.updateStatus(over, node: Fixture.node, now: Fixture.at(12))
        #expect(status["phase"] == "Succeeded")
        pod.released()
        #expect(pod.sync(over, now: Fixture.at(13)).summary == "")
    }

    @Test(
        "a hook's time comes out of the grace, two seconds remain where as much was asked for",
        arguments: [(30, 0, 30), (30, 5, 25), (30, 29, 2), (1, 0, 1), (1, 1, 1), (0, 0, 2), (2, 5, 2)])
    func budget(grace: Int64, used: Int64, expected: Int64) {
        #expect(StopBudget.stopTimeout(grace: .seconds(grace), used: .seconds(used)) == .seconds(expected))
    }
}

import KubeMachinery
import Primitives
import Testing

@testable import PodCore

@Suite("the status of a pod")
struct PodStatusTests {
    // MARK: - Phase

    static let codes: [String: JSONValue] = [
        "run": ["state": ["running": [:]]], "wait": ["state": ["waiting": [:]]],
        "loop": ["state": ["waiting": [:]], "lastState": ["terminated": ["exitCode": 1]]],
        "ok": ["state": ["terminated": ["exitCode": 0]]], "bad": ["state": ["terminated": ["exitCode": 1]]],
    ]

    static func statuses(_ words: String, _ prefix: String) -> [JSONValue] {
        words.split(separator: " ").enumerated().compactMap { index, word in
            guard var status = codes[String(word)] else { return nil }
            status["name"] = .string("\(prefix)\(index)")
            return status
        }
    }

    @Test(
        "the phase follows from the containers and the policy",
        arguments: [
            // init, regular, policy, ended, phase
            ("", "run", "Always", false, "Running"), ("", "wait", "Always", false, "Pending"), ("", "run wait", "Always", false, "Pending"),
            ("", "loop", "Always", false, "Running"), ("", "ok", "Always", false, "Running"), ("", "run bad", "Never", false, "Running"),
            ("", "ok", "OnFailure", false, "Succeeded"), ("", "bad", "OnFailure", false, "Running"), ("", "ok bad", "Never", false, "Failed"),
            ("", "ok ok", "Never", false, "Succeeded"), ("", "ok", "Always", true, "Succeeded"), ("", "ok bad", "Always", true, "Failed"),
            ("run", "wait", "Always", false, "Pending"), ("ok", "run", "Always", false, "Running"), ("bad", "wait", "Always", false, "Pending"),
            ("bad", "wait", "Never", false, "Failed"), ("loop", "wait", "OnFailure", false, "Pending"), ("", "none", "Always", false, "Pending"),
        ])
    func phase(initial: String, regular: String, policy: String, hasEnded: Bool, expected: String) {
        let pod = Fixture.view(
            Fixture.pod(
                policy: policy, containers: regular.split(separator: " ").indices.enumerated().map { Fixture.container("c\($0.offset)") },
                initContainers: initial.split(separator: " ").enumerated().map { Fixture.container("i\($0.offset)") }))
        let phase = PodPhase.phase(pod, initial: Self.statuses(initial, "i"), regular: Self.statuses(regular, "c"), hasEnded: hasEnded)
        #expect(phase == expected)
    }

    // MARK: - The patches of real peers

    private static func pod(status: JSONValue, extra: JSONValue = [:]) -> KubeObject {
        Fixture.pod(containers: [Fixture.container("main", ["image": "registry.local/busybox:1.35"])], status: status, metadata: extra)
    }

    private static let scheduled: JSONValue = [
        "phase": "Pending", "qosClass": "BestEffort",
        "conditions": [["type": "PodScheduled", "status": "True", "lastProbeTime": nil, "lastTransitionTime": "2026-11-23T11:15:57Z"]],
    ]

    private static func running(_ phase: ContainerState.Phase = .running) -> ContainerState {
        var state = Fixture.state("main", phase, exit: 137, end: 491, id: "06a7")
        state.image = "registry.local/busybox:1.35"
        state.imageReference = "sha256:90a1"
        return state
    }

    private static let seenRunning = PodObservation(sandboxes: [Fixture.sandbox(address: "10.244.77.10")], containers: [running()])

    static let firstPatch = #"""
        {"metadata":{"uid":"7b1f-4c"},"status":{"$setElementOrder/conditions":[{"type":"Initialized"},{"type":"Ready"},{"type":"ContainersReady"},
        {"type":"PodScheduled"}],"conditions":[{"lastProbeTime":null,"lastTransitionTime":"2026-11-23T11:15:57Z","status":"True","type":"Initialized"},
        {"lastProbeTime":null,"lastTransitionTime":"2026-11-23T11:15:57Z","message":"containers with unready status: [main]",
        "reason":"ContainersNotReady","status":"False","type":"Ready"},{"lastProbeTime":null,"lastTransitionTime":"2026-11-23T11:15:57Z",
        "message":"containers with unready status: [main]","reason":"ContainersNotReady","status":"False","type":"ContainersReady"}],
        "containerStatuses":[{"image":"registry.local/busybox:1.35","imageID":"","lastState":{},"name":"main","ready":false,"restartCount":0,
        "started":false,"state":{"waiting":{"reason":"ContainerCreating"}}}],"hostIP":"10.77.0.1","startTime":"2026-11-23T11:15:57Z"}}
        """#

    static let secondPatch = #"""
        {"metadata":{"uid":"7b1f-4c"},"status":{"$setElementOrder/conditions":[{"type":"Initialized"},{"type":"Ready"},{"type":"ContainersReady"},
        {"type":"PodScheduled"}],"conditions":[{"lastTransitionTime":"2026-11-23T11:15:58Z","message":null,"reason":null,"status":"True","type":"Ready"},
        {"lastTransitionTime":"2026-11-23T11:15:58Z","message":null,"reason":null,"status":"True","type":"ContainersReady"}],
        "containerStatuses":[{"containerID":"containerd://06a7","image":"registry.local/busybox:1.35","imageID":"sha256:90a1","lastState":{},
        "name":"main","ready":true,"restartCount":0,"started":true,"state":{"running":{"startedAt":"2026-11-23T11:15:57Z"}}}],"phase":"Running",
        "podIP":"10.244.77.10","podIPs":[{"ip":"10.244.77.10"}]}}
        """#

    /// As in the capture of a deletion, but the address stays: upstream takes it away and puts it back a second later.
    static let lastPatch = #"""
        {"metadata":{"uid":"7b1f-4c"},"status":{"$setElementOrder/conditions":[{"type":"Initialized"},{"type":"Ready"},{"type":"ContainersReady"},
        {"type":"PodScheduled"}],"conditions":[{"lastTransitionTime":"2026-11-23T11:24:08Z","reason":"PodFailed","status":"False","type":"Ready"},
        {"lastTransitionTime":"2026-11-23T11:24:08Z","reason":"PodFailed","status":"False","type":"ContainersReady"}],
        "containerStatuses":[{"containerID":"containerd://06a7","image":"registry.local/busybox:1.35","imageID":"sha256:90a1","lastState":{},
        "name":"main","ready":false,"restartCount":0,"started":false,"state":{"terminated":{"containerID":"containerd://06a7","exitCode":137,
        "finishedAt":"2026-11-23T11:24:08Z","reason":"Error","startedAt":"2026-11-23T11:15:57Z"}}}],"phase":"Failed"}}
        """#

    @Test("a pod's patches from creation to deletion are those of the Go edge")
    func patches() throws {
        var pod = PodLifecycle(Self.pod(status: Self.scheduled))
        pod.updateStatus(PodObservation(), node: Fixture.node, now: Fixture.at(0))
        #expect(pod.statusPatch() == (try Fixture.json(Self.firstPatch)))
        #expect(pod.statusPatch() == nil, "the same patch is not given twice")

        var status = pod.status
        status["qosClass"] = "BestEffort"
        pod.update(Self.pod(status: status))
        #expect(pod.statusPatch() == nil)
        _ = pod.sync(Self.seenRunning, now: Fixture.at(1))
        pod.updateStatus(Self.seenRunning, node: Fixture.node, now: Fixture.at(1))
        #expect(pod.statusPatch() == (try Fixture.json(Self.secondPatch)))

        pod.update(Self.pod(status: pod.status, extra: ["deletionTimestamp": "2026-11-23T11:24:08Z", "deletionGracePeriodSeconds": 2]))
        let stopped = PodObservation(sandboxes: [Fixture.sandbox(isReady: false)], containers: [Self.running(.exited)])
        _ = pod.sync(stopped, now: Fixture.at(491))
        pod.updateStatus(stopped, node: Fixture.node, now: Fixture.at(491))
        #expect(pod.statusPatch() == (try Fixture.json(Self.lastPatch)))
    }

    @Test("a pod without conditions gets all four and no order")
    func unscheduled() {
        var pod = PodLifecycle(Self.pod(status: ["phase": "Pending"]))
        pod.updateStatus(PodObservation(), node: Fixture.node, now: Fixture.at(0))
        let patch = (pod.statusPatch() ?? .null)["status"]
        #expect(patch.member("$setElementOrder/conditions") == nil)
        #expect(patch["conditions"].elements.map { $0["type"].string } == ["Initialized", "Ready", "ContainersReady", "PodScheduled"])
    }

    @Test("a status that the cloud has not taken over is sent again, a failed one too")
    func again() {
        var pod = PodLifecycle(Self.pod(status: Self.scheduled))
        pod.updateStatus(PodObservation(), node: Fixture.node, now: Fixture.at(0))
        let first = pod.statusPatch()
        pod.patchFailed()
        #expect(pod.statusPatch() == first)
        pod.update(Self.pod(status: ["phase": "Pending", "qosClass": "BestEffort"]))
        #expect(pod.statusPatch() != nil)
    }

    @Test("null and missing members are the same, so nothing is sent for them")
    func nulls() {
        let old: JSONValue = ["containerStatuses": [["name": "a", "state": ["terminated": ["startedAt": nil, "exitCode": 1]]]]]
        let new: JSONValue = ["containerStatuses": [["name": "a", "state": ["terminated": ["exitCode": 1]]]], "qosClass": "Burstable"]
        #expect(StatusPatch.pod(from: old, to: new) == nil)
    }

    // MARK: - Containers

    @Test("a crash loop shows the back-off and the last end")
    func crashLoop() {
        var pod = PodLifecycle(Fixture.pod())
        let first = PodObservation(sandboxes: [Fixture.sandbox()], containers: [Fixture.state("main", .exited, exit: 1, end: 0)])
        _ = pod.sync(first, now: Fixture.at(0))
        let second = PodObservation(sandboxes: [Fixture.sandbox()], containers: [Fixture.state("main", attempt: 1, .exited, exit: 1, end: 2)])
        _ = pod.sync(second, now: Fixture.at(2))
        let status = pod.updateStatus(second, node: Fixture.node, now: Fixture.at(2))["containerStatuses"][0]
        #expect(status["state"]["waiting"]["reason"] == "CrashLoopBackOff")
        #expect(status["state"]["waiting"]["message"] == "back-off 10s restarting failed container=main pod=web_shop(7b1f-4c)")
        #expect(status["lastState"]["terminated"]["exitCode"] == 1)
        #expect(status["restartCount"] == 1)
        #expect(pod.status["phase"] == "Running")
    }

    @Test("a failure to start is shown until the container starts")
    func startFailure() {
        var pod = PodLifecycle(Fixture.pod())
        let seen = PodObservation(sandboxes: [Fixture.sandbox()])
        pod.failed("main", StartFailure(reason: "ErrImagePull", message: "no such host"))
        let waiting = pod.updateStatus(seen, node: Fixture.node, now: Fixture.at(1))["containerStatuses"][0]["state"]["waiting"]
        #expect(waiting == ["reason": "ErrImagePull", "message": "no such host"])
        pod.started("main")
        let again = pod.updateStatus(seen, node: Fixture.node, now: Fixture.at(2))["containerStatuses"][0]["state"]["waiting"]
        #expect(again == ["reason": "ContainerCreating"])
    }

    @Test("containers wait as PodInitializing while init containers run")
    func initializing() {
        var pod = PodLifecycle(Fixture.pod(initContainers: [Fixture.container("i0")]))
        let seen = PodObservation(sandboxes: [Fixture.sandbox()], containers: [Fixture.state("i0")])
        let status = pod.updateStatus(seen, node: Fixture.node, now: Fixture.at(1))
        #expect(status["phase"] == "Pending")
        #expect(status["containerStatuses"][0]["state"]["waiting"]["reason"] == "PodInitializing")
        #expect(status["initContainerStatuses"][0]["state"]["running"] != .null)
        let initialized = status["conditions"].elements.first { $0["type"] == "Initialized" }
        #expect(initialized?["status"] == "False")
        #expect(initialized?["reason"] == "ContainersNotInitialized")
        #expect(initialized?["message"] == "containers with incomplete status: [i0]")
    }

    @Test("termination messages are cut to their share of 12288 bytes, never within a character", arguments: [(1, 12288, 12288), (4, 3072, 3071)])
    func messageShare(count: Int, limit: Int, kept: Int) {
        var ended = Fixture.state("c0", .exited, exit: 1)
        ended.message = String(repeating: "x", count: limit - 1) + (kept == limit ? "yz" : "é")
        let object = Fixture.pod(policy: "Never", containers: (0..<count).map { Fixture.container("c\($0)") })
        var pod = PodLifecycle(object)
        let status = pod.updateStatus(
            PodObservation(sandboxes: [Fixture.sandbox()], containers: [ended]), node: Fixture.node, now: Fixture.at(11))
        #expect(status["containerStatuses"][0]["state"]["terminated"]["message"].string?.utf8.count == kept)
    }

    @Test("a container that ran and has vanished is counted as a restart")
    func vanished() {
        let stored: JSONValue = [
            "phase": "Running",
            "containerStatuses": [
                ["name": "main", "restartCount": 2, "state": ["running": ["startedAt": "2026-11-23T11:00:00Z"]], "lastState": [:]]
            ],
        ]
        var pod = PodLifecycle(Fixture.pod(status: stored))
        let status = pod.updateStatus(PodObservation(), node: Fixture.node, now: Fixture.at(1))["containerStatuses"][0]
        #expect(status["restartCount"] == 3)
        #expect(status["lastState"]["terminated"]["reason"] == "ContainerStatusUnknown")
        #expect(status["lastState"]["terminated"]["exitCode"] == 137)
        #expect(pod.status["phase"] == "Running")
    }

    @Test(
        "started and ready follow the probes",
        arguments: [
            (nil, nil, true, true), (ProbeOutcome.success, nil, true, false), (.failure, nil, false, false), (nil, ProbeOutcome.success, true, true),
            (.success, .success, true, true), (.unknown, .success, false, false), (nil, .failure, true, false),
        ] as [(ProbeOutcome?, ProbeOutcome?, Bool, Bool)])
    func readiness(startup: ProbeOutcome?, readiness: ProbeOutcome?, started: Bool, ready: Bool) {
        var extra: JSONValue = [:]
        var results = ProbeResults()
        if let startup {
            extra["startupProbe"] = [:]
            results.set(.startup, "main-0", startup)
        }
        if readiness != nil || startup == .success { extra["readinessProbe"] = [:] }
        if let readiness { results.set(.readiness, "main-0", readiness) }
        var pod = PodLifecycle(Fixture.pod(containers: [Fixture.container("main", extra)]))
        let seen = PodObservation(sandboxes: [Fixture.sandbox()], containers: [Fixture.state("main")])
        let status = pod.updateStatus(seen, node: Fixture.node, probes: results, now: Fixture.at(1))["containerStatuses"][0]
        #expect(status["started"].bool == started)
        #expect(status["ready"].bool == ready)
    }

    @Test("readiness gates hold Ready back and say why")
    func gates() {
        let spec: JSONValue = ["readinessGates": [["conditionType": "a/b"], ["conditionType": "c/d"]]]
        let stored: JSONValue = ["phase": "Pending", "conditions": [["type": "a/b", "status": "False"]]]
        var pod = PodLifecycle(Fixture.pod(status: stored, spec: spec))
        let seen = PodObservation(sandboxes: [Fixture.sandbox()], containers: [Fixture.state("main")])
        let conditions = pod.updateStatus(seen, node: Fixture.node, now: Fixture.at(1))["conditions"].elements
        #expect(conditions.map { $0["type"].string } == ["a/b", "Initialized", "Ready", "ContainersReady", "PodScheduled"])
        #expect(conditions[2]["reason"] == "ReadinessGatesNotReady")
        #expect(
            conditions[2]["message"].string
                == "the status of pod readiness gate \"a/b\" is not \"True\", but False, corresponding condition of pod readiness gate \"c/d\" does not exist."
        )
        #expect(conditions[3]["status"] == "True")
    }

    @Test("a pod that ends keeps its phase until nothing runs any more")
    func heldPhase() {
        let stored: JSONValue = ["phase": "Running"]
        var pod = PodLifecycle(Fixture.pod(policy: "Never", containers: [Fixture.container("a")], status: stored))
        let done = PodObservation(sandboxes: [Fixture.sandbox()], containers: [Fixture.state("a", .exited, exit: 1)])
        _ = pod.sync(done, now: Fixture.at(11))
        #expect(pod.updateStatus(done, node: Fixture.node, now: Fixture.at(11))["phase"] == "Failed")
        #expect(pod.statusPatch()?["status"].member("phase") == nil)
        let over = PodObservation(sandboxes: [Fixture.sandbox(isReady: false)], containers: done.containers)
        _ = pod.sync(over, now: Fixture.at(12))
        pod.updateStatus(over, node: Fixture.node, now: Fixture.at(12))
        #expect(pod.statusPatch()?["status"]["phase"] == "Failed")
    }

    @Test("the host's network gives the pod the host's addresses")
    func hostNetwork() {
        var node = Fixture.node
        node.addresses = ["10.77.0.1", "fd00::1", "10.77.0.2"]
        var pod = PodLifecycle(Fixture.pod(spec: ["hostNetwork": true]))
        let status = pod.updateStatus(PodObservation(), node: node, now: Fixture.at(1))
        #expect(status["podIP"] == "10.77.0.1")
        #expect(status["podIPs"] == [["ip": "10.77.0.1"], ["ip": "fd00::1"]])
    }
}

import KubeMachinery
import Primitives
import Testing

@testable import PodCore

@Suite("the next step of a pod")
struct PodLifecycleTests {
    struct Row: CustomTestStringConvertible, Sendable {
        var name: String
        var pod: KubeObject
        var seen: PodObservation
        var expected: String
        var testDescription: String { name }

        init(_ name: String, _ pod: KubeObject, _ sandboxes: [SandboxState], _ containers: [ContainerState], _ expected: String) {
            self.name = name
            self.pod = pod
            seen = PodObservation(sandboxes: sandboxes, containers: containers)
            self.expected = expected
        }
    }

    static let two = [Fixture.container("a"), Fixture.container("b")]
    static let inits = [Fixture.container("i0"), Fixture.container("i1")]
    static let hash = ContainerHash.text(Fixture.container("main"))
    static let ready = [Fixture.sandbox()]

    static let sandboxRows: [Row] = [
        Row("nothing runs", Fixture.pod(), [], [], "sandbox(0) start(main)"),
        Row("two containers start in order", Fixture.pod(containers: two), [], [], "sandbox(0) start(a) start(b)"),
        Row("the first init container comes before all others", Fixture.pod(initContainers: inits), [], [], "sandbox(0) start(i0)"),
        Row(
            "the sandbox has died", Fixture.pod(), [Fixture.sandbox(isReady: false)], [Fixture.state("main", .exited, exit: 137)],
            "kill-pod(s0) sandbox(1) start(main,1)"),
        Row(
            "the sandbox has died under a running container", Fixture.pod(), [Fixture.sandbox(isReady: false)], [Fixture.state("main")],
            "kill-pod(main,s0) sandbox(1) start(main,1)"),
        Row(
            "a sandbox made after the clock was set back is the newest", Fixture.pod(),
            [Fixture.sandbox(isReady: false), Fixture.sandbox(attempt: 1, created: -86400)], [Fixture.state("main", sandbox: "s1", hash: hash)], ""),
        Row("a sandbox without an address is no sandbox", Fixture.pod(), [Fixture.sandbox(address: nil)], [], "kill-pod(s0) sandbox(1) start(main)"),
        Row(
            "two ready sandboxes are one too many", Fixture.pod(), [Fixture.sandbox(), Fixture.sandbox(attempt: 1)], [],
            "kill-pod(s1,s0) sandbox(2) start(main)"),
        Row(
            "a pod that never restarts gets no second sandbox", Fixture.pod(policy: "Never", containers: two), [Fixture.sandbox(isReady: false)],
            [Fixture.state("a", .exited)], ""),
        Row(
            "what has succeeded is not run again in a new sandbox", Fixture.pod(policy: "OnFailure", containers: two),
            [Fixture.sandbox(isReady: false)], [Fixture.state("a", .exited), Fixture.state("b", .exited, exit: 1)],
            "kill-pod(s0) sandbox(1) start(b,1)"),
        Row(
            "a new sandbox starts with the first init container again", Fixture.pod(initContainers: inits), [Fixture.sandbox(isReady: false)],
            [Fixture.state("i0", .exited, id: "x0"), Fixture.state("i1", .exited, id: "x1"), Fixture.state("main", .exited)],
            "kill-pod(s0) remove(x0) remove(x1) sandbox(1) start(i0,1)"),
    ]

    static let containerRows: [Row] = [
        Row("all runs", Fixture.pod(), ready, [Fixture.state("main", hash: hash)], ""),
        Row("a container of an earlier agent without a hash is kept", Fixture.pod(), ready, [Fixture.state("main")], ""),
        Row("Always restarts a success", Fixture.pod(), ready, [Fixture.state("main", .exited)], "start(main,1)"),
        Row("OnFailure restarts a failure", Fixture.pod(policy: "OnFailure"), ready, [Fixture.state("main", .exited, exit: 2)], "start(main,1)"),
        Row(
            "a container that was made and never ran is made again with its number", Fixture.pod(), ready, [Fixture.state("main", .created)],
            "remove(main-0) start(main,0)"),
        Row(
            "a container started after the clock was set back is the newest", Fixture.pod(), ready,
            [Fixture.state("main", attempt: 1, hash: hash, created: -86400), Fixture.state("main", .exited, exit: 1)], ""),
        Row("an unknown one is killed first", Fixture.pod(), ready, [Fixture.state("main", .unknown)], "kill(main) start(main,1)"),
        Row(
            "a changed definition restarts whatever the policy", Fixture.pod(policy: "Never"), ready, [Fixture.state("main", hash: "1")],
            "kill(main) start(main,1)"),
        Row(
            "Never starts what never ran", Fixture.pod(policy: "Never", containers: two), ready, [Fixture.state("a", .exited)], "start(b)"),
        Row(
            "one container of two is started again", Fixture.pod(containers: two), ready, [Fixture.state("a"), Fixture.state("b", .exited, exit: 1)],
            "start(b,1)"),
        Row(
            "an ephemeral container is started once, also during init",
            Fixture.pod(initContainers: inits, spec: ["ephemeralContainers": [Fixture.container("debug")]]), ready, [Fixture.state("i0")],
            "start(debug)"),
    ]

    static let initRows: [Row] = [
        Row("the first one runs", Fixture.pod(initContainers: inits), ready, [Fixture.state("i0")], ""),
        Row(
            "one that was made and never ran is made again", Fixture.pod(initContainers: inits), ready,
            [Fixture.state("i0", .exited), Fixture.state("i1", .created)], "remove(i1-0) start(i1,0)"),
        Row("the next follows a success", Fixture.pod(initContainers: inits), ready, [Fixture.state("i0", .exited)], "start(i1)"),
        Row(
            "the last success lets the containers start", Fixture.pod(initContainers: inits), ready,
            [Fixture.state("i0", .exited), Fixture.state("i1", .exited)], "start(main)"),
        Row(
            "a failure is tried again", Fixture.pod(initContainers: inits), ready, [Fixture.state("i0", .exited, exit: 1)], "start(i0,1)"),
        Row(
            "older copies go away", Fixture.pod(initContainers: inits), ready,
            [Fixture.state("i0", .exited, exit: 1), Fixture.state("i0", attempt: 1)], "remove(i0-0)"),
        Row(
            "with a regular container there init is over", Fixture.pod(initContainers: inits), ready, [Fixture.state("main", .exited, exit: 1)],
            "start(main,1)"),
        Row(
            "init containers of an earlier sandbox do not count", Fixture.pod(initContainers: inits), [Fixture.sandbox(attempt: 1)],
            [Fixture.state("i0", .exited), Fixture.state("i1", .exited), Fixture.state("main", .exited, exit: 1)], "start(i0,1)"),
    ]

    @Test("sandboxes", arguments: sandboxRows) func sandboxes(row: Row) { check(row) }
    @Test("containers", arguments: containerRows) func containers(row: Row) { check(row) }
    @Test("init containers", arguments: initRows) func initContainers(row: Row) { check(row) }

    private func check(_ row: Row) {
        var pod = PodLifecycle(row.pod)
        #expect(pod.sync(row.seen, now: Fixture.at(20)).summary == row.expected)
    }

    @Test("a failed init container of a pod that never restarts ends the pod")
    func failedInit() {
        var pod = PodLifecycle(Fixture.pod(policy: "Never", initContainers: Self.inits))
        let actions = pod.sync(PodObservation(sandboxes: Self.ready, containers: [Fixture.state("i0", .exited, exit: 3)]), now: Fixture.at(20))
        #expect(actions.summary == "kill-pod(s0)")
        #expect(pod.stage == .terminating && pod.ending == .completed)
    }

    @Test(
        "probes that have failed stop their container",
        arguments: [
            (ProbeKind.liveness, "Always", "Container main failed liveness probe, will be restarted", "kill(main) start(main,1)", 7),
            (.startup, "Always", "Container main failed startup probe, will be restarted", "kill(main) start(main,1)", 30),
        ])
    func probes(kind: ProbeKind, policy: String, message: String, expected: String, grace: Int64) {
        let main = Fixture.container("main", ["livenessProbe": ["terminationGracePeriodSeconds": 7]])
        var pod = PodLifecycle(Fixture.pod(policy: policy, containers: [main]))
        var results = ProbeResults()
        results.set(kind, "main-0", .failure)
        let actions = pod.sync(PodObservation(sandboxes: Self.ready, containers: [Fixture.state("main")]), probes: results, now: Fixture.at(20))
        #expect(actions.summary == expected)
        #expect(actions.kills.first?.message == message)
        #expect(actions.kills.first?.grace == .seconds(grace))
    }

    @Test("a liveness failure of a pod that never restarts ends the container only")
    func livenessWithoutRestart() {
        var pod = PodLifecycle(Fixture.pod(policy: "Never", containers: Self.two))
        var results = ProbeResults()
        results.set(.liveness, "a-0", .failure)
        let actions = pod.sync(
            PodObservation(sandboxes: Self.ready, containers: [Fixture.state("a"), Fixture.state("b")]), probes: results, now: Fixture.at(20))
        #expect(actions.summary == "kill(a)")
        #expect(actions.kills.first?.message == "Container a failed liveness probe")
    }

    @Test("a container that its probe stops again and again waits as one that crashes, except when it has run for longer than it would wait")
    func livenessBackoff() {
        var pod = PodLifecycle(Fixture.pod(containers: [Fixture.container("main", ["livenessProbe": ["exec": ["command": ["true"]]]])]))
        var results = ProbeResults()
        func fail(_ attempt: UInt32, at time: Int64, after end: Int64?) -> PodActions {
            results.set(.liveness, "main-\(attempt)", .failure)
            let former = end.map { [Fixture.state("main", attempt: attempt - 1, .exited, exit: 137, end: $0)] } ?? []
            return pod.sync(
                PodObservation(sandboxes: Self.ready, containers: [Fixture.state("main", attempt: attempt)] + former), probes: results,
                now: Fixture.at(time))
        }
        #expect(fail(0, at: 5, after: nil).summary == "kill(main) start(main,1)")
        #expect(fail(1, at: 10, after: 5).summary == "kill(main) start(main,2)")
        let held = fail(2, at: 15, after: 10)
        #expect(held.summary == "kill(main)")
        #expect(held.wakeUp == Fixture.at(20).uptime)
        let ended = PodObservation(sandboxes: Self.ready, containers: [Fixture.state("main", attempt: 2, .exited, exit: 137, end: 15)])
        #expect(pod.sync(ended, now: Fixture.at(15)).wakeUp == Fixture.at(25).uptime)
        #expect(
            pod.updateStatus(ended, node: Fixture.node, now: Fixture.at(15))["containerStatuses"][0]["state"]["waiting"]["reason"]
                == "CrashLoopBackOff")
        #expect(pod.sync(ended, now: Fixture.at(25)).summary == "start(main,3)")
        #expect(fail(3, at: 60, after: 15).summary == "kill(main) start(main,4)", "it ran for 35 s, its back-off is 20 s")
    }

    @Test("a crash loop waits 10, 20, 40, 80, 160, 300 and 300 seconds")
    func crashLoop() {
        var pod = PodLifecycle(Fixture.pod())
        var waits: [Int64] = []
        var time: Int64 = 0
        for attempt in UInt32(0)..<8 {
            let exited = Fixture.state("main", attempt: attempt, .exited, exit: 1, end: time)
            let seen = PodObservation(sandboxes: Self.ready, containers: [exited])
            var actions = pod.sync(seen, now: Fixture.at(time))
            if let wakeUp = actions.wakeUp {
                #expect(actions.starts.isEmpty)
                let wait = (wakeUp - Fixture.at(time).uptime).components.seconds
                waits.append(wait)
                #expect(pod.sync(seen, now: Fixture.at(time + wait - 1)).starts.isEmpty)
                time += wait
                actions = pod.sync(seen, now: Fixture.at(time))
            }
            #expect(actions.summary == "start(main,\(attempt + 1))")
            #expect(pod.sync(seen, now: Fixture.at(time)).summary == actions.summary, "the same exit gets the same answer")
            pod.started("main")
            time += 1
        }
        #expect(waits == [10, 20, 40, 80, 160, 300, 300])
    }

    @Test("a run of more than ten minutes starts the back-off anew")
    func backoffReset() {
        var pod = PodLifecycle(Fixture.pod())
        func exit(_ attempt: UInt32, _ time: Int64) -> PodActions {
            pod.sync(
                PodObservation(sandboxes: Self.ready, containers: [Fixture.state("main", attempt: attempt, .exited, exit: 1, end: time)]),
                now: Fixture.at(time))
        }
        #expect(exit(0, 0).summary == "start(main,1)")
        #expect(exit(1, 5).wakeUp == Fixture.at(15).uptime)
        #expect(exit(1, 15).summary == "start(main,2)")
        #expect(exit(2, 700).summary == "start(main,3)")
        #expect(exit(3, 701).wakeUp == Fixture.at(711).uptime)
    }

    @Test("a clock that is set back does not hold a restart")
    func clockJump() {
        var pod = PodLifecycle(Fixture.pod())
        func exit(_ attempt: UInt32, _ time: Int64, wall: Int64) -> PodActions {
            let now = Moment(wall: Fixture.at(wall).wall, uptime: Fixture.at(time).uptime)
            return pod.sync(
                PodObservation(sandboxes: Self.ready, containers: [Fixture.state("main", attempt: attempt, .exited, exit: 1, end: 0)]), now: now)
        }
        #expect(exit(0, 0, wall: 0).summary == "start(main,1)")
        #expect(exit(1, 1, wall: -3600).wakeUp == Fixture.at(11).uptime)
        #expect(exit(1, 11, wall: -3590).summary == "start(main,2)")
    }
}

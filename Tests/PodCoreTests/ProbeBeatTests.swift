import Primitives
import Testing

@testable import PodCore

@Suite("the beat of probes")
struct ProbeBeatTests {
    private static func at(_ milliseconds: Int64) -> Moment {
        Moment(wall: Fixture.start + .milliseconds(milliseconds), uptime: .milliseconds(milliseconds))
    }

    /// The times (ms) at which a probe with a period of one second begins when each try takes as long as told and every waking is late by `lateness`.
    private static func beats(_ durations: [Int64], lateness: Int64 = 0) -> [Int64] {
        var probe = ProbeCore(.readiness, ["periodSeconds": 1], firstAt: .zero)
        let main = Fixture.state("main")
        var now: Int64 = 0
        var beats: [Int64] = []
        for duration in durations {
            while true {
                let step = probe.next(
                    main, isStarted: true, isPodDeleted: false, isPodTerminal: false, mayRestart: true, now: at(now))
                guard case .wait(let until) = step else { break }
                now = until.components.seconds * 1000 + until.components.attoseconds / 1_000_000_000_000_000 + lateness
            }
            beats.append(now)
            now += duration
            _ = probe.finished(.success, containerID: "main-0", now: at(now))
        }
        return beats
    }

    @Test(
        "neither the time of a try nor a late waking adds up",
        arguments: [
            ([0, 0, 0, 0], 0, [0, 1000, 2000, 3000]), ([300, 900, 10, 0], 0, [0, 1000, 2000, 3000]), ([0, 0, 0, 0], 7, [0, 1007, 2007, 3007]),
            ([1500, 0, 0, 0], 0, [0, 1500, 2000, 3000]), ([3200, 0, 0, 0], 0, [0, 3200, 4000, 5000]),
            ([1000, 1000, 0, 0], 0, [0, 1000, 2000, 3000]),
        ] as [([Int64], Int64, [Int64])])
    func beat(durations: [Int64], lateness: Int64, expected: [Int64]) { #expect(Self.beats(durations, lateness: lateness) == expected) }

    @Test("after a rest the beat starts anew")
    func rest() {
        var probe = ProbeCore(.liveness, ["periodSeconds": 1], firstAt: .zero)
        let main = Fixture.state("main")
        func step(_ now: Int64, started: Bool) -> ProbeCore.Step {
            probe.next(main, isStarted: started, isPodDeleted: false, isPodTerminal: false, mayRestart: true, now: Self.at(now))
        }
        #expect(step(0, started: false) == .wait(until: .seconds(1)))
        #expect(step(7300, started: true) == .probe(containerID: "main-0"))
        _ = probe.finished(.success, containerID: "main-0", now: Self.at(7310))
        #expect(step(7320, started: true) == .wait(until: .milliseconds(8300)))
    }

    @Test("what the cluster was told of a container holds after a restart of the agent, until a probe fails")
    func carriedOver() throws {
        let status: JSONValue = [
            "containerStatuses": [
                ["name": "main", "containerID": "containerd://main-0", "ready": true, "started": true],
                ["name": "other", "containerID": "containerd://other-0", "ready": false, "started": false],
            ]
        ]
        let probes: JSONValue = ["readinessProbe": ["failureThreshold": 1], "startupProbe": [:]]
        let pod = Fixture.view(Fixture.pod(containers: [Fixture.container("main", probes), Fixture.container("other", probes)], status: status))
        let results = ProbeResults(pod)
        #expect(results.outcome(.readiness, "main-0") == .success && results.outcome(.startup, "main-0") == .success)
        #expect(results.outcome(.readiness, "other-0") == nil && results.outcome(.startup, "other-0") == nil)

        var probe = ProbeCore(.readiness, probes["readinessProbe"], firstAt: .zero)
        let step = probe.next(
            Fixture.state("main"), isStarted: true, isPodDeleted: false, isPodTerminal: false, mayRestart: true, hasPassed: true, now: Self.at(0))
        #expect(step == .probe(containerID: "main-0") && probe.outcome == .success)
        let hasChanged = probe.finished(.failure, containerID: "main-0", now: Self.at(1))
        #expect(hasChanged && probe.outcome == .failure)
    }
}

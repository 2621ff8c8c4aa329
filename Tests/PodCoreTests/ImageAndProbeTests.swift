import KubeMachinery
import Primitives
import Testing

@testable import PodCore

@Suite("images of a pod")
struct ImageTests {
    @Test(
        "a reference is completed",
        arguments: [
            ("busybox", "busybox:latest"), ("busybox:1.35", "busybox:1.35"), ("registry.local:5000/a/b", "registry.local:5000/a/b:latest"),
            ("localhost/x:y", "localhost/x:y"), ("a__b/c-d.e", "a__b/c-d.e:latest"),
            (
                "x@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                "x@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
            ), ("[::1]:5000/x", "[::1]:5000/x:latest"), ("Host/x", "Host/x:latest"),
        ])
    func complete(text: String, expected: String) throws { #expect(try ImageReference(text).complete == expected) }

    @Test(
        "what is no reference is told",
        arguments: [
            "", "a b", "x:", "x@sha256:12", "/x", "x/", "a..b", "-a", "UPPER", "x:\u{1}", "host:port/x", "a//b",
            "x:" + String(repeating: "a", count: 129),
        ])
    func refusals(text: String) {
        #expect { try ImageReference(text) } throws: { ($0 as? StartFailure)?.reason == "InvalidImageName" }
    }

    @Test("upper case has its own words")
    func upperCase() {
        #expect {
            try ImageReference("UPPER")
        } throws: {
            ($0 as? StartFailure)?.message
                == "Failed to apply default image tag \"UPPER\": couldn't parse image name \"UPPER\": invalid reference format: repository name (UPPER) must be lowercase"
        }
    }

    @Test(
        "pull or not",
        arguments: [
            ("busybox:1.35", nil, true, "use"), ("busybox:1.35", nil, false, "pull busybox:1.35"), ("busybox", nil, true, "pull busybox:latest"),
            ("busybox:latest", nil, true, "pull busybox:latest"), ("busybox", "IfNotPresent", true, "use"),
            ("busybox:1", "Always", true, "pull busybox:1"),
            ("busybox", "Never", true, "use"), ("busybox", "Never", false, "ErrImageNeverPull"), ("a b", nil, false, "InvalidImageName"),
        ] as [(String, String?, Bool, String)])
    func decisions(image: String, policy: String?, isPresent: Bool, expected: String) {
        var json: JSONValue = ["name": "main", "image": .string(image)]
        if let policy { json["imagePullPolicy"] = .string(policy) }
        let pod = Fixture.view(Fixture.pod(containers: [json]))
        let text =
            switch ImagePulls().decide(pod.containers[0], in: pod, isPresent: isPresent, now: Fixture.at(0)) {
            case .use: "use"
            case .pull(let reference): "pull \(reference)"
            case .wait(let failure, _): failure.reason
            }
        #expect(text == expected)
    }

    @Test("failed pulls wait 10 s, 20 s and so on up to five minutes")
    func backoff() {
        let pod = Fixture.view(Fixture.pod(containers: [["name": "main", "image": "r.io/x:1"]]))
        let container = pod.containers[0]
        var pulls = ImagePulls()
        var time: Int64 = 0
        var waits: [Int64] = []
        for _ in 0..<7 {
            #expect(pulls.decide(container, in: pod, isPresent: false, now: Fixture.at(time)) == .pull("r.io/x:1"))
            let decision = pulls.failed(container, in: pod, message: "no host", isPresent: false, isUnreachable: true, now: Fixture.at(time))
            guard case .wait(let failure, let retryAt?) = decision else {
                Issue.record("a failed pull has to wait")
                return
            }
            #expect(failure == StartFailure(reason: "ErrImagePull", message: "no host"))
            let backedOff = pulls.decide(container, in: pod, isPresent: false, now: Fixture.at(time + 1))
            #expect(
                backedOff == .wait(StartFailure(reason: "ImagePullBackOff", message: "Back-off pulling image \"r.io/x:1\""), retryAt: retryAt))
            let wait = (retryAt - Fixture.at(time).uptime).components.seconds
            waits.append(wait)
            time += wait
        }
        #expect(waits == [10, 20, 40, 80, 160, 300, 300])
        pulls.succeeded(container, in: pod)
        #expect(pulls.decide(container, in: pod, isPresent: false, now: Fixture.at(time)) == .pull("r.io/x:1"))
    }

    @Test("an image that is there serves while its registry is out of reach")
    func unreachable() {
        let pod = Fixture.view(Fixture.pod(containers: [["name": "main", "image": "r.io/x"]]))
        var pulls = ImagePulls()
        #expect(pulls.failed(pod.containers[0], in: pod, message: "m", isPresent: true, isUnreachable: true, now: Fixture.at(0)) == .use)
        #expect(pulls.failed(pod.containers[0], in: pod, message: "m", isPresent: true, isUnreachable: false, now: Fixture.at(0)) != .use)
    }
}

@Suite("probes of a container")
struct ProbeTests {
    private static func step(_ probe: inout ProbeCore, _ state: ContainerState?, at time: Int64, started: Bool = true, deleted: Bool = false)
        -> ProbeCore.Step
    {
        probe.next(state, isStarted: started, isPodDeleted: deleted, isPodTerminal: false, mayRestart: true, now: Fixture.at(time))
    }

    @Test("liveness fails after three failures in a row and holds until a new container")
    func liveness() {
        var probe = ProbeCore(.liveness, ["periodSeconds": 5], firstAt: Fixture.at(0).uptime)
        let main = Fixture.state("main")
        var changes: [Bool] = []
        for (index, result) in [ProbeCore.Result.failure, .failure, .success, .failure, .failure, .failure].enumerated() {
            let time = Int64(index) * 5
            #expect(Self.step(&probe, main, at: time) == .probe(containerID: "main-0"))
            changes.append(probe.finished(result, containerID: "main-0", now: Fixture.at(time)))
            #expect(
                Self.step(&probe, main, at: time + 1) == (index < 5 ? .wait(until: Fixture.at(time + 5).uptime) : .wait(until: Fixture.at(31).uptime))
            )
        }
        #expect(changes == [false, false, false, false, false, true])
        #expect(probe.outcome == .failure)
        #expect(Self.step(&probe, Fixture.state("main", attempt: 1), at: 40) == .probe(containerID: "main-1"))
        #expect(probe.outcome == .success)
    }

    @Test("readiness begins as failure and goes both ways")
    func readiness() {
        var probe = ProbeCore(.readiness, ["successThreshold": 2, "failureThreshold": 1], firstAt: .zero)
        let main = Fixture.state("main")
        _ = Self.step(&probe, main, at: 20)
        #expect(probe.outcome == .failure)
        var outcomes: [ProbeOutcome] = []
        for (index, result) in [ProbeCore.Result.success, .success, .failure].enumerated() {
            _ = probe.finished(result, containerID: "main-0", now: Fixture.at(20 + Int64(index) * 10))
            outcomes.append(probe.outcome)
        }
        #expect(outcomes == [.failure, .success, .failure])
    }

    @Test("a startup probe comes first and stops once it has succeeded")
    func startup() {
        var startup = ProbeCore(.startup, [:], firstAt: .zero)
        var liveness = ProbeCore(.liveness, [:], firstAt: .zero)
        let main = Fixture.state("main")
        #expect(Self.step(&liveness, main, at: 20, started: false) == .wait(until: Fixture.at(30).uptime))
        #expect(Self.step(&startup, main, at: 20, started: false) == .probe(containerID: "main-0"))
        #expect(startup.outcome == .unknown)
        let hasChanged = startup.finished(.success, containerID: "main-0", now: Fixture.at(20))
        #expect(hasChanged)
        #expect(Self.step(&startup, main, at: 50, started: true) == .wait(until: Fixture.at(60).uptime))
        #expect(Self.step(&liveness, main, at: 21, started: true) == .probe(containerID: "main-0"))
    }

    @Test("the initial delay counts from the start of the container")
    func initialDelay() {
        var probe = ProbeCore(.liveness, ["initialDelaySeconds": 8], firstAt: .zero)
        let main = Fixture.state("main")
        #expect(Self.step(&probe, main, at: 3) == .wait(until: Fixture.at(8).uptime))
        #expect(Self.step(&probe, main, at: 8) == .probe(containerID: "main-0"))
    }

    @Test("errors of the probe itself are tried three times and then ignored")
    func errors() {
        var probe = ProbeCore(.liveness, ["failureThreshold": 1], firstAt: .zero)
        let main = Fixture.state("main")
        for _ in 0..<3 {
            #expect(Self.step(&probe, main, at: 10) == .probe(containerID: "main-0"))
            let hasChanged = probe.finished(.error, containerID: "main-0", now: Fixture.at(10))
            #expect(!hasChanged)
        }
        #expect(Self.step(&probe, main, at: 10) == .wait(until: Fixture.at(20).uptime))
        #expect(probe.outcome == .success)
    }

    @Test("an answer about a former container is dropped, a stopped container is a failure, a deletion ends liveness")
    func states() {
        var probe = ProbeCore(.liveness, ["failureThreshold": 1], firstAt: .zero)
        _ = Self.step(&probe, Fixture.state("main", attempt: 1), at: 10)
        let hasChanged = probe.finished(.failure, containerID: "main-0", now: Fixture.at(10))
        #expect(!hasChanged)
        _ = Self.step(&probe, Fixture.state("main", attempt: 1, .exited), at: 11)
        #expect(probe.outcome == .failure)
        #expect(Self.step(&probe, Fixture.state("main", attempt: 2), at: 12, deleted: true) == .end)
        #expect(probe.outcome == .success)
    }

    @Test("handlers")
    func actions() throws {
        let container = ContainerView(
            Fixture.container("main", ["ports": [["name": "web", "containerPort": 8080]], "env": [["name": "A", "value": "1"]]]), kind: .regular)
        func action(_ text: String) throws -> ProbeAction? { ProbeAction(try Fixture.json(text), container: container) }
        #expect(try action(#"{"exec":{"command":["sh","$(A)"]}}"#) == .execute(["sh", "1"]))
        #expect(
            try action(#"{"httpGet":{"port":"web","path":"live","httpHeaders":[{"name":"X","value":"y"}]}}"#)
                == .httpGet(scheme: "http", host: nil, port: 8080, path: "/live", headers: [ProbeAction.HTTPField(name: "X", value: "y")]))
        #expect(try action(#"{"tcpSocket":{"port":"99"}}"#) == .tcpSocket(host: nil, port: 99))
        #expect(try action(#"{"grpc":{"port":50051}}"#) == .grpc(port: 50051, service: ""))
        #expect(try action(#"{"httpGet":{"port":"none"}}"#) == nil)
        #expect(try action(#"{"tcpSocket":{"port":70000}}"#) == nil)
    }
}

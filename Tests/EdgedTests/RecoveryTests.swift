import EdgeTesting
import KubeMachinery
import PodCore
import Primitives
import Testing

@testable import Edged

@Suite struct RecoveryTests {
    /// A call that the agent is killed in, before it takes effect or after, when the answer is lost.
    struct Kill: Sendable, CustomTestStringConvertible {
        var method: String
        var subject: String
        var isAnswerLost: Bool
        var testDescription: String { "\(method) \(subject)\(isAnswerLost ? ", done" : "")" }
    }

    static let starts = [
        ("runSandbox", "web"), ("pullImage", "busybox:1"), ("createContainer", "setup"), ("startContainer", "setup"), ("createContainer", "web-main"),
        ("startContainer", "web-main"),
    ].flatMap { call in [false, true].map { Kill(method: call.0, subject: call.1, isAnswerLost: $0) } }

    static let stops = [("stopContainer", "web-main"), ("stopSandbox", "sandbox1"), ("removeContainer", "web-main"), ("removeSandbox", "sandbox1")]
        .map { Kill(method: $0.0, subject: $0.1, isAnswerLost: false) }

    private static func prepare(_ bed: KubeletBed, _ kill: Kill) async {
        if kill.isAnswerLost {
            await bed.runtime.loseAnswer(kill.method, kill.subject)
        } else {
            await bed.runtime.hang(kill.method, kill.subject)
        }
    }

    @Test(arguments: starts)
    func `an agent killed in any call of a start finishes the start, and counts no restart`(kill: Kill) async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        let pod = makePod("web", ["initContainers": [["name": "setup", "image": "busybox:1", "imagePullPolicy": "IfNotPresent"]]])
        await bed.runtime.exitAtOnce("setup", code: 0)
        await Self.prepare(bed, kill)
        try await bed.running {
            await bed.backend.start([pod])
            try await bed.eventually("the call is made") { await bed.runtime.calls(of: kill.method).contains(kill.subject) }
            await bed.pass(.seconds(1))
        }
        await bed.runtime.release(kill.method, kill.subject)
        try await bed.running {
            try await bed.eventually("it runs") { await bed.phase(pod) == "Running" }
            await bed.pass(.seconds(5))
        }
        #expect(await bed.runtime.runningContainers == ["web-main"])
        #expect(await bed.runtime.sandboxCount == 1)
        let status = await bed.status(pod)
        #expect(status["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 0)
        #expect(status["initContainerStatuses"][0]["restartCount"] == 0)
        #expect(status["containerStatuses"][0]["restartCount"] == 0)
        #expect(status["containerStatuses"][0]["ready"] == true)
    }

    @Test(arguments: stops)
    func `an agent killed in any call of a deletion finishes the deletion, and no status is lost`(kill: Kill) async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        let pod = makePod("web", container: ["lifecycle": ["preStop": ["exec": ["command": ["bye"]]]]])
        try await bed.running {
            await bed.backend.start([pod])
            try await bed.eventually("it runs") { await bed.phase(pod) == "Running" }
            await Self.prepare(bed, kill)
            await bed.backend.delete(pod.uid, grace: 5)
            try await bed.eventually("the call is made") { await bed.runtime.calls(of: kill.method).contains(kill.subject) }
        }
        await bed.runtime.release(kill.method, kill.subject)
        try await bed.running {
            if await bed.backend.deletedPods.isEmpty { await bed.backend.start() }
            try await bed.eventually("nothing is left") { await bed.runtime.sandboxCount == 0 }
        }
        #expect(Set(await bed.backend.deletedPods) == ["web"])
        let last = await bed.backend.patches.last { !$0.patch["status"]["containerStatuses"][0]["state"]["terminated"].isNull }
        #expect(last?.patch["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 0)
    }

    @Test func `T49 a clock that jumps by years leaves running pods alone`() async throws {
        try await withKubelet { bed in
            let probe: JSONValue = ["httpGet": ["port": 8080], "periodSeconds": 1, "initialDelaySeconds": 3]
            let pod = makePod("web", ["activeDeadlineSeconds": 7200], container: ["readinessProbe": probe, "livenessProbe": probe])
            await bed.backend.start([pod])
            try await bed.eventually("it is ready") { await bed.status(pod)["containerStatuses"][0]["ready"] == true }
            let before = await bed.runtime.calls
            for days in [-365, 730, -364] {
                bed.clock.setWall(bed.clock.now().wall + .seconds(days * 86400))
                let probes = await bed.network.requests.count
                await bed.pass(.seconds(90))
                #expect(await bed.network.requests.count > probes + 100, "both probes go on")
            }
            #expect(await bed.runtime.calls == before)
            #expect(await bed.status(pod)["containerStatuses"][0]["ready"] == true)
            #expect(await bed.phase(pod) == "Running")
        }
    }

    @Test func `T49 after a reboot with a clock of 1970 a pod runs again, once`() async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        let pod = makePod("web")
        try await bed.running {
            await bed.backend.start([pod])
            try await bed.eventually("it runs") { await bed.phase(pod) == "Running" }
        }
        await bed.runtime.reboot()
        bed.clock.setWall(Timestamp(seconds: 60))
        try await bed.running {
            try await bed.eventually("it runs again") { await bed.runtime.runningContainers == ["web-main"] }
            bed.clock.setWall(Timestamp(seconds: 1_717_100_000))
            await bed.pass(.seconds(60))
        }
        #expect(await bed.runtime.calls(of: "runSandbox").count == 2)
        #expect(await bed.runtime.calls(of: "startContainer").count == 2)
        #expect(await bed.status(pod)["containerStatuses"][0]["restartCount"] == 1)
    }

    @Test func `pods that a new store does not know run on and are adopted when they come; once all are known the others go`() async throws {
        let first = try KubeletBed()
        defer { first.clean() }
        let (wanted, stray) = (makePod("web"), makePod("stray"))
        try await first.running {
            await first.backend.start([wanted, stray])
            try await first.eventually("both run") { await first.runtime.runningContainers.sorted() == ["stray-main", "web-main"] }
        }
        let bed = KubeletBed(first, FakeKubeletBackend(clock: first.clock))
        try await bed.running {
            await bed.backend.setKnowsAllPods(false)
            await bed.backend.start([])
            await bed.pass(.seconds(120))
            #expect(await bed.runtime.runningContainers.sorted() == ["stray-main", "web-main"])
            await bed.backend.put(wanted)
            try await bed.eventually("it is told to run") { await bed.phase(wanted) == "Running" }
            #expect(await bed.status(wanted)["containerStatuses"][0]["restartCount"] == 0)
            await bed.backend.setKnowsAllPods(true)
            try await bed.eventually("the stray is gone", within: .seconds(60)) { await bed.runtime.runningContainers == ["web-main"] }
        }
    }

    @Test func `a full disk shows itself in the status, and the pod runs once there is room`() async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        let root = bed.configuration.rootDirectory
        try OwnDirectory(root).makeDirectory()
        try Mounts.mountMemory(at: root, size: 65536, mode: "0755")
        let pod = makePod("web")
        try await bed.running {
            try await bed.eventually("the directories are made") { HostFiles.exists(root + "/seccomp") }
            let room = Mounts.space(root)?.available ?? 0
            try HostFiles.create([UInt8](repeating: 0, count: Int(room)), at: root + "/ballast", mode: 0o600)
            await bed.backend.start([pod])
            try await bed.eventually("the reason shows") { await bed.waitingReason(pod) == "CreateContainerConfigError" }
            let message = await bed.status(pod)["containerStatuses"][0]["state"]["waiting"]["message"].string ?? ""
            #expect(message.contains("No space left on device"))
            #expect(message.contains(root))
            try HostFiles.create([], at: root + "/ballast", mode: 0o600)
            try await bed.eventually("it runs") { await bed.phase(pod) == "Running" }
        }
    }
}

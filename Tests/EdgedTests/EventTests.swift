import ContainerRuntime
import EdgeTesting
import KubeMachinery
import PodCore
import Primitives
import Synchronization
import Testing

@testable import Edged

/// Writes events down.
final class RecordingEvents: EventSink {
    private let events = Mutex<[KubeletEvent]>([])

    func record(_ event: KubeletEvent) { events.withLock { $0.append(event) } }

    var all: [KubeletEvent] { events.withLock { $0 } }
    /// `Normal Pulling web spec.containers{web-main}: …` without the parts that are empty.
    func lines(of name: String) -> [String] {
        all.filter { $0.subject.name == name }.map { "\($0.level.rawValue) \($0.reason): \($0.message)" }
    }
    func reasons(of name: String) -> [String] { all.filter { $0.subject.name == name }.map(\.reason) }
}

@Suite struct EventTests {
    @Test func `the way of a pod from its image to its end is told in the kubelet's words`() async throws {
        try await withKubelet { bed in
            let pod = makePod("web", ["dnsPolicy": "Default"])
            await bed.backend.start([pod])
            try await bed.eventually("it runs") { await bed.phase(pod) == "Running" }
            #expect(
                bed.events.lines(of: "web") == [
                    "Normal Pulling: Pulling image \"busybox:1\"",
                    "Normal Pulled: Successfully pulled image \"busybox:1\" in 0s (0s including waiting)",
                    "Normal Created: Created container web-main", "Normal Started: Started container web-main",
                ])
            #expect(bed.events.all.filter { $0.subject.name == "web" }.allSatisfy { $0.subject.fieldPath == "spec.containers{web-main}" })
            await bed.backend.delete(pod.uid, grace: 5)
            try await bed.eventually("it is gone") { await bed.backend.pod(pod.uid) == nil }
            #expect(bed.events.lines(of: "web").last == "Normal Killing: Stopping container web-main")
        }
    }

    @Test func `an image that cannot be pulled is told with its cause and its back-off`() async throws {
        try await withKubelet { bed in
            await bed.runtime.failPull("busybox:1", "manifest unknown")
            let pod = makePod("web", ["dnsPolicy": "Default"])
            await bed.backend.start([pod])
            try await bed.eventually("it backs off") { bed.events.reasons(of: "web").contains("BackOff") }
            let lines = bed.events.lines(of: "web")
            #expect(
                lines.prefix(3) == [
                    "Normal Pulling: Pulling image \"busybox:1\"", "Warning Failed: Failed to pull image \"busybox:1\": manifest unknown",
                    "Warning Failed: Error: ErrImagePull",
                ])
            #expect(lines.contains("Normal BackOff: Back-off pulling image \"busybox:1\""))
            try await bed.eventually("and so is the container") { bed.events.lines(of: "web").contains("Warning Failed: Error: ImagePullBackOff") }
        }
    }

    @Test func `a container that keeps failing is told as backing off`() async throws {
        try await withKubelet { bed in
            await bed.runtime.exitAtOnce("web-main", code: 1)
            let pod = makePod("web")
            await bed.backend.start([pod])
            let line = "Warning BackOff: Back-off restarting failed container web-main in pod web_default(uid-web)"
            try await bed.eventually("it is told") { bed.events.lines(of: "web").contains(line) }
            #expect(bed.events.lines(of: "web").contains("Normal Pulled: Container image \"busybox:1\" already present on machine"))
            #expect(bed.events.reasons(of: "web").count { $0 == "BackOff" } == 1, "once a look, not once a step")
        }
    }

    @Test func `missing configuration, volumes and sandboxes are told where they fail`() async throws {
        try await withKubelet { bed in
            await bed.runtime.addImage("busybox:1")
            let config = makePod("config", container: ["envFrom": [["configMapRef": ["name": "settings"]]]])
            let volume = makePod(
                "volume", ["volumes": [["name": "files", "secret": ["secretName": "none"]]]],
                container: ["volumeMounts": [["name": "files", "mountPath": "/files"]]])
            await bed.backend.start([config, volume])
            try await bed.eventually("the configMap is missed") {
                bed.events.lines(of: "config").contains("Warning Failed: Error: configmap \"settings\" not found")
            }
            try await bed.eventually("the volume is missed") { bed.events.reasons(of: "volume").contains("FailedMount") }
            #expect(
                bed.events.lines(of: "volume").contains { $0.hasPrefix("Warning FailedMount: MountVolume.SetUp failed for volume \"files\" : ") })
            await bed.runtime.fail("runSandbox", RuntimeFailure(code: .failed, message: "no network namespace"))
            await bed.backend.put(makePod("box"))
            try await bed.eventually("the sandbox is missed") {
                bed.events.lines(of: "box").contains("Warning FailedCreatePodSandBox: Failed to create pod sandbox: no network namespace")
            }
        }
    }

    @Test func `a pod without a network waits and says why, a refused one and one past its deadline too`() async throws {
        try await withKubelet { bed in
            await bed.runtime.addImage("busybox:1")
            await bed.runtime.setCondition("NetworkReady", false, reason: "NetworkPluginNotReady", message: "cni is not there")
            let waiting = makePod("waiting")
            let refused = makePod("refused", ["nodeSelector": ["disk": "ssd"]])
            let short = makePod("short", ["hostNetwork": true, "activeDeadlineSeconds": 5])
            await bed.backend.start([waiting, refused, short])
            try await bed.eventually("the network is missed") { bed.events.reasons(of: "waiting").contains("NetworkNotReady") }
            #expect(bed.events.lines(of: "refused") == ["Warning NodeAffinity: Predicate NodeAffinity failed"])
            try await bed.eventually("the deadline passes") { bed.events.reasons(of: "short").contains("DeadlineExceeded") }
            try await bed.eventually("it ends") { bed.events.reasons(of: "short").contains("Killing") }
            #expect(bed.events.reasons(of: "short").count { $0 == "DeadlineExceeded" } == 1)
        }
    }

    @Test func `a failing probe, and the kill that follows, are told`() async throws {
        try await withKubelet { bed in
            await bed.runtime.addImage("busybox:1")
            await bed.network.answer(500)
            let probe: JSONValue = ["httpGet": ["port": 80, "path": "/healthz"], "periodSeconds": 1, "failureThreshold": 2]
            let pod = makePod("web", container: ["livenessProbe": probe])
            await bed.backend.start([pod])
            try await bed.eventually("it is told") { bed.events.reasons(of: "web").contains("Killing") }
            let lines = bed.events.lines(of: "web")
            #expect(lines.contains("Warning Unhealthy: Liveness probe failed: HTTP probe failed with statuscode: 500"))
            #expect(lines.contains("Normal Killing: Container web-main failed liveness probe, will be restarted"))
        }
    }

    @Test func `a probe that is sent to another host is told and leaves the container alone`() async throws {
        try await withKubelet { bed in
            await bed.runtime.addImage("busybox:1")
            await bed.network.answer(302, body: "<a href=\"http://0.0.0.0/\">Found</a>")
            let probe: JSONValue = ["httpGet": ["port": 80, "path": "/away"], "periodSeconds": 1, "failureThreshold": 1]
            await bed.backend.start([makePod("web", container: ["livenessProbe": probe])])
            try await bed.eventually("it is told") { bed.events.reasons(of: "web").contains("ProbeWarning") }
            let lines = bed.events.lines(of: "web")
            let text = "Liveness probe warning: Probe terminated redirects, Response body: <a href=\"http://0.0.0.0/\">Found</a>"
            #expect(lines.contains("Warning ProbeWarning: \(text)"))
            #expect(!bed.events.reasons(of: "web").contains("Killing"))
        }
    }

    @Test func `a sandbox that is lost is told as changed, an adopted one is not`() async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        await bed.runtime.addImage("busybox:1")
        let pod = makePod("web")
        await bed.backend.start([pod])
        try await bed.running {
            try await bed.eventually("it runs") { await bed.phase(pod) == "Running" }
        }
        let count = bed.events.all.count { $0.subject.kind == "Pod" }
        try await bed.running {
            await bed.pass(.seconds(5))
            #expect(bed.events.all.count { $0.subject.kind == "Pod" } == count, "a restart of the agent is no news")
            await bed.runtime.reboot()
            try await bed.eventually("it is made again") { bed.events.reasons(of: "web").count { $0 == "Started" } == 2 }
            #expect(bed.events.lines(of: "web").contains("Normal SandboxChanged: Pod sandbox changed, it will be killed and re-created."))
        }
    }

    @Test func `the node tells its start and its conditions`() async throws {
        try await withKubelet { bed in
            await bed.backend.start([])
            try await bed.eventually("it is ready") { bed.events.reasons(of: "edge-1").contains("NodeReady") }
            #expect(
                bed.events.lines(of: "edge-1") == ["Normal Starting: Starting kubelet."]
                    + ["NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID", "NodeReady"]
                    .map { "Normal \($0): Node edge-1 status is now: \($0)" })
            await bed.runtime.setCondition("NetworkReady", false, reason: "R", message: "m")
            try await bed.eventually("it is not ready any more") { bed.events.reasons(of: "edge-1").last == "NodeNotReady" }
        }
    }
}

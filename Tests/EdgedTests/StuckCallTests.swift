import EdgeTesting
import KubeMachinery
import PodCore
import Primitives
import Testing

@testable import Edged

@Suite struct StuckCallTests {
    @Test(arguments: [
        ("runSandbox", "stuck"), ("pullImage", "stuck:1"), ("createContainer", "stuck-main"), ("startContainer", "stuck-main"),
        ("execute", "warm up"), ("execute", "look"),
    ])
    func `whatever call about one pod hangs, another one starts, is started again and goes`(method: String, subject: String) async throws {
        try await withKubelet { bed in
            await bed.runtime.hang(method, subject)
            let stuck = makePod(
                "stuck",
                container: [
                    "image": "stuck:1", "lifecycle": ["postStart": ["exec": ["command": ["warm", "up"]]]],
                    "readinessProbe": ["exec": ["command": ["look"]]],
                ])
            let other = makePod("other")
            await bed.backend.start([stuck])
            try await bed.eventually("it hangs") { await bed.runtime.calls(of: method).contains(subject) }
            await bed.backend.put(other)
            try await bed.eventually("the other runs") { await bed.phase(other) == "Running" }
            await bed.runtime.end("other-main", code: 1)
            try await bed.eventually("it runs again") { await bed.status(other)["containerStatuses"][0]["restartCount"] == 1 }
            await bed.backend.delete(other.uid, grace: 1)
            try await bed.eventually("it is gone") { await bed.backend.deletedPods == ["other"] }
            await bed.backend.delete(stuck.uid, grace: 0)
            try await bed.eventually("the one that hung is gone too") { await bed.backend.deletedPods == ["other", "stuck"] }
        }
    }

    @Test func `a container that does not stop holds up its own pod only`() async throws {
        try await withKubelet { bed in
            let (stuck, other) = (makePod("stuck"), makePod("other"))
            await bed.backend.start([stuck, other])
            try await bed.eventually("both run") { await bed.runtime.runningContainers.count == 2 }
            await bed.runtime.hang("stopContainer", "stuck-main")
            await bed.backend.delete(stuck.uid, grace: 30)
            try await bed.eventually("it hangs") { await bed.runtime.calls(of: "stopContainer") == ["stuck-main"] }
            await bed.backend.delete(other.uid, grace: 30)
            try await bed.eventually("the other is gone") { await bed.backend.deletedPods == ["other"] }
            #expect(await bed.status(stuck)["containerStatuses"][0]["state"]["terminated"].isNull)
        }
    }

    @Test func `lists that do not come stop no back-off`() async throws {
        try await withKubelet { bed in
            await bed.runtime.exitAtOnce("web-main", code: 1)
            let pod = makePod("web")
            await bed.backend.start([pod])
            try await bed.eventually("it waits") { await bed.waitingReason(pod) == "CrashLoopBackOff" }
            await bed.runtime.hang("sandboxes", "of all")
            await bed.pass(.seconds(13))
            #expect(await bed.runtime.calls(of: "startContainer").count == 3)
        }
    }

    @Test func `a pod that takes its time to stop is not ready as soon as its probe says so`() async throws {
        try await withKubelet { bed in
            let probe: JSONValue = ["httpGet": ["port": 8080], "periodSeconds": 1, "failureThreshold": 1]
            let pod = makePod("web", container: ["readinessProbe": probe, "livenessProbe": probe])
            await bed.backend.start([pod])
            try await bed.eventually("it is ready") { await bed.status(pod)["containerStatuses"][0]["ready"] == true }
            await bed.runtime.hang("stopContainer", "web-main")
            await bed.backend.delete(pod.uid, grace: 60)
            try await bed.eventually("it stops") { await bed.runtime.calls(of: "stopContainer") == ["web-main"] }
            await bed.network.answer(503)
            try await bed.eventually("it is not ready any more", within: .seconds(5)) {
                let ready = await bed.status(pod)["conditions"].elements.first { $0["type"] == "Ready" }
                return ready?["status"] == "False"
            }
            await bed.pass(.seconds(10))
            #expect(await bed.runtime.calls(of: "stopContainer") == ["web-main"], "the liveness probe does not add to it")
            #expect(await bed.status(pod)["containerStatuses"][0]["state"]["running"] != .null)
        }
    }
}

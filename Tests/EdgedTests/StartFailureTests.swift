import ContainerRuntime
import EdgeTesting
import KubeMachinery
import PodCore
import Primitives
import Testing

@testable import Edged

@Suite struct StartFailureTests {
    @Test func `an image that cannot be pulled shows why, backs off, and runs once it can`() async throws {
        try await withKubelet { bed in
            await bed.runtime.failPull("busybox:1", "manifest unknown")
            let pod = makePod("web")
            await bed.backend.start([pod])
            try await bed.eventually("the failure shows") { await bed.waitingReason(pod) == "ErrImagePull" }
            try await bed.eventually("it backs off") { await bed.waitingReason(pod) == "ImagePullBackOff" }
            #expect(await bed.runtime.calls(of: "pullImage").count == 1)
            await bed.runtime.failPull("busybox:1", nil)
            try await bed.eventually("it runs") { await bed.phase(pod) == "Running" }
        }
    }

    @Test func `an image that may not be pulled is not`() async throws {
        try await withKubelet { bed in
            let pod = makePod("web", container: ["imagePullPolicy": "Never"])
            await bed.backend.start([pod])
            try await bed.eventually("the reason shows") { await bed.waitingReason(pod) == "ErrImageNeverPull" }
            #expect(await bed.runtime.calls(of: "pullImage").isEmpty)
        }
    }

    @Test func `a container whose configuration is missing waits, and starts once it is there`() async throws {
        try await withKubelet { bed in
            let pod = makePod("web", container: ["envFrom": [["configMapRef": ["name": "settings"]]]])
            await bed.backend.start([pod])
            try await bed.eventually("the reason shows") { await bed.waitingReason(pod) == "CreateContainerConfigError" }
            var settings = KubeObject(apiVersion: "v1", kind: "ConfigMap", namespace: "default", name: "settings")
            settings.json["data"] = ["COLOUR": "blue"]
            await bed.backend.put(configMap: settings)
            try await bed.eventually("it runs", within: .seconds(3)) { await bed.phase(pod) == "Running" }
            let plan = try #require(await bed.runtime.plan(ofContainer: "web-main"))
            #expect(plan.environment.contains { $0.name == "COLOUR" && $0.value == "blue" })
        }
    }

    @Test func `a sandbox that fails is tried again and the pod stays pending`() async throws {
        try await withKubelet { bed in
            await bed.runtime.fail("runSandbox", RuntimeFailure(code: .failed, message: "no bridge"))
            let pod = makePod("web")
            await bed.backend.start([pod])
            try await bed.eventually("it waits") { await bed.waitingReason(pod) == "ContainerCreating" }
            await bed.pass(.seconds(5))
            #expect(await bed.runtime.calls(of: "runSandbox").count > 1)
            #expect(await bed.phase(pod) == "Pending")
            await bed.runtime.fail("runSandbox", nil)
            try await bed.eventually("it runs") { await bed.phase(pod) == "Running" }
        }
    }

    @Test func `a runtime that is away harms no pod`() async throws {
        try await withKubelet { bed in
            let pod = makePod("web")
            await bed.backend.start([pod])
            try await bed.eventually("it runs") { await bed.phase(pod) == "Running" }
            let before = await bed.runtime.calls
            for call in ["sandboxes", "containers", "status"] {
                await bed.runtime.fail(call, RuntimeFailure(code: .unavailable, message: "not there"))
            }
            await bed.pass(.seconds(60))
            #expect(await bed.phase(pod) == "Running")
            let ready = await bed.backend.currentNode?.status["conditions"].elements.first { $0["type"] == "Ready" }
            #expect(ready?["status"] == "False")
            #expect(ready?["message"] == "container runtime is down")
            for call in ["sandboxes", "containers", "status"] { await bed.runtime.fail(call, nil) }
            await bed.pass(.seconds(20))
            #expect(await bed.runtime.calls == before)
        }
    }

    @Test func `a readiness probe decides whether the pod is ready`() async throws {
        try await withKubelet { bed in
            await bed.network.answer(503)
            let probe: JSONValue = ["httpGet": ["port": 8080, "path": "/healthz"], "periodSeconds": 1, "failureThreshold": 1]
            let pod = makePod("web", container: ["readinessProbe": probe])
            await bed.backend.start([pod])
            try await bed.eventually("it runs") { await bed.phase(pod) == "Running" }
            await bed.pass(.seconds(3))
            #expect(await bed.status(pod)["containerStatuses"][0]["ready"] == false)
            await bed.network.answer(200)
            try await bed.eventually("it is ready", within: .seconds(4)) { await bed.status(pod)["containerStatuses"][0]["ready"] == true }
            let request = try #require(await bed.network.requests.last)
            #expect(request.path == "/healthz" && request.port == 8080 && request.host.hasPrefix("10.88.0."))
        }
    }

    @Test func `a container that fails its liveness probe is stopped and started again`() async throws {
        try await withKubelet { bed in
            let probe: JSONValue = ["httpGet": ["port": 8080], "periodSeconds": 1, "failureThreshold": 2]
            let pod = makePod("web", container: ["livenessProbe": probe])
            await bed.backend.start([pod])
            try await bed.eventually("it runs") { await bed.phase(pod) == "Running" }
            await bed.network.answer(500)
            try await bed.eventually("it is stopped") { await bed.runtime.calls(of: "stopContainer") == ["web-main"] }
            await bed.network.answer(200)
            try await bed.eventually("it runs again") { await bed.status(pod)["containerStatuses"][0]["restartCount"] == 1 }
        }
    }

    @Test func `a probe that hangs holds up neither another probe nor its beat`() async throws {
        try await withKubelet { bed in
            await bed.runtime.hang("execute", "stuck")
            let pod = makePod(
                "web",
                container: [
                    "livenessProbe": ["exec": ["command": ["stuck"]], "periodSeconds": 1, "timeoutSeconds": 60],
                    "readinessProbe": ["httpGet": ["port": 8080], "periodSeconds": 1],
                ])
            await bed.backend.start([pod])
            try await bed.eventually("it is ready") { await bed.status(pod)["containerStatuses"][0]["ready"] == true }
            let before = await bed.network.requests.count
            await bed.pass(.seconds(10))
            let count = await bed.network.requests.count - before
            #expect((9...11).contains(count), "\(count) probes in ten seconds")
            #expect(await bed.runtime.calls(of: "execute") == ["stuck"])
            await bed.runtime.release("execute", "stuck")
        }
    }

    @Test func `a restart of the agent leaves a ready pod ready`() async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        let pod = makePod(
            "web",
            container: [
                "readinessProbe": ["httpGet": ["port": 8080], "periodSeconds": 5, "successThreshold": 2], "startupProbe": ["httpGet": ["port": 8080]],
            ])
        await bed.backend.start([pod])
        try await bed.running {
            try await bed.eventually("it is ready") { await bed.status(pod)["containerStatuses"][0]["ready"] == true }
        }
        let patches = await bed.backend.patches.count
        try await bed.running {
            let before = await bed.network.requests.count
            try await bed.eventually("it is probed again") { await bed.network.requests.count >= before + 2 }
        }
        #expect(await bed.status(pod)["containerStatuses"][0]["ready"] == true)
        let later = await bed.backend.patches.dropFirst(patches)
        #expect(!later.contains { $0.patch["status"]["containerStatuses"][0]["ready"] == false })
    }
}

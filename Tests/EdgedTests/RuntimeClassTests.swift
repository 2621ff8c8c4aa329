import EdgeTesting
import KubeMachinery
import PodCore
import Primitives
import Testing

@testable import Edged

@Suite struct RuntimeClassTests {
    @Test func `a runtime class hands its handler to the runtime`() async throws {
        try await withKubelet { bed in
            await bed.backend.setRuntimeClass("sandboxed", handler: "kata")
            let pod = makePod("web", ["runtimeClassName": "sandboxed", "overhead": ["memory": "32Mi"]])
            await bed.backend.start([pod])
            try await bed.eventually("it runs") { await bed.phase(pod) == "Running" }
            let plan = try #require(await bed.runtime.sandboxPlans.values.first)
            #expect(plan.runtimeHandler == "kata")
            #expect(plan.overhead?.memoryLimit == 32 << 20)
        }
    }

    @Test func `without its runtime class a pod waits, and runs once the class is there`() async throws {
        try await withKubelet { bed in
            let pod = makePod("web", ["runtimeClassName": "sandboxed"])
            await bed.backend.start([pod])
            try await bed.eventually("it waits") { await bed.waitingReason(pod) == "ContainerCreating" }
            await bed.pass(.seconds(5))
            #expect(await bed.phase(pod) == "Pending")
            #expect(await bed.runtime.calls.isEmpty)
            await bed.backend.setRuntimeClass("sandboxed", handler: "runc")
            try await bed.eventually("it runs") { await bed.phase(pod) == "Running" }
            // A class that goes later harms nobody, not even a restart.
            await bed.backend.setRuntimeClass("sandboxed", handler: nil)
            await bed.runtime.end("web-main", code: 1)
            try await bed.eventually("it runs again") { await bed.status(pod)["containerStatuses"][0]["restartCount"] == 1 }
        }
    }

    @Test func `a sidecar starts before the containers and is started again beside them`() async throws {
        let bed = try KubeletBed { $0.allowsSidecarContainers = true }
        defer { bed.clean() }
        let pod = makePod(
            "web",
            [
                "restartPolicy": "Never",
                "initContainers": [["name": "side", "image": "busybox:1", "restartPolicy": "Always"], ["name": "setup", "image": "busybox:1"]],
            ])
        await bed.runtime.exitAtOnce("setup", code: 0)
        try await bed.running {
            await bed.backend.start([pod])
            try await bed.eventually("it runs") { await bed.phase(pod) == "Running" }
            #expect(await bed.runtime.calls(of: "startContainer") == ["side", "setup", "web-main"])
            await bed.runtime.end("side", code: 1)
            try await bed.eventually("it is started again") { await bed.status(pod)["initContainerStatuses"][0]["restartCount"] == 1 }
            await bed.runtime.end("web-main", code: 0)
            try await bed.eventually("the pod ends") { await bed.phase(pod) == "Succeeded" }
            #expect(await bed.runtime.runningContainers.isEmpty)
        }
    }
}

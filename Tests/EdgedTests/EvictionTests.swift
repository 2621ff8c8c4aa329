import ContainerRuntime
import EdgeTesting
import KubeMachinery
import PodCore
import Primitives
import Testing

@testable import Edged

@Suite struct EvictionTests {
    private static func settings(_ thresholds: EvictionThreshold...) -> EvictionSettings {
        var settings = EvictionSettings()
        settings.thresholds = thresholds
        return settings
    }

    private static let memory = EvictionThreshold(.memoryAvailable, .quantity(Quantity(100 << 20, format: .binary)))

    @Test func `a shortage of memory ends the pod that took most beyond its request, one at a time, and shows in the node`() async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        let kubelet = try UsageBed(bed, eviction: Self.settings(Self.memory))
        try kubelet.useMemory(500)
        try await kubelet.running {
            let (small, big) = (makePod("small"), makePod("big"))
            let calm = makePod("calm", container: ["resources": ["requests": ["memory": "900Mi"]]])
            let pods = [small, big, calm]
            await bed.backend.start(pods)
            for pod in pods { try await bed.eventually("it runs") { await bed.phase(pod) == "Running" } }
            for (name, mebibytes) in [("small", 20), ("big", 50), ("calm", 800)] {
                var stats = ContainerStatistics(id: "", name: "\(name)-main")
                stats.memory.workingSet = UInt64(mebibytes) << 20
                await bed.runtime.use("\(name)-main", stats)
            }
            await bed.pass(.seconds(25))
            #expect(await kubelet.condition("MemoryPressure") == "False")
            #expect(kubelet.events.messages("Evicted").isEmpty)

            try kubelet.useMemory(905)
            try await bed.eventually("one pod goes") { await bed.status(big)["reason"] == "Evicted" }
            try kubelet.useMemory(500)
            let message =
                "The node was low on resource: memory. Threshold quantity: 100Mi, available: 95Mi. "
                + "Container big-main was using 50Mi, request is 0, has larger consumption of memory. "
            let status = await bed.status(big)
            #expect(status["phase"] == "Failed" && status["message"].string == message)
            let disruption = status["conditions"].elements.first { $0["type"] == "DisruptionTarget" }
            #expect(disruption?["reason"] == "TerminationByKubelet" && disruption?["status"] == "True")
            #expect(kubelet.events.messages("EvictionThresholdMet") == ["Attempting to reclaim memory"])
            #expect(kubelet.events.messages("Evicted") == [message])
            try await bed.eventually("the node tells") { await kubelet.condition("MemoryPressure") == "True" }

            let late = makePod("late")
            await bed.backend.put(late)
            try await bed.eventually("no pod is taken that asks for nothing") { await bed.phase(late) == "Failed" }
            #expect(await bed.status(late)["message"] == "Pod was rejected: The node had condition: [MemoryPressure]. ")

            await bed.pass(.seconds(330))
            #expect(await kubelet.condition("MemoryPressure") == "False")
            #expect(await bed.phase(small) == "Running")
            #expect(await bed.phase(calm) == "Running")
            #expect(await bed.runtime.runningContainers == ["calm-main", "small-main"])
        }
    }

    @Test func `a full disk is freed of containers and images before a pod goes`() async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        // No disk has all of its bytes free.
        let kubelet = try UsageBed(bed, eviction: Self.settings(EvictionThreshold(.nodeSpace, .share(1))))
        try await kubelet.running {
            var pod = makePod("critical", ["priority": 2_000_000_000])
            await bed.backend.start([pod])
            try await bed.eventually("it runs") { await bed.phase(pod) == "Running" }
            try await bed.eventually("space is freed") { await kubelet.reclaimer.asked.starts(with: ["containers", "images"]) }
            try await bed.eventually("the node tells") { await kubelet.condition("DiskPressure") == "True" }
            #expect(kubelet.events.messages("EvictionThresholdMet").first == "Attempting to reclaim ephemeral-storage")
            #expect(await bed.phase(pod) == "Running")
            #expect(kubelet.events.messages("Evicted").isEmpty)
            pod = makePod("late", container: ["resources": ["requests": ["memory": "1Mi"]]])
            await bed.backend.put(pod)
            try await bed.eventually("nothing more is taken") { await bed.status(pod)["reason"] == "Evicted" }
        }
    }

    @Test func `a soft threshold gives the pod its grace`() async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        var soft = EvictionThreshold(.processesAvailable, .quantity(Quantity(1000)))
        soft.grace = .seconds(30)
        var settings = Self.settings(soft)
        settings.maximumPodGrace = .seconds(7)
        let kubelet = try UsageBed(bed, eviction: settings)
        try kubelet.write("0 0 0 1/500 1\n", kubelet.proc + "/loadavg")
        try kubelet.write("1200\n", kubelet.proc + "/sys/kernel/pid_max")
        try await kubelet.running {
            let pod = makePod("web")
            await bed.backend.start([pod])
            try await bed.eventually("the node tells") { await kubelet.condition("PIDPressure") == "True" }
            #expect(kubelet.events.messages("Evicted").isEmpty)
            try await bed.eventually("it goes", within: .seconds(60)) { await bed.phase(pod) == "Failed" }
            #expect(
                await bed.status(pod)["message"] == "The node was low on resource: pids. Threshold quantity: 1k, available: 700. ")
            // A grace above zero lets the container end by itself.
            let terminated = await bed.status(pod)["containerStatuses"][0]["state"]["terminated"]
            #expect(terminated["exitCode"] == 0)
        }
    }

    @Test func `a volume over its limit takes its pod with it, and nothing else is measured`() async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        let kubelet = try UsageBed(bed, eviction: Self.settings())
        try await kubelet.running {
            let mounts: JSONValue = ["volumeMounts": [["name": "scratch", "mountPath": "/scratch"]]]
            let pod = makePod("web", ["volumes": [["name": "scratch", "emptyDir": ["sizeLimit": "64Ki"]]]], container: mounts)
            let other = makePod("other", ["volumes": [["name": "scratch", "emptyDir": [:]]]], container: mounts)
            await bed.backend.start([pod, other])
            for pod in [pod, other] { try await bed.eventually("it runs") { await bed.phase(pod) == "Running" } }
            await bed.pass(.seconds(21))
            #expect(await bed.phase(pod) == "Running")
            for name in ["web", "other"] {
                let volume = bed.configuration.rootDirectory + "/pods/uid-\(name)/volumes/kubernetes.io~empty-dir/scratch"
                try HostFiles.create([UInt8](repeating: 1, count: 100_000), at: volume + "/data", mode: 0o644)
            }
            try await bed.eventually("it goes", within: .seconds(90)) { await bed.status(pod)["reason"] == "Evicted" }
            let status = await bed.status(pod)
            #expect(status["phase"] == "Failed")
            #expect(status["message"] == "Usage of EmptyDir volume \"scratch\" exceeds the limit \"64Ki\". ")
            #expect(!status["conditions"].elements.contains { $0["type"] == "DisruptionTarget" })
            #expect(await bed.phase(other) == "Running")
            #expect(await kubelet.condition("DiskPressure") == "False")
        }
    }

    @Test func `writable layers count against the limit of their container`() async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        let kubelet = try UsageBed(bed, eviction: Self.settings())
        try await kubelet.running {
            let pod = makePod("web", container: ["resources": ["limits": ["ephemeral-storage": "1Mi"]]])
            await bed.backend.start([pod])
            try await bed.eventually("it runs") { await bed.phase(pod) == "Running" }
            var stats = ContainerStatistics(id: "", name: "web-main")
            stats.layerBytes = 2 << 20
            await bed.runtime.use("web-main", stats)
            try await bed.eventually("it goes") { await bed.phase(pod) == "Failed" }
            #expect(
                await bed.status(pod)["message"] == "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. ")
        }
    }

    @Test func `a critical pod takes the place of another, which says so`() async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        let kubelet = try UsageBed(bed)
        let all: JSONValue = .string("\(MachineReader().cores)")
        try await kubelet.running {
            let pod = makePod("web", container: ["resources": ["requests": ["cpu": all]]])
            await bed.backend.start([pod])
            try await bed.eventually("it runs") { await bed.phase(pod) == "Running" }
            let late = makePod("late", container: ["resources": ["requests": ["cpu": "1"]]])
            await bed.backend.put(late)
            try await bed.eventually("there is no room") { await bed.status(late)["reason"] == "OutOfcpu" }
            let dns = makePod("dns", ["priority": 2_000_000_000], container: ["resources": ["requests": ["cpu": "1"]]])
            await bed.backend.put(dns)
            try await bed.eventually("it has its place") { await bed.phase(dns) == "Running" }
            try await bed.eventually("the other is gone") { await bed.phase(pod) == "Failed" }
            let status = await bed.status(pod)
            #expect(status["reason"] == "Preempting" && status["message"] == "Preempted in order to admit critical pod")
            let disruption = status["conditions"].elements.first { $0["type"] == "DisruptionTarget" }
            #expect(disruption?["message"] == "Pod was preempted by Kubelet to accommodate a critical pod.")
            #expect(kubelet.events.messages("Preempting") == ["Preempted in order to admit critical pod"])
        }
    }
}

import ContainerRuntime
import DevCluster
import EdgeTesting
import Edged
import Glibc
import KubeMachinery
import Logging
import NIOPosix
import PodCore
import Primitives
import Testing

/// What pods use, what they may use, and what happens beyond that, on the machine's own control groups.
@Suite(.serialized, .enabled(if: ContainerdBed.isPossible, "containerd, runc, the CNI plug-ins and root are needed"))
struct UsageOnContainerdTests {
    private static func pod(_ name: String, _ script: String, _ more: JSONValue = [:], spec: JSONValue = [:]) -> KubeObject {
        var pod = KubeObject(apiVersion: "v1", kind: "Pod", namespace: "default", name: name)
        pod.uid = UniqueID.next()
        var container: JSONValue = [
            "name": "main", "image": .string(BusyboxImage.reference), "imagePullPolicy": "IfNotPresent",
            "command": ["/bin/sh", "-c", .string(script)],
        ]
        for (key, value) in more.members { container[key] = value }
        pod.json["spec"] = ["nodeName": "edge-1", "restartPolicy": "Always", "terminationGracePeriodSeconds": 1, "containers": [container]]
        for (key, value) in spec.members { pod.spec[key] = value }
        return pod
    }

    /// A kubelet whose control groups are below one of its own.
    fileprivate struct Kubelet: Sendable {
        let edged: Edged
        let backend: FakeKubeletBackend
        let group: String

        func status(_ pod: KubeObject) async -> JSONValue { await backend.pod(pod.uid)?.status ?? .null }

        /// What a file of a group below `kubepods` says, in version 1 or 2.
        func file(_ controller: String, _ path: String, _ one: String, _ two: String) throws -> String {
            let isTwo = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0
            let path = "\(group)/kubepods\(path)"
            let bytes = try HostFile.read(isTwo ? "/sys/fs/cgroup\(path)/\(two)" : "/sys/fs/cgroup/\(controller)\(path)/\(one)")
            return String(String(decoding: bytes, as: UTF8.self).prefix { $0 != "\n" })
        }
    }

    private static func withKubelet(_ bed: ContainerdBed, _ body: @Sendable @escaping (Kubelet) async throws -> Void) async throws {
        _ = try await bed.busybox()
        var configuration = EdgedConfiguration(nodeName: "edge-1")
        configuration.rootDirectory = bed.directory + "/edged"
        configuration.podLogDirectory = bed.directory + "/logs"
        configuration.containerLogDirectory = bed.directory + "/links"
        configuration.cgroupRoot = "/edged-\(bed.directory.suffix(8))"
        configuration.evictionInterval = .seconds(1)
        configuration.eviction.thresholds = []
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let backend = FakeKubeletBackend()
        let edged = try Edged(
            configuration, runtime: bed.runtime, backend: backend, handlers: NIOHandlerNetwork(group: group),
            logger: Logger(label: "edged") { _ in SwiftLogNoOpLogHandler() })
        let kubelet = Kubelet(edged: edged, backend: backend, group: configuration.cgroupRoot)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                do { try await edged.run() } catch is CancellationError {}
            }
            try await body(kubelet)
            tasks.cancelAll()
        }
        try await group.shutdownGracefully()
        try await bed.containerd.removePods(bed.runtime)
        for top in ["", "/cpu", "/cpuacct", "/memory", "/pids", "/cpuset", "/hugetlb", "/devices", "/freezer", "/blkio", "/systemd", "/unified"] {
            for path in ["/kubepods/burstable", "/kubepods/besteffort", "/kubepods", ""] {
                rmdir("/sys/fs/cgroup\(top)\(configuration.cgroupRoot)\(path)")
            }
        }
    }

    @Test func `a busy pod shows what it uses, and its groups hold what was promised`() async throws {
        try await ContainerdBed.withBed { bed in
            try await Self.withKubelet(bed) { kubelet in
                let pod = Self.pod(
                    "busy", "dd if=/dev/zero of=/scratch/data bs=1024 count=200 2>/dev/null; while true; do :; done",
                    [
                        "resources": ["requests": ["cpu": "250m", "memory": "16Mi"], "limits": ["cpu": "500m", "memory": "64Mi"]],
                        "volumeMounts": [["name": "scratch", "mountPath": "/scratch"]],
                    ], spec: ["volumes": [["name": "scratch", "emptyDir": [:]]], "overhead": ["memory": "8Mi"]])
                await kubelet.backend.start([pod])
                try await bed.eventually("it runs") { await kubelet.status(pod)["phase"] == "Running" }
                let path = "/burstable/pod\(pod.uid)"
                #expect(try kubelet.file("memory", path, "memory.limit_in_bytes", "memory.max") == "\(72 << 20)")
                #expect(try kubelet.file("cpu", path, "cpu.shares", "cpu.weight") == (kubelet.isVersionTwo ? "10" : "256"))
                #expect(try kubelet.file("cpu", "/besteffort", "cpu.shares", "cpu.weight") == (kubelet.isVersionTwo ? "1" : "2"))
                try await bed.eventually("burstable pods have their share") {
                    try kubelet.file("cpu", "/burstable", "cpu.shares", "cpu.weight") == (kubelet.isVersionTwo ? "10" : "256")
                }
                try await bed.eventually("the runtime has measured it, and it has written its file") {
                    let node = try await kubelet.edged.usage.usage(onlyProcessorAndMemory: false)
                    let usage = node.pods.first
                    return node.imageFilesystem?.used ?? 0 > 0 && usage?.containers.first?.layer?.used != nil
                        && (usage?.containers.first?.processor.nanoCores ?? 0) > 0
                        && (usage?.volumes.first?.filesystem.used ?? 0) >= 200 << 10
                }
                let node = try await kubelet.edged.usage.usage(onlyProcessorAndMemory: false)
                let usage = try #require(node.pods.first)
                #expect(usage.uid == pod.uid && usage.processes ?? 0 >= 2)
                // Half a core is its limit.
                #expect((50_000_000...650_000_000).contains(usage.processor.nanoCores ?? 0))
                #expect((100_000...64 << 20).contains(usage.memory.workingSet ?? 0))
                let container = try #require(usage.containers.first)
                #expect(container.name == "main" && container.startTime != nil)
                #expect((10_000...64 << 20).contains(container.memory.workingSet ?? 0))
                #expect((10_000_000...650_000_000).contains(container.processor.nanoCores ?? 0))
                #expect(usage.network?.interfaces.first?.name == "eth0")
                #expect(usage.ephemeralStorage?.used ?? 0 >= 200 << 10)
                #expect(node.imageFilesystem?.capacity ?? 0 > 0)
                #expect(node.processor.nanoCores ?? 0 > 0 && node.memory.workingSet ?? 0 > 0)
                #expect(node.systemContainers.map(\.name) == ["kubelet", "pods"])
                await kubelet.backend.delete(pod.uid, grace: 0)
                try await bed.eventually("its group is gone") { (try? kubelet.file("memory", path, "cgroup.procs", "cgroup.procs")) == nil }
            }
        }
    }

    @Test func `a pod that fills its empty directory beyond the limit is evicted`() async throws {
        try await ContainerdBed.withBed { bed in
            try await Self.withKubelet(bed) { kubelet in
                let pod = Self.pod(
                    "full", "sleep 1; dd if=/dev/zero of=/scratch/data bs=1024 count=2048 2>/dev/null; sleep 600",
                    ["volumeMounts": [["name": "scratch", "mountPath": "/scratch"]]],
                    spec: ["volumes": [["name": "scratch", "emptyDir": ["sizeLimit": "1Mi"]]]])
                let layer = Self.pod(
                    "layer", "sleep 1; dd if=/dev/zero of=/data bs=1024 count=4096 2>/dev/null; sleep 600",
                    ["resources": ["limits": ["ephemeral-storage": "2Mi"]]])
                await kubelet.backend.start([pod, layer])
                try await bed.eventually("it is evicted") { await kubelet.status(pod)["phase"] == "Failed" }
                #expect(await kubelet.status(pod)["reason"] == "Evicted")
                #expect(await kubelet.status(pod)["message"] == "Usage of EmptyDir volume \"scratch\" exceeds the limit \"1Mi\". ")
                try await bed.eventually("the other is evicted as well") { await kubelet.status(layer)["phase"] == "Failed" }
                let ended = await kubelet.status(layer)
                #expect(ended["message"] == "Pod ephemeral local storage usage exceeds the total limit of containers 2Mi. ")
                try await bed.eventually("nothing of them runs") { try await bed.runtime.containers(ofPod: nil).allSatisfy { $0.phase != .running } }
            }
        }
    }

    @Test func `a container beyond its memory is killed and says so`() async throws {
        try await ContainerdBed.withBed { bed in
            try await Self.withKubelet(bed) { kubelet in
                let pod = Self.pod(
                    "greedy", "a=xxxxxxxxxxxxxxxx; while true; do a=$a$a; done", ["resources": ["limits": ["memory": "20Mi"]]],
                    spec: ["restartPolicy": "Never"])
                await kubelet.backend.start([pod])
                try await bed.eventually("it is killed") { await kubelet.status(pod)["phase"] == "Failed" }
                let end = await kubelet.status(pod)["containerStatuses"][0]["state"]["terminated"]
                #expect(end["reason"] == "OOMKilled" && end["exitCode"] == 137)
            }
        }
    }
}

extension UsageOnContainerdTests.Kubelet {
    var isVersionTwo: Bool { access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0 }
}

import ContainerRuntime
import DevCluster
import DevicePlugins
import EdgeTesting
import Edged
import Glibc
import KubeMachinery
import Logging
import NIOPosix
import PodCore
import Primitives
import Testing

/// A kubelet on a real containerd, of whatever a test gives it.
struct KubeletOnBed: Sendable {
    let bed: ContainerdBed
    let backend: FakeKubeletBackend
    var devices: any DeviceAllocator = NoDevices()
    var change: @Sendable (inout EdgedConfiguration) -> Void = { _ in }

    /// Runs while `body` does; a second call is a restart of the agent.
    func run(_ body: @Sendable @escaping () async throws -> Void) async throws {
        var configuration = EdgedConfiguration(nodeName: "edge-1")
        configuration.rootDirectory = bed.directory + "/edged"
        configuration.podLogDirectory = bed.directory + "/logs"
        configuration.containerLogDirectory = bed.directory + "/links"
        change(&configuration)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let edged = try Edged(
            configuration, runtime: bed.runtime, backend: backend, handlers: NIOHandlerNetwork(group: group), devices: devices,
            logger: Logger(label: "edged") { _ in SwiftLogNoOpLogHandler() })
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { do { try await edged.run() } catch is CancellationError {} }
            try await body()
            tasks.cancelAll()
        }
        try await group.shutdownGracefully()
    }

    /// A pod of busybox containers: scripts by name.
    static func pod(_ name: String, _ scripts: [(name: String, script: String, more: JSONValue)], _ more: JSONValue = [:]) -> KubeObject {
        var pod = KubeObject(apiVersion: "v1", kind: "Pod", namespace: "default", name: name)
        pod.uid = UniqueID.next()
        let containers: [JSONValue] = scripts.map { name, script, more in
            var container: JSONValue = [
                "name": .string(name), "image": .string(BusyboxImage.reference), "imagePullPolicy": "IfNotPresent",
                "command": ["/bin/sh", "-c", .string(script)],
            ]
            for (key, value) in more.members { container[key] = value }
            return container
        }
        pod.json["spec"] = ["nodeName": "edge-1", "restartPolicy": "Always", "terminationGracePeriodSeconds": 1, "containers": .array(containers)]
        for (key, value) in more.members { pod.json[key] = value }
        return pod
    }

    func status(_ pod: KubeObject) async -> JSONValue { await backend.pod(pod.uid)?.status ?? .null }

    func container(_ pod: KubeObject, _ name: String = "main") async -> JSONValue {
        await status(pod)["containerStatuses"].elements.first { $0["name"].string == name } ?? .null
    }

    /// What a command in a container of the pod writes.
    func output(_ pod: KubeObject, in name: String = "main", _ script: String) async throws -> String {
        let id = try #require(await container(pod, name)["containerID"].string).dropFirst("containerd://".count)
        let result = try await bed.runtime.execute(["/bin/sh", "-c", script], inContainer: String(id), timeout: .seconds(20))
        return String(decoding: result.output + result.errors, as: UTF8.self)
    }
}

@Suite(.serialized, .enabled(if: ContainerdBed.isPossible, "containerd, runc, the CNI plug-ins and root are needed"))
struct DevicesOnContainerdTests {
    private static let camera = "example.com/camera"

    @Test func `a container gets what the plugin of its device brings, and keeps it over a restart of the agent`() async throws {
        try await ContainerdBed.withBed { bed in
            _ = try await bed.busybox()
            let directory = bed.directory + "/dp"
            try HostFile.makeDirectory(directory + "/share")
            let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            let plugin = SampleDevicePlugin(Self.camera, directory: directory, devices: ["a": true, "b": true], group: group)
            await plugin.mount(directory + "/share")
            let backend = FakeKubeletBackend()
            let limits: JSONValue = ["resources": ["limits": [Self.camera: "1"]]]
            let sleep = "while true; do sleep 0.05; done"
            let first = KubeletOnBed.pod("first", [("main", sleep, limits)])
            let logger = Logger(label: "devices") { _ in SwiftLogNoOpLogHandler() }
            @Sendable func withAgent(_ body: @Sendable @escaping (KubeletOnBed) async throws -> Void) async throws {
                let manager = DevicePluginHost(
                    .init(registryDirectory: bed.directory + "/edged/plugins_registry", directory: directory), group: group, clock: SystemClock(),
                    logger: logger)
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    tasks.addTask { do { try await manager.run() } catch is CancellationError {} }
                    try await plugin.register()
                    try await bed.eventually("the devices are listed") { await manager.resources()[Self.camera]?.capacity == 2 }
                    let kubelet = KubeletOnBed(bed: bed, backend: backend, devices: manager)
                    try await kubelet.run { try await body(kubelet) }
                    tasks.cancelAll()
                }
            }
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try? await plugin.run() }
                await backend.start([first])
                try await withAgent { kubelet in
                    try await bed.eventually("the first pod runs") { await kubelet.status(first)["phase"] == "Running" }
                    let inside = try await kubelet.output(
                        first, "echo $SAMPLE_CAMERA; grep -c ' /devices ' /proc/mounts; ls -l /dev/sample | cut -c1")
                    #expect(inside == "a\n1\nc\n")
                    try await bed.eventually("the node shows the devices") {
                        let node = await backend.currentNode?.status
                        return node?["capacity"][Self.camera] == "2" && node?["allocatable"][Self.camera] == "2"
                    }
                    await plugin.setHealth("b", false)
                    try await bed.eventually("the sick device is not allocatable") {
                        await backend.currentNode?.status["allocatable"][Self.camera] == "1"
                    }
                    let second = KubeletOnBed.pod("second", [("main", sleep, limits)])
                    await backend.put(second)
                    try await bed.eventually("the second pod is refused") { await kubelet.status(second)["phase"] == "Failed" }
                    #expect(await kubelet.status(second)["reason"] == "UnexpectedAdmissionError")
                    #expect(
                        await kubelet.status(second)["message"]
                            == "Pod was rejected: Allocate failed due to requested number of devices unavailable for example.com/camera. Requested: 1, Available: 0, which is unexpected"
                    )
                }
                await plugin.setHealth("b", true)
                let id = await backend.pod(first.uid)?.status["containerStatuses"][0]["containerID"]
                try await withAgent { kubelet in
                    let third = KubeletOnBed.pod("third", [("main", sleep, limits)])
                    await backend.put(third)
                    try await bed.eventually("the third pod runs") { await kubelet.status(third)["phase"] == "Running" }
                    #expect(try await kubelet.output(third, "echo $SAMPLE_CAMERA") == "b\n")
                    #expect(await kubelet.container(first)["containerID"] == id)
                    #expect(await plugin.allocations == [["a"], ["b"]])
                }
                tasks.cancelAll()
            }
            try await group.shutdownGracefully()
        }
    }
}

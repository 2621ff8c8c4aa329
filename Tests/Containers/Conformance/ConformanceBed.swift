import ContainerRuntime
import DevCluster
import EdgeTesting
import Edged
import KubeMachinery
import Logging
import NIOPosix
import PodCore
import Primitives
import Testing

/// What Kubernetes' own specs for nodes (test/e2e/common at v1.28) ask of pods, asked of real containers. One test a group of specs.
@Suite(.serialized, .enabled(if: ContainerdBed.isPossible, "containerd, runc, the CNI plug-ins and root are needed"))
struct ConformanceTests {}

/// A kubelet on a containerd of its own, with a cluster in memory.
struct ConformanceBed: Sendable {
    let containerd: ContainerdBed
    let backend = FakeKubeletBackend()

    static func run(
        _ adjust: @Sendable @escaping (inout EdgedConfiguration) -> Void = { _ in },
        _ body: @Sendable @escaping (ConformanceBed) async throws -> Void
    ) async throws {
        try await ContainerdBed.withBed { containerd in
            _ = try await containerd.busybox()
            let bed = ConformanceBed(containerd: containerd)
            var configuration = EdgedConfiguration(nodeName: "edge-1")
            configuration.rootDirectory = containerd.directory + "/edged"
            configuration.podLogDirectory = containerd.directory + "/logs"
            configuration.containerLogDirectory = containerd.directory + "/links"
            adjust(&configuration)
            try await bed.withKubelet(configuration) { try await body(bed) }
        }
    }

    private func withKubelet(_ configuration: EdgedConfiguration, _ body: @Sendable @escaping () async throws -> Void) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let edged = try Edged(
            configuration, runtime: containerd.runtime, backend: backend, handlers: NIOHandlerNetwork(group: group),
            logger: Logger(label: "edged") { _ in SwiftLogNoOpLogHandler() })
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                do { try await edged.run() } catch is CancellationError {}
            }
            await backend.start([])
            try await body()
            tasks.cancelAll()
        }
        try await group.shutdownGracefully()
    }

    // MARK: - Pods

    /// A pod of one container `main` that runs a shell script; nil: the image's own command.
    static func pod(
        _ name: String, _ script: String? = "trap 'exit 0' TERM; while true; do sleep 0.1; done", container more: JSONValue = .null,
        spec: JSONValue = .null, metadata: JSONValue = .null
    ) -> KubeObject {
        var pod = KubeObject(apiVersion: "v1", kind: "Pod", namespace: "default", name: name)
        pod.uid = UniqueID.next()
        for (key, value) in metadata.members { pod.metadata[key] = value }
        pod.json["spec"] = [
            "nodeName": "edge-1", "restartPolicy": "Never", "terminationGracePeriodSeconds": 5, "containers": [container("main", script, more)],
        ]
        for (key, value) in spec.members { pod.spec[key] = value }
        return pod
    }

    static func container(_ name: String, _ script: String?, _ more: JSONValue = .null) -> JSONValue {
        var container: JSONValue = ["name": .string(name), "image": .string(BusyboxImage.reference), "imagePullPolicy": "IfNotPresent"]
        if let script { container["command"] = ["/bin/sh", "-c", .string(script)] }
        for (key, value) in more.members { container[key] = value }
        return container
    }

    func start(_ pods: KubeObject...) async { for pod in pods { await backend.put(pod) } }

    /// Changes the pod as a user does; its status stays.
    func change(_ pod: KubeObject, _ body: @Sendable (inout KubeObject) -> Void) async throws {
        var current = try #require(await backend.pod(pod.uid))
        body(&current)
        await backend.put(current)
    }

    // MARK: - What is seen of them

    func status(_ pod: KubeObject) async -> JSONValue { await backend.pod(pod.uid)?.status ?? .null }
    func phase(_ pod: KubeObject) async -> String { await status(pod)["phase"].string ?? "" }

    func container(_ pod: KubeObject, _ name: String = "main") async -> JSONValue {
        let status = await status(pod)
        let lists = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"]
        return lists.flatMap { status[$0].elements }.first { $0["name"].string == name } ?? .null
    }

    func waiting(_ pod: KubeObject, _ name: String = "main") async -> String { await container(pod, name)["state"]["waiting"]["reason"].string ?? "" }
    func terminated(_ pod: KubeObject, _ name: String = "main") async -> JSONValue { await container(pod, name)["state"]["terminated"] }
    func condition(_ pod: KubeObject, _ type: String) async -> JSONValue {
        await status(pod)["conditions"].elements.first { $0["type"].string == type } ?? .null
    }

    /// What a container wrote, of its newest run.
    func log(_ pod: KubeObject, _ name: String = "main") async -> String {
        let count = await container(pod, name)["restartCount"].int ?? 0
        let path = "\(containerd.directory)/logs/default_\(pod.name)_\(pod.uid)/\(name)/\(count).log"
        guard let bytes = try? HostFile.read(path) else { return "" }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { line in
            let fields = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false)
            return fields.count == 4 ? fields[3] + (fields[2] == "P" ? "" : "\n") : ""
        }.joined()
    }

    /// Runs a shell script in a container and returns what it wrote.
    func run(_ script: String, in pod: KubeObject, _ name: String = "main") async throws -> String {
        let id = try #require(await container(pod, name)["containerID"].string)
        let result = try await containerd.runtime.execute(
            ["/bin/sh", "-c", script], inContainer: String(id.dropFirst("containerd://".count)), timeout: .seconds(20))
        return String(decoding: result.output, as: UTF8.self)
    }

    func eventually(_ what: Comment, _ condition: () async throws -> Bool) async throws { try await containerd.eventually(what, condition) }

    func untilEnded(_ pod: KubeObject, _ phase: String = "Succeeded") async throws {
        try await eventually("\(pod.name) ends") { ["Succeeded", "Failed"].contains(await self.phase(pod)) }
        let (seen, log, status) = (await self.phase(pod), await log(pod), await status(pod).text())
        #expect(seen == phase, "\(pod.name): \(log) \(status)")
    }

    func isRunning(_ pod: KubeObject, _ name: String = "main") async -> Bool { !(await container(pod, name)["state"]["running"]).isNull }

    func untilRunning(_ pod: KubeObject) async throws {
        do {
            try await eventually("\(pod.name) runs") {
                guard await phase(pod) == "Running" else { return false }
                return await isRunning(pod)
            }
        } catch {
            Issue.record("\(pod.name): \(await status(pod).text())")
            throw error
        }
    }

    /// Brings in busybox under another name.
    func importImage(_ reference: String, settings: [String: JSONValue] = [:]) async throws {
        try await containerd.containerd.importImage(
            BusyboxImage.archive(busybox: HostFile.read("/bin/busybox"), reference: reference, settings: settings))
        try await eventually("the image is known") { try await containerd.runtime.image(reference) != nil }
    }

    static func object(_ kind: String, _ name: String, _ data: JSONValue) -> KubeObject {
        var object = KubeObject(apiVersion: "v1", kind: kind, namespace: "default", name: name)
        object.json["data"] = data
        return object
    }
}

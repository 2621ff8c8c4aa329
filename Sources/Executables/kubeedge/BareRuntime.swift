import ArgumentParser
import ContainerRuntime
import DevCluster
import Glibc
import KubeMachinery
import Logging
import NIOCore
import NIOPosix
import ObjectStore
import PodCore
import Primitives

/// The bare runtime calls of one pod after the other, for the benchmarks to compare with.
struct BareRuntime: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Time the runtime's own calls.", shouldDisplay: false)

    @Option var socket: String
    @Option var count = 20

    func run() async throws {
        let runtime = try CRIRuntime(
            endpoint: socket, group: MultiThreadedEventLoopGroup.singleton, logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() })
        let seconds = try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await runtime.run() }
            defer { group.cancelAll() }
            _ = try await runtime.version()
            var seconds: [JSONValue] = []
            for index in 0..<count { seconds.append(.decimal(try await Self.time(runtime, index))) }
            return seconds
        }
        print(JSONValue.object(["seconds": .array(seconds)]).text())
    }

    /// Makes, starts and removes a pod of one container; returns the seconds until the container runs.
    private static func time(_ runtime: CRIRuntime, _ index: Int) async throws -> String {
        var sandbox = SandboxPlan()
        sandbox.podName = "bare-\(index)"
        sandbox.podNamespace = "bench"
        sandbox.podUID = UniqueID.next()
        sandbox.hostname = sandbox.podName
        sandbox.logDirectory = "/tmp/kubeedge-bare"
        var container = ContainerPlan()
        container.name = "c"
        container.image = BusyboxImage.reference
        container.command = ["sleep", "100000"]
        container.logPath = "c/0.log"
        let clock = SystemClock()
        let begin = clock.now().uptime
        let id = try await runtime.runSandbox(sandbox)
        _ = try await runtime.image(container.image)
        let started = try await runtime.createContainer(container, inSandbox: id, sandbox)
        try await runtime.startContainer(started)
        let seconds = (clock.now().uptime - begin) / .seconds(1)
        try await runtime.stopContainer(started, grace: .zero)
        try await runtime.stopSandbox(id)
        try await runtime.removeSandbox(id)
        return "\(seconds)"
    }
}

/// From a write to the store until a watcher has it, for the benchmarks.
struct StoreLatency: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Time the store's watch.", shouldDisplay: false)

    @Option var writes = 1000

    func run() async throws {
        let path = "/tmp/kubeedge-store-\(UniqueID.next()).db"
        defer { for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) } }
        let store = try ObjectStore(ObjectStore.Configuration(path: path), logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() })
        let resource = GroupResource(group: "", resource: "configmaps")
        var events = try await store.watch(resource, namespace: nil, after: nil).makeAsyncIterator()
        let clock = SystemClock()
        var seconds: [JSONValue] = []
        for index in 0..<writes {
            var object = KubeObject(apiVersion: "v1", kind: "ConfigMap", namespace: "default", name: "c\(index)")
            object.json["data"]["key"] = .string(String(repeating: "x", count: 1024))
            let begin = clock.now().uptime
            _ = try await store.create(resource, object)
            _ = await events.next()
            seconds.append(.decimal("\((clock.now().uptime - begin) / .seconds(1))"))
        }
        print(JSONValue.object(["seconds": .array(seconds)]).text())
    }
}

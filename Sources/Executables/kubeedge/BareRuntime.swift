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

/// The bare runtime calls of pods, one after the other or by several clients at once, for the benchmarks to compare with.
struct BareRuntime: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Time the runtime's own calls.", shouldDisplay: false)

    @Option var socket: String
    @Option var count = 20
    /// How many pods are made at once; with more than one they are removed once all of them run.
    @Option var clients = 1

    func run() async throws {
        let runtime = try CRIRuntime(
            endpoint: socket, group: MultiThreadedEventLoopGroup.singleton, logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() })
        let seconds = try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await runtime.run() }
            defer { group.cancelAll() }
            _ = try await runtime.version()
            guard clients > 1 else {
                var seconds: [JSONValue] = []
                for index in 0..<count { seconds.append(.decimal(try await Self.time(runtime, index))) }
                return seconds
            }
            return try await burst(runtime)
        }
        print(JSONValue.object(["seconds": .array(seconds)]).text())
    }

    /// Makes all pods, so many at once, then removes them.
    private func burst(_ runtime: CRIRuntime) async throws -> [JSONValue] {
        let made = try await inTurn(Array(0..<count)) { index in try await Self.make(runtime, index) }
        _ = try await inTurn(made) { pod in try await Self.remove(runtime, pod) }
        return made.map { .decimal($0.seconds) }
    }

    /// What `work` makes of every item, with `clients` at work at a time.
    private func inTurn<Item: Sendable, Made: Sendable>(
        _ items: [Item], _ work: @escaping @Sendable (Item) async throws -> Made
    ) async throws -> [Made] {
        try await withThrowingTaskGroup(of: Made.self) { group in
            var results: [Made] = []
            for (index, item) in items.enumerated() {
                if index >= clients, let result = try await group.next() { results.append(result) }
                group.addTask { try await work(item) }
            }
            for try await result in group { results.append(result) }
            return results
        }
    }

    private struct Pod: Sendable {
        var sandbox: String
        var container: String
        var seconds: String
    }

    /// Makes, starts and removes a pod of one container; returns the seconds until the container runs.
    private static func time(_ runtime: CRIRuntime, _ index: Int) async throws -> String {
        let pod = try await make(runtime, index)
        try await remove(runtime, pod)
        return pod.seconds
    }

    private static func make(_ runtime: CRIRuntime, _ index: Int) async throws -> Pod {
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
        return Pod(sandbox: id, container: started, seconds: "\((clock.now().uptime - begin) / .seconds(1))")
    }

    private static func remove(_ runtime: CRIRuntime, _ pod: Pod) async throws {
        try await runtime.stopContainer(pod.container, grace: .zero)
        try await runtime.stopSandbox(pod.sandbox)
        try await runtime.removeSandbox(pod.sandbox)
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

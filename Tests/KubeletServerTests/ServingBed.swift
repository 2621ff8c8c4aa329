import ContainerRuntime
import EdgeTesting
import HTTPServing
import KubeMachinery
import Logging
import PodCore
import Primitives
import Synchronization
import Testing

@testable import KubeletServer

/// The service over a runtime and a kubelet that do as they are told.
final class ServingBed: Sendable {
    let view = FakeView()
    let runtime = FakeRuntime()
    let metrics = KubeletMetrics()
    let folder: ScratchFolder

    init() throws { folder = try ScratchFolder() }

    func service(usage: (any UsageSource)? = nil, _ change: (inout KubeletServerConfiguration) -> Void = { _ in }) -> KubeletHTTPService {
        var configuration = KubeletServerConfiguration(nodeName: "edge-1")
        configuration.port = 0
        configuration.systemLogDirectory = folder.path("var")
        configuration.kubeletConfiguration = ["maxPods": 110]
        change(&configuration)
        return KubeletHTTPService(
            configuration, view: view, runtime: runtime, usage: usage, metrics: metrics,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Runs the server while `body` runs.
    static func serving(
        _ body: @Sendable @escaping (ServingBed, Int) async throws -> Void
    ) async throws {
        let bed = try ServingBed()
        defer { bed.folder.remove() }
        let server = bed.service().makeServer()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            try await body(bed, try await server.boundPort())
            group.cancelAll()
        }
    }

    /// A pod `web` with container `main` that runs, with its log.
    func addPod(_ log: String = "") async throws {
        try folder.write("0.log", log)
        var sandbox = SandboxPlan()
        (sandbox.podName, sandbox.podNamespace, sandbox.podUID) = ("web", "default", "u1")
        sandbox.logDirectory = folder.root
        let sandboxID = try await runtime.runSandbox(sandbox)
        var plan = ContainerPlan()
        (plan.name, plan.image, plan.logPath) = ("main", "sha256:1", "0.log")
        let id = try await runtime.createContainer(plan, inSandbox: sandboxID, sandbox)
        try await runtime.startContainer(id)
        var pod = KubeObject(apiVersion: "v1", kind: "Pod", namespace: "default", name: "web")
        pod.uid = "u1"
        pod.spec = ["containers": [["name": "main"]]]
        pod.status = [
            "phase": "Running",
            "containerStatuses": [
                ["name": "main", "containerID": .string("containerd://\(id)"), "state": ["running": ["startedAt": "2024-06-01T10:00:00Z"]]]
            ],
        ]
        view.set([pod])
    }

    func get(_ target: String, method: String = "GET") async -> (status: Int, body: String) {
        let response = await service().answer(HTTPRequest(method: method, target: target))
        return (response.status, Self.text(response))
    }

    static func text(_ response: HTTPResponse) -> String {
        guard case .bytes(let bytes) = response.content else { return "<stream>" }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Pods as a test has set them.
final class FakeView: KubeletView {
    private let state = Mutex<(pods: [KubeObject], age: Duration?)>(([], .seconds(1)))

    func set(_ pods: [KubeObject]) { state.withLock { $0.pods = pods } }
    func setAge(_ age: Duration?) { state.withLock { $0.age = age } }
    func change(_ body: (inout KubeObject) -> Void) { state.withLock { body(&$0.pods[0]) } }

    func pods() async -> [KubeObject] { state.withLock { $0.pods } }
    func pod(_ key: ObjectKey) async -> KubeObject? { state.withLock { $0.pods.first { $0.key == key } } }
    func timeSinceSync() async -> Duration? { state.withLock { $0.age } }
}

import DeliveryCore
import EdgeMessages
import EdgeTesting
import KubeClient
import KubeMachinery
import KubeResources
import Logging
import Primitives
import Testing

@testable import SyncController

/// A downlink with one connected node.
private actor OneNode: NodeDownlink {
    private(set) var lines: [String] = []
    private var signals: [AsyncStream<Void>.Continuation] = []

    func deliver(_ message: EdgeMessage, to node: String) {
        lines.append("\(message.route.operation) \(message.route.resource)@\(node)")
        for signal in signals { signal.yield() }
    }

    func connectedNodes() -> [String] { ["edge-1"] }
    func stores() -> [String: StoreIdentity] { [:] }
    func disconnect(_ node: String) {}

    func wait(for line: String) async throws {
        if lines.contains(line) { return }
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        signals.append(continuation)
        for await _ in stream where lines.contains(line) { return }
        throw CancellationError()
    }
}

@Suite("SyncController against an API in memory", .timeLimit(.minutes(1)))
struct SyncControllerTests {
    let api = FakeKubeAPI()
    private let downlink = OneNode()

    static func record(_ node: String, _ uid: String, _ kind: String, _ name: String, version: String) -> KubeObject {
        var record = KubeObject(apiVersion: "reliablesyncs.kubeedge.io/v1alpha1", kind: "ObjectSync", namespace: "default", name: "\(node).\(uid)")
        record.spec = ["objectAPIVersion": "v1", "objectKind": .string(kind), "objectName": .string(name)]
        record.status["objectResourceVersion"] = .string(version)
        return record
    }

    @Test("what changed and what went while a node was away is told when it connects; records of nodes that are gone are removed")
    func healing() async throws {
        await api.put(Resources.nodes, KubeObject(apiVersion: "v1", kind: "Node", name: "edge-1"))
        await api.put(Resources.nodes, KubeObject(apiVersion: "v1", kind: "Node", name: "edge-away"))
        var map = KubeObject(apiVersion: "v1", kind: "ConfigMap", namespace: "default", name: "map")
        map.uid = "m"
        await api.put(Resources.configMaps, map)
        await api.put(Resources.objectSyncs, Self.record("edge-1", "m", "ConfigMap", "map", version: "1"))
        await api.put(Resources.objectSyncs, Self.record("edge-1", "p", "Pod", "gone", version: "1"))
        await api.put(Resources.objectSyncs, Self.record("edge-away", "p", "Pod", "gone", version: "1"))
        await api.put(Resources.objectSyncs, Self.record("edge-removed", "p", "Pod", "gone", version: "1"))
        let controller = SyncController(
            api: api, downlink: downlink, clock: ManualClock(), logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await controller.run() }
            try await downlink.wait(for: "update default/configmap/map@edge-1")
            try await downlink.wait(for: "delete default/pod/gone@edge-1")
            let records = try await api.objects(Resources.objectSyncs) { $0.count == 3 }
            #expect(records.map(\.name) == ["edge-1.m", "edge-1.p", "edge-away.p"])
            #expect(await !downlink.lines.contains { $0.hasSuffix("edge-away") })
            group.cancelAll()
        }
    }

    @Test("T54 a kind that cannot be listed leads to nothing")
    func unreadable() async throws {
        await api.put(Resources.nodes, KubeObject(apiVersion: "v1", kind: "Node", name: "edge-1"))
        await api.put(Resources.objectSyncs, Self.record("edge-1", "p", "Pod", "web", version: "1"))
        await api.put(Resources.objectSyncs, Self.record("edge-1", "s", "Secret", "gone", version: "1"))
        await api.fail(.list, Resources.pods, times: 1000, with: .internalError("away"))
        let controller = SyncController(
            api: api, downlink: downlink, clock: ManualClock(), logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await controller.run() }
            try await downlink.wait(for: "delete default/secret/gone@edge-1")
            try await api.calls(.list, Resources.pods, atLeast: 1)
            await controller.compareAll()
            #expect(await !downlink.lines.contains { $0.contains("/pod/") })
            group.cancelAll()
        }
    }

    @Test("what another cloudcore has seen first is not taken for gone: the API is asked, not the copy that is late")
    func lateCopy() async throws {
        await api.put(Resources.nodes, KubeObject(apiVersion: "v1", kind: "Node", name: "edge-1"))
        // A record that only another instance can have made; this one's list of pods and nodes is older.
        for name in ["late", "marker"] { await api.put(Resources.objectSyncs, Self.record("edge-1", name, "Pod", name, version: "1")) }
        await api.put(Resources.objectSyncs, Self.record("edge-late", "x", "Pod", "x", version: "1"))
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let copies = [Resources.pods, Resources.nodes].map { Informer(api: api, resource: $0, clock: ManualClock(), logger: logger) }
        let controller = SyncController(
            api: api, downlink: downlink, informers: [Resources.pods: copies[0], Resources.nodes: copies[1]], clock: ManualClock(), logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for copy in copies {
                let listing = Task { try await copy.run() }
                await copy.synced()
                listing.cancel()
                _ = try? await listing.value
            }
            var pod = KubeObject(apiVersion: "v1", kind: "Pod", namespace: "default", name: "late")
            pod.uid = "late"
            await api.put(Resources.pods, pod)
            await api.put(Resources.nodes, KubeObject(apiVersion: "v1", kind: "Node", name: "edge-late"))
            group.addTask { try await controller.run() }
            try await downlink.wait(for: "delete default/pod/marker@edge-1")
            await controller.compareAll()
            #expect(await !downlink.lines.contains { $0.contains("/late@") })
            #expect(await api.objects(Resources.objectSyncs).map(\.name) == ["edge-1.late", "edge-1.marker", "edge-late.x"])
            group.cancelAll()
        }
    }

    @Test("T57 a thousand nodes that are deleted at once leave no record behind, and a node that stays keeps its own")
    func manyNodes() async throws {
        let names = (0..<1000).map { "edge-\($0)-gone" }
        for name in names + ["edge-1"] {
            await api.put(Resources.nodes, KubeObject(apiVersion: "v1", kind: "Node", name: name))
            await api.put(Resources.objectSyncs, Self.record(name, "p", "Pod", "web", version: "1"))
        }
        let clock = ManualClock()
        let controller = SyncController(
            api: api, downlink: downlink, clock: clock, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await controller.run() }
            try await downlink.wait(for: "delete default/pod/web@edge-1")
            try await api.calls(.watch, Resources.nodes, atLeast: 1)
            for name in names { await api.drop(Resources.nodes, ObjectKey(name: name)) }
            while await api.objects(Resources.objectSyncs).count > 1 {
                try Task.checkCancellation()
                clock.advance(by: .seconds(5))
                for _ in 0..<100 { await Task.yield() }
            }
            #expect(await api.objects(Resources.objectSyncs).map(\.name) == ["edge-1.p"])
            group.cancelAll()
        }
    }
}

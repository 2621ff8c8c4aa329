import DeliveryCore
import EdgeMessages
import EdgeTesting
import KubeMachinery
import Logging
import ObjectStore
import Primitives

@testable import MetaManager

/// The memory of an edge whose cloud is away, in a file of its own: pods come down, reports go no further than the disk.
struct EdgeOnDisk: Sendable {
    let store: ObjectStore
    let manager: MetaManager
    let outbox: ReportOutbox
    let cloud = ReportCloud()

    init(_ path: String, log: LogRecorder = LogRecorder()) throws {
        var configuration = ObjectStore.Configuration(path: path)
        configuration.replacesDamagedFile = true
        configuration.predecessor = UpstreamRecords.table
        store = try ObjectStore(configuration, logger: log.logger)
        manager = MetaManager(
            configuration: MetaManager.Configuration(nodeName: "edge-1"), store: store, uplink: cloud, clock: SystemClock(), logger: log.logger)
        outbox = ReportOutbox(store: store, uplink: cloud, clock: SystemClock(), logger: log.logger)
    }

    /// Runs the outbox beside `body`.
    func running(_ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { do { try await outbox.run() } catch is CancellationError {} }
            defer { group.cancelAll() }
            try await body()
        }
    }

    /// A pod of the cloud, which is acknowledged when this returns.
    func receive(pod name: String, padding: Int = 0) async throws {
        let pod: JSONValue = [
            "metadata": ["name": .string(name), "namespace": "shop", "uid": .string("u-\(name)"), "resourceVersion": "5"],
            "spec": ["nodeName": "edge-1", "padding": .string(String(repeating: "x", count: padding))],
        ]
        try await manager.apply(
            EdgeMessage(source: "edgecontroller", group: "resource", operation: "insert", resource: "shop/pod/\(name)", content: pod))
    }

    /// A report of a module, which is kept when this returns.
    func report(_ id: String, padding: Int = 0) async throws {
        let message = EdgeMessage(
            source: EdgeSource.bus, group: EdgeGroup.user, operation: EdgeOperation.upload, resource: "topic",
            content: .string(id + String(repeating: "x", count: padding)), id: id)
        try await outbox.report(message, as: .event)
    }

    /// `pod name` and `report id` of everything that the file holds, each of it readable.
    func held() async throws -> Set<String> {
        let pods = try await store.list(EdgeRecords.pods, namespace: nil, limit: nil, after: nil).objects
        var held = Set(pods.filter { $0.uid == "u-\($0.name)" && $0.kind == "Pod" }.map { "pod \($0.name)" })
        for record in try await store.list(EdgeRecords.outbox, namespace: nil, limit: nil, after: nil).objects {
            if let row = OutboxRow(record) { held.insert("report \(row.message.header.id)") }
        }
        return held
    }
}

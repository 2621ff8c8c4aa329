import DeliveryCore
import EdgeMessages
import EdgeTesting
import EdgeTransport
import KubeMachinery
import KubeResources
import Logging
import Primitives
import Synchronization
import Testing

@testable import CloudHub

/// Sync records in memory; nothing else is asked of it.
private final class RecordAPI: KubeAPI {
    private let records = Mutex<[ObjectKey: KubeObject]>([:])

    func version(_ name: String) -> String? { records.withLock { $0.values.first { $0.name == name }?.status["objectResourceVersion"].string } }

    func get(_ resource: GroupVersionResource, _ key: ObjectKey, subresource: String?) async throws -> KubeObject {
        guard let record = records.withLock({ $0[key] }) else { throw KubeStatus.notFound(resource.groupResource, key.name) }
        return record
    }

    func list(_ resource: GroupVersionResource, _ query: ListQuery) async throws -> KubeList { KubeList(items: [], resourceVersion: "1") }

    func watch(_ resource: GroupVersionResource, _ query: ListQuery, resourceVersion: String) async throws
        -> AsyncThrowingStream<WatchEvent, any Error>
    { AsyncThrowingStream { $0.finish() } }

    func create(_ resource: GroupVersionResource, namespace: String?, name: String?, _ object: KubeObject, subresource: String?) async throws
        -> KubeObject
    {
        try records.withLock {
            guard $0[object.key] == nil else { throw KubeStatus.alreadyExists(resource.groupResource, object.name) }
            $0[object.key] = object
        }
        return object
    }

    func update(_ resource: GroupVersionResource, _ object: KubeObject, subresource: String?) async throws -> KubeObject {
        guard subresource == "status" else { throw KubeStatus.badRequest("only the status of a record is written") }
        records.withLock { $0[object.key] = object }
        return object
    }

    func patch(_ resource: GroupVersionResource, _ key: ObjectKey, _ patch: JSONValue, _ kind: PatchKind, subresource: String?) async throws
        -> KubeObject
    { throw KubeStatus.badRequest("records are not patched") }

    func delete(_ resource: GroupVersionResource, _ key: ObjectKey, options: JSONValue) async throws -> KubeObject {
        guard let record = records.withLock({ $0.removeValue(forKey: key) }) else { throw KubeStatus.notFound(resource.groupResource, key.name) }
        return record
    }
}

/// Answers every query with the name of the node that asks.
private struct EchoUplink: NodeUplink {
    let connectedSignal = Signal()

    func handle(_ message: EdgeMessage, from node: String) async -> EdgeMessage? { message.reply(.string(node)) }
    func connected(_ node: String) async { connectedSignal.set() }
    func disconnected(_ node: String) async {}
}

@Suite("CloudHub over channels")
struct CloudHubTests {
    private let api = RecordAPI()
    private let uplink = EchoUplink()
    private let clock = ManualClock()

    private func hub(nodeLimit: Int = 10) -> CloudHub {
        var configuration = CloudHub.Configuration()
        configuration.nodeLimit = nodeLimit
        return CloudHub(
            api: api, uplinks: [.edgeController: uplink], clock: clock, configuration: configuration, logger: Logger(label: "test"))
    }

    /// Runs sessions beside a test and ends them with it.
    private func withSessions(_ hub: CloudHub, _ body: (@Sendable (String) async -> Edge) async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            let (starts, feed) = AsyncStream<(PipeChannel, String)>.makeStream()
            group.addTask {
                await withDiscardingTaskGroup { sessions in
                    for await (channel, node) in starts {
                        sessions.addTask { await hub.serve(channel, node: node, project: "p", remote: "r") }
                    }
                    sessions.cancelAll()
                }
            }
            try await body { node in
                let (cloud, edge) = PipeChannel.pair()
                feed.yield((cloud, node))
                await uplink.connectedSignal.wait()
                return Edge(channel: edge)
            }
            feed.finish()
            group.cancelAll()
        }
    }

    private func object(_ version: UInt64, _ change: ObjectChange = .update) -> EdgeMessage {
        var object = KubeObject(apiVersion: "v1", kind: "ConfigMap", namespace: "default", name: "a")
        object.uid = "u"
        object.resourceVersion = String(version)
        return .object(change, object, GroupVersionKind("v1", "ConfigMap"))
    }

    @Test("an object reaches its node, and its record says so after the acknowledgement", .timeLimit(.minutes(1)))
    func delivery() async throws {
        let hub = hub()
        try await withSessions(hub) { connect in
            let edge = await connect("edge-1")
            await hub.deliver(object(5), to: "edge-1")
            await hub.deliver(object(5), to: "elsewhere")
            let message = try await edge.next()
            #expect(message.route.resource == "default/configmap/a")
            #expect(api.version("edge-1.u") == "0")
            try await edge.send(message.acknowledgement())
            // The removal is sent after the acknowledgement was taken; its own removes the record.
            await hub.deliver(object(6, .delete), to: "edge-1")
            let removal = try await edge.next()
            #expect(removal.route.operation == "delete")
            let value1 = await hub.connectedNodes()
            #expect(value1 == ["edge-1"])
        }
    }

    @Test("a request is answered by the controller of its route, the CA by the hub itself", .timeLimit(.minutes(1)))
    func requests() async throws {
        let hub = hub()
        try await withSessions(hub) { connect in
            let edge = await connect("edge-1")
            let request = EdgeMessage.queryNode("edge-1")
            try await edge.send(request)
            let answer = try await edge.next()
            #expect(answer.header.parentID == request.header.id)
            #expect(answer.content == "edge-1")
            try await edge.send(.queryKubernetesCA())
            let value2 = try await edge.next().route.source
            #expect(value2 == "cloudhub")
        }
    }

    @Test("what cannot be read and what speaks for the cloud is dropped, and the session goes on", .timeLimit(.minutes(1)))
    func badInput() async throws {
        let hub = hub()
        try await withSessions(hub) { connect in
            let edge = await connect("edge-1")
            for text in ["", "null", "{", #"{"header":[]}"#, String(repeating: "[", count: 100_000)] { try await edge.channel.send(Array(text.utf8)) }
            try await edge.send(
                EdgeMessage(source: "edgecontroller", group: "resource", operation: "query", resource: "default/node/x", content: .null))
            let request = EdgeMessage.queryNode("edge-1")
            try await edge.send(request)
            let value3 = try await edge.next().header.parentID
            #expect(value3 == request.header.id)
        }
    }

    @Test("T25 a second connection of a node takes the place of the first", .timeLimit(.minutes(1)))
    func replacement() async throws {
        let hub = hub(nodeLimit: 1)
        try await withSessions(hub) { connect in
            let old = await connect("edge-1")
            let new = await connect("edge-1")
            await #expect(throws: (any Error).self) { try await old.next() }
            await hub.deliver(object(5), to: "edge-1")
            let value4 = try await new.next().objectVersion
            #expect(value4 == 5)
            let value5 = await hub.connectedNodes()
            #expect(value5 == ["edge-1"])
            let value6 = await hub.admits("edge-2")
            #expect(value6 == false)
        }
    }

    @Test("a silent node is let go after 30 s", .timeLimit(.minutes(1)))
    func silence() async throws {
        let hub = hub()
        try await withSessions(hub) { connect in
            let edge = await connect("edge-1")
            clock.advance(by: .seconds(31))
            await #expect(throws: (any Error).self) { try await edge.next() }
        }
    }
}

/// The edge's end of a channel.
private struct Edge: Sendable {
    struct Ended: Error {}

    let channel: PipeChannel

    func send(_ message: EdgeMessage) async throws { try await channel.send(message.wire) }

    func next() async throws -> EdgeMessage {
        for try await payload in channel.messages() { return try EdgeMessage(wire: payload) }
        throw Ended()
    }
}

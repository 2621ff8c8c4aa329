import DeliveryCore
import EdgeMessages
import EdgeTesting
import KubeMachinery
import KubeResources
import Logging
import Primitives
import Synchronization
import Testing

@testable import CloudHub

/// Takes reports; what it is told to hold it takes when it is let go.
private final class HoldingUplink: NodeUplink {
    private struct State {
        var handled: [String] = []
        var answer: JSONValue?
        var isHolding = false
        var held: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())
    let began = Signal()
    let connectedSignal = Signal()

    var handled: [String] { state.withLock { $0.handled } }
    func hold() { state.withLock { $0.isHolding = true } }
    func answer(_ content: JSONValue?) { state.withLock { $0.answer = content } }

    func letGo() {
        let held = state.withLock { state in
            defer { (state.isHolding, state.held) = (false, []) }
            return state.held
        }
        for continuation in held { continuation.resume() }
    }

    func handle(_ message: EdgeMessage, from node: String) async -> EdgeMessage? {
        began.set()
        await withCheckedContinuation { continuation in
            let isHeld = state.withLock { state in
                if state.isHolding { state.held.append(continuation) }
                return state.isHolding
            }
            if !isHeld { continuation.resume() }
        }
        return state.withLock { state in
            state.handled.append(message.header.id)
            return message.isTwinReport ? message.confirmation() : state.answer.map { message.reply($0) }
        }
    }

    func connected(_ node: String) async { connectedSignal.set() }
    func disconnected(_ node: String) async {}
}

@Suite("Reports of nodes at CloudHub", .timeLimit(.minutes(1)))
struct ReportsTests {
    private let uplink = HoldingUplink()
    private let clock = ManualClock()

    private func withHub(_ body: (@Sendable () async -> PipeChannel) async throws -> Void) async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let hub = CloudHub(api: NoAPI(), uplinks: [.router: uplink, .deviceController: uplink], clock: clock, logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            let (starts, feed) = AsyncStream<PipeChannel>.makeStream()
            group.addTask {
                await withDiscardingTaskGroup { sessions in
                    for await channel in starts {
                        sessions.addTask { await hub.serve(channel, node: "edge-1", project: "p", remote: "r") }
                    }
                    sessions.cancelAll()
                }
            }
            try await body {
                let (cloud, edge) = PipeChannel.pair()
                feed.yield(cloud)
                await uplink.connectedSignal.wait()
                return edge
            }
            uplink.letGo()
            feed.finish()
            group.cancelAll()
        }
    }

    private func upload(_ id: String, wantsAnswer: Bool = true, on topic: String = "t") -> EdgeMessage {
        var message = EdgeMessage(source: "bus", group: "user", operation: "upload", resource: topic, content: "1", id: id)
        message.wantsAnswer = wantsAnswer
        return message
    }

    private func twin(_ id: String) -> EdgeMessage {
        EdgeMessage(
            source: EdgeSource.twin, group: EdgeGroup.resource, operation: EdgeOperation.update, resource: "device/default/d/twin/edge_updated",
            content: [:], id: id)
    }

    private func next(_ channel: PipeChannel) async throws -> EdgeMessage {
        for try await payload in channel.messages() { return try EdgeMessage(wire: payload) }
        throw CancellationError()
    }

    @Test("a report that comes again is answered again and handled once, over the same connection and the next")
    func once() async throws {
        try await withHub { connect in
            let first = await connect()
            for _ in 0..<2 {
                try await first.send(upload("a").wire)
                let answer = try await next(first)
                #expect(answer.header.parentID == "a")
                #expect(answer.content == "OK")
            }
            first.cut()
            let second = await connect()
            try await second.send(upload("a").wire)
            let again = try await next(second)
            #expect(again.header.parentID == "a")
            try await second.send(upload("b").wire)
            let other = try await next(second)
            #expect(other.header.parentID == "b")
            #expect(uplink.handled == ["a", "b"])
        }
    }

    @Test("a report that is being handled when the link breaks is handled to its end, and its repetition waits for that")
    func breakWhileHandled() async throws {
        try await withHub { connect in
            uplink.hold()
            let first = await connect()
            try await first.send(upload("a").wire)
            await uplink.began.wait()
            first.cut()
            let second = await connect()
            try await second.send(upload("a").wire)
            // Another lane is not held up: nobody handles this one, so it is answered at once.
            var other = upload("x", on: "pods")
            other.route.group = "resource"
            try await second.send(other.wire)
            let refusal = try await next(second)
            #expect(refusal.header.parentID == "x")
            #expect(refusal.refusal?.isRetryable == false)
            uplink.letGo()
            let answer = try await next(second)
            #expect(answer.header.parentID == "a")
            #expect(answer.refusal == nil)
            #expect(uplink.handled == ["a"])
        }
    }

    @Test("what the controller refuses is handled when it comes again")
    func refused() async throws {
        try await withHub { connect in
            let channel = await connect()
            uplink.answer(KubeStatus(code: 503, reason: "ServiceUnavailable", message: "later").errorContent)
            try await channel.send(upload("a").wire)
            let refusal = try await next(channel)
            #expect(refusal.refusal?.code == 503)
            uplink.answer(nil)
            try await channel.send(upload("a").wire)
            let answer = try await next(channel)
            #expect(answer.refusal == nil)
            #expect(uplink.handled == ["a", "a"])
        }
    }

    @Test("a Go edge gets what it knows: nothing for an upload, and for a twin that comes again the twin's answer")
    func goEdge() async throws {
        try await withHub { connect in
            let channel = await connect()
            try await channel.send(upload("a", wantsAnswer: false).wire)
            let report = twin("v")
            try await channel.send(report.wire)
            let first = try await next(channel)
            #expect(first.header.parentID == "v")
            try await channel.send(report.wire)
            let second = try await next(channel)
            #expect(second.header.parentID == "v")
            #expect(second.route.resource == "twin")
            #expect(second.route.group == EdgeGroup.twin)
            #expect(uplink.handled.sorted() == ["a", "v"])
        }
    }
}

/// An API that is never asked.
private struct NoAPI: KubeAPI {
    private static let refusal = KubeStatus.badRequest("nothing is asked here")

    func get(_ resource: GroupVersionResource, _ key: ObjectKey, subresource: String?) async throws -> KubeObject { throw Self.refusal }
    func list(_ resource: GroupVersionResource, _ query: ListQuery) async throws -> KubeList { throw Self.refusal }

    func watch(_ resource: GroupVersionResource, _ query: ListQuery, resourceVersion: String) async throws
        -> AsyncThrowingStream<WatchEvent, any Error>
    { throw Self.refusal }

    func create(_ resource: GroupVersionResource, namespace: String?, name: String?, _ object: KubeObject, subresource: String?) async throws
        -> KubeObject
    { throw Self.refusal }

    func update(_ resource: GroupVersionResource, _ object: KubeObject, subresource: String?) async throws -> KubeObject { throw Self.refusal }

    func patch(_ resource: GroupVersionResource, _ key: ObjectKey, _ patch: JSONValue, _ kind: PatchKind, subresource: String?) async throws
        -> KubeObject
    { throw Self.refusal }

    func delete(_ resource: GroupVersionResource, _ key: ObjectKey, options: JSONValue) async throws -> KubeObject { throw Self.refusal }
}

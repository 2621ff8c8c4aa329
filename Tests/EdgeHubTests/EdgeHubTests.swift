import DeliveryCore
import EdgeMessages
import EdgeTesting
import EdgeTransport
import KubeMachinery
import Logging
import Primitives
import Synchronization
import Testing

@testable import EdgeHub

/// Keeps what is applied, or refuses it.
private final class RecordingDownlink: CloudDownlink {
    struct Full: Error {}

    private let state = Mutex<(applied: [EdgeMessage], isFull: Bool)>(([], false))

    var applied: [EdgeMessage] { state.withLock(\.applied) }
    func setFull(_ isFull: Bool) { state.withLock { $0.isFull = isFull } }

    func apply(_ message: EdgeMessage) async throws {
        try state.withLock {
            if $0.isFull { throw Full() }
            $0.applied.append(message)
        }
    }
}

/// The cloud's end: a hub connects to it, a test takes the connections.
private struct Cloud: Sendable {
    struct Ended: Error {}

    private let connections: AsyncStream<PipeChannel>
    private let feed: AsyncStream<PipeChannel>.Continuation

    init() { (connections, feed) = AsyncStream.makeStream() }

    @Sendable func connect() async throws -> any MessageChannel {
        let (cloud, edge) = PipeChannel.pair()
        feed.yield(cloud)
        return edge
    }

    func accept() async throws -> PipeChannel {
        for await channel in connections { return channel }
        throw Ended()
    }

    static func next(_ channel: PipeChannel) async throws -> EdgeMessage {
        for try await payload in channel.messages() { return try EdgeMessage(wire: payload) }
        throw Ended()
    }
}

@Suite("EdgeHub over channels")
struct EdgeHubTests {
    private let cloud = Cloud()
    private let downlink = RecordingDownlink()
    private let clock = ManualClock()

    private func withHub(_ body: (EdgeHub) async throws -> Void) async throws {
        let hub = EdgeHub(connect: cloud.connect, downlink: downlink, clock: clock, logger: Logger(label: "test"))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try? await hub.run() }
            try await body(hub)
            group.cancelAll()
        }
    }

    private func object(_ version: UInt64) -> EdgeMessage {
        var object = KubeObject(apiVersion: "v1", kind: "Pod", namespace: "default", name: "a")
        object.uid = "u"
        object.resourceVersion = String(version)
        return .object(.update, object, GroupVersionKind("v1", "Pod"))
    }

    @Test("the hub connects, shows that it lives, and acknowledges what is durable", .timeLimit(.minutes(1)))
    func down() async throws {
        try await withHub { _ in
            let channel = try await cloud.accept()
            let value1 = try await Cloud.next(channel).route.operation
            #expect(value1 == "keepalive")
            let message = object(5)
            try await channel.send(message.wire)
            let value2 = try await Cloud.next(channel).header.parentID
            #expect(value2 == message.header.id)
            #expect(downlink.applied == [message])
            downlink.setFull(true)
            try await channel.send(object(6).wire)
            let value3 = try await Cloud.next(channel).route.operation
            #expect(value3 == "error")
        }
    }

    @Test("a request waits for its answer, and fails when the connection breaks or its task is cancelled", .timeLimit(.minutes(1)))
    func requests() async throws {
        try await withHub { hub in
            let channel = try await cloud.accept()
            _ = try await Cloud.next(channel)
            async let answer = hub.request(.queryNode("n"), timeout: .seconds(60))
            let request = try await Cloud.next(channel)
            try await channel.send(request.reply("OK").wire)
            #expect(try await answer.content == "OK")
            // The acknowledgement of that answer.
            let value4 = try await Cloud.next(channel).route.operation
            #expect(value4 == "response")
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    await #expect(throws: CancellationError.self) { try await hub.request(.queryNode("m"), timeout: .seconds(60)) }
                }
                _ = try? await Cloud.next(channel)
                group.cancelAll()
            }
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    await #expect(throws: UplinkError.connectionLost) { try await hub.request(.queryNode("o"), timeout: .seconds(60)) }
                }
                _ = try? await Cloud.next(channel)
                channel.cut()
            }
        }
    }

    @Test("after a break the hub connects again after a pause, and reports that waited are sent", .timeLimit(.minutes(1)))
    func reconnection() async throws {
        try await withHub { hub in
            let channel = try await cloud.accept()
            _ = try await Cloud.next(channel)
            var changes = await hub.connectivity().makeAsyncIterator()
            let value5 = await changes.next()
            #expect(value5 == true)
            channel.cut()
            let value6 = await changes.next()
            #expect(value6 == false)
            await #expect(throws: UplinkError.notConnected) { try await hub.request(.queryNode("n"), timeout: .seconds(60)) }
            for number in 1...2 {
                await hub.post(EdgeMessage(source: "edged", group: "meta", operation: "update", resource: "a/b/c", content: .integer(Int64(number))))
            }
            clock.advance(by: .seconds(2))
            let next = try await cloud.accept()
            let value7 = try await Cloud.next(next).route.operation
            #expect(value7 == "keepalive")
            let value8 = try await Cloud.next(next).content
            #expect(value8 == 2)
            let value9 = await changes.next()
            #expect(value9 == true)
        }
    }

    @Test("a keepalive goes out every 15 s", .timeLimit(.minutes(1)))
    func keepalive() async throws {
        try await withHub { _ in
            let channel = try await cloud.accept()
            for _ in 0..<3 {
                let value10 = try await Cloud.next(channel).route.operation
                #expect(value10 == "keepalive")
                clock.advance(by: .seconds(15))
            }
        }
    }

    @Test("T49 a clock that jumps by a year ends no line, no request and no pause early or late", .timeLimit(.minutes(1)), arguments: [-365.0, 365])
    func wallClock(days: Double) async throws {
        try await withHub { hub in
            let channel = try await cloud.accept()
            _ = try await Cloud.next(channel)
            async let answer = hub.request(.queryNode("n"), timeout: .seconds(60))
            let request = try await Cloud.next(channel)
            clock.setWall(clock.now().wall + .seconds(days * 86400))
            clock.advance(by: .seconds(15))
            let keepalive = try await Cloud.next(channel)
            #expect(keepalive.route.operation == "keepalive")
            #expect(keepalive.header.timestamp == clock.now().wall.milliseconds)
            try await channel.send(request.reply("OK").wire)
            #expect(try await answer.content == "OK")
            channel.cut()
            var changes = await hub.connectivity().makeAsyncIterator()
            while await changes.next() == true {}
            clock.setWall(clock.now().wall + .seconds(-2 * days * 86400))
            clock.advance(by: .seconds(2))
            let next = try await cloud.accept()
            let value12 = try await Cloud.next(next).route.operation
            #expect(value12 == "keepalive")
        }
    }

    @Test("what cannot be read is dropped, and the connection goes on", .timeLimit(.minutes(1)))
    func badInput() async throws {
        try await withHub { _ in
            let channel = try await cloud.accept()
            _ = try await Cloud.next(channel)
            for text in ["", "null", "{", #"{"route":7}"#] { try await channel.send(Array(text.utf8)) }
            let message = object(5)
            try await channel.send(message.wire)
            let value11 = try await Cloud.next(channel).header.parentID
            #expect(value11 == message.header.id)
        }
    }

    @Test("a report ends with its answer, or where a Go cloud gives none once a round trip shows that it was read", .timeLimit(.minutes(1)))
    func reports() async throws {
        try await withHub { hub in
            let channel = try await cloud.accept()
            _ = try await Cloud.next(channel)
            let report = EdgeMessage(source: "bus", group: "user", operation: "upload", resource: "t", content: "21")
            let proved = try await hub.report(report, proof: .reading, timeout: .seconds(60))
            #expect(proved == report)
            let read = try await Cloud.next(channel)
            #expect(read == report)
            async let answer = hub.report(report, proof: .answer, timeout: .seconds(60))
            let again = try await Cloud.next(channel)
            #expect(again == report)
            await #expect(throws: UplinkError.notConnected) { try await hub.report(report, proof: .answer, timeout: .seconds(60)) }
            try await channel.send(again.confirmation().wire)
            #expect(try await answer.content == "OK")
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    await #expect(throws: UplinkError.connectionLost) { try await hub.report(report, proof: .answer, timeout: .seconds(60)) }
                }
                _ = try? await Cloud.next(channel)
                channel.cut()
            }
            await #expect(throws: UplinkError.notConnected) { try await hub.report(report, proof: .reading, timeout: .seconds(60)) }
        }
    }
}

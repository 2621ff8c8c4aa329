import CloudHub
import DeliveryCore
import EdgeHub
import EdgeMessages
import EdgeTesting
import EdgeTransport
import FoundationEssentials
import HTTPServing
import KubeMachinery
import Logging
import MetaManager
import ObjectStore
import Primitives
import Synchronization
import Testing
import Trust

/// Takes uploads, and says when two are there.
private final class UploadUplink: NodeUplink {
    private let state = Mutex<[String]>([])
    let hasTwo = Signal()

    var ids: [String] { state.withLock { $0 } }

    func handle(_ message: EdgeMessage, from node: String) async -> EdgeMessage? {
        let count = state.withLock { ids in
            ids.append(message.header.id)
            return ids.count
        }
        if count == 2 { hasTwo.set() }
        return nil
    }

    func connected(_ node: String) async {}
    func disconnected(_ node: String) async {}
}

/// Reports from the disk of an edge to the handler in the cloud over a real WebSocket, whose connection ends in between.
@Suite("Reports on the loopback", .timeLimit(.minutes(1)))
struct ReportTests {
    private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    private let clock = ManualClock()
    private let uplink = UploadUplink()

    /// The simulation breaks links between messages and within the two sessions; here they break within frames, TLS records and handshakes as well.
    @Test("T47 a line that is cut after every so many bytes loses no report, and the cloud handles none twice")
    func cuts() async throws {
        let path = "/tmp/loopback-cuts-\(UniqueID.next())"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let store = try ObjectStore(ObjectStore.Configuration(path: path + "/edge.db"), logger: Self.quiet)
        let cloud = CloudHub(api: FakeKubeAPI(), uplinks: [.router: uplink], logger: Self.quiet)
        var sent = 0
        var lengths: [Int] = []
        try await withLine(to: cloud, capabilities: [PeerCapability.confirmations.rawValue]) { edge, proxy in
            let outbox = ReportOutbox(store: store, uplink: edge, clock: clock, logger: Self.quiet)
            // The pauses between connections pass in no time.
            let step = { () async -> Duration in await edge.isConnected() ? .milliseconds(20) : .seconds(1) }
            func report() async throws {
                sent += 1
                let message = EdgeMessage(
                    source: EdgeSource.bus, group: EdgeGroup.user, operation: EdgeOperation.upload, resource: "t", content: "21", id: "e\(sent)")
                try await outbox.report(message, as: .event)
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { do { try await outbox.run() } catch is CancellationError {} }
                try await report()
                try await eventually("the first report is confirmed", step: step) { await outbox.backlog.count == 0 }
                // The handshakes in large steps, then a little more than the length of a report and its answer in small ones.
                let whole = proxy.passed
                lengths = Array(stride(from: 1, to: whole - 1000, by: 700)) + Array(stride(from: whole - 1000, to: whole + 1000, by: 53))
                proxy.cut(lengths)
                await cloud.disconnect("edge-1")
                while proxy.count < lengths.count {
                    try await report()
                    try await eventually("room for another report", step: step) { await outbox.backlog.count < 4 }
                }
                try await eventually("the outbox is empty", step: step) { await outbox.backlog.count == 0 }
                group.cancelAll()
            }
        }
        #expect(sent > lengths.count / 3, "many connections last for a report or two")
        #expect(uplink.ids == (1...sent).map { "e\($0)" }, "every report once, in order")
        print("T47: \(sent) reports over \(lengths.count) connections that were cut after \(lengths.first ?? 0) to \(lengths.last ?? 0) bytes")
    }

    @Test("every upload arrives, in order; once where the cloud confirms", arguments: [true, false])
    func uploads(isConfirming: Bool) async throws {
        let path = "/tmp/loopback-reports-\(UniqueID.next())"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let store = try ObjectStore(ObjectStore.Configuration(path: path + "/edge.db"), logger: Self.quiet)
        let cloud = CloudHub(api: FakeKubeAPI(), uplinks: [.router: uplink], logger: Self.quiet)
        try await withLine(to: cloud, capabilities: isConfirming ? [PeerCapability.confirmations.rawValue] : []) { edge, _ in
            let outbox = ReportOutbox(store: store, uplink: edge, clock: clock, logger: Self.quiet)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { do { try await outbox.run() } catch is CancellationError {} }
                for number in 1...6 {
                    let message = EdgeMessage(
                        source: EdgeSource.bus, group: EdgeGroup.user, operation: EdgeOperation.upload, resource: "t", content: "21",
                        id: "e\(number)")
                    try await outbox.report(message, as: .event)
                    if number == 3 {
                        await uplink.hasTwo.wait()
                        await cloud.disconnect("edge-1")
                    }
                }
                try await eventually("the outbox is empty") { await outbox.backlog.count == 0 }
                group.cancelAll()
            }
        }
        let firsts = uplink.ids.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
        #expect(firsts == (1...6).map { "e\($0)" })
        if isConfirming { #expect(uplink.ids == firsts) }
    }

    /// Moves the clock by a step each millisecond until the condition holds.
    private func eventually(
        _ what: Comment, step: () async -> Duration = { .milliseconds(50) }, _ condition: () async -> Bool
    ) async throws {
        let machine = SystemClock()
        let deadline = machine.now().uptime + .seconds(40)
        while machine.now().uptime < deadline {
            if await condition() { return }
            clock.advance(by: await step())
            try await machine.wait(until: machine.now().uptime + .milliseconds(1))
        }
        try #require(Bool(false), what)
    }

    /// A WebSocket server for the hub of the cloud, and an edge that connects to it through a proxy.
    private func withLine(
        to cloud: CloudHub, capabilities: [String], _ body: (EdgeHub, CuttingProxy) async throws -> Void
    ) async throws {
        let now = SystemClock().now().wall + .seconds(-60)
        let authority = try CertificateAuthority(now: now)
        let profile = LeafProfile(commonName: "KubeEdge", names: ["127.0.0.1"], usages: [.server], lifetime: .seconds(86400))
        let pair = try authority.issue(profile, now: now)
        let tls = HTTPServerTLS(certificateChain: pair.certificate, privateKey: pair.key.der, clientCertificates: .none)
        let server = HTTPServer(HTTPServerConfiguration(host: "127.0.0.1", port: 0, tls: { tls }), logger: Self.quiet) { request in
            .messageChannel(to: request, capabilities: capabilities) { await cloud.serve($0, node: "edge-1", project: "p", remote: "r") }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            let proxy = try await CuttingProxy.open(to: try await server.boundPort())
            let address = PeerAddress(host: "127.0.0.1", port: proxy.port, path: "/p/edge-1/events")
            let edge = EdgeHub(
                connect: { try await WebSocketClient.connect(to: address, authority: authority.certificate) }, downlink: NoDownlink(), clock: clock,
                logger: Self.quiet)
            group.addTask { do { try await edge.run() } catch is CancellationError {} }
            try await body(edge, proxy)
            await proxy.close()
            await cloud.stop()
            group.cancelAll()
        }
    }
}

/// Nothing comes down here.
private struct NoDownlink: CloudDownlink {
    func apply(_ message: EdgeMessage) async throws {}
}

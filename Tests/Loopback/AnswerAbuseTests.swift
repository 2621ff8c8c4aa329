import EdgeHub
import EdgeTransport
import Glibc
import HTTPServing
import KubeClient
import KubeMachinery
import KubeResources
import Primitives
import Testing
import Trust

/// Servers whose answers have no end. The targets of rules will be asked by a client of their own, which has to stand here too once there is one.
@Suite("Answers without an end", .timeLimit(.minutes(3)))
struct AnswerAbuseTests {
    /// How an answer goes on for ever, and what a client says of it.
    struct Endless: Sendable {
        let name: String
        let beginning: String
        let piece: [UInt8]
        let code: TransportError.Code
        let cause: String
    }

    private static let zeros = [UInt8](repeating: 0x30, count: 65536)
    private static let chunk = Array("10000\r\n".utf8) + zeros + Array("\r\n".utf8)
    private static let field = Array(("X-Field: " + String(repeating: "x", count: 1024) + "\r\n").utf8)
    private static let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    static let answers = [
        Endless(name: "chunks", beginning: chunked, piece: chunk, code: .messageTooLarge, cause: "is larger than 1048576 bytes"),
        Endless(
            name: "announced", beginning: "HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\n", piece: zeros, code: .messageTooLarge,
            cause: "is larger than 1048576 bytes"),
        Endless(name: "until the end", beginning: "HTTP/1.1 200 OK\r\n\r\n", piece: zeros, code: .messageTooLarge, cause: "is larger than"),
        Endless(name: "headers", beginning: "HTTP/1.1 200 OK\r\n", piece: field, code: .protocolViolation, cause: "does not answer in proper HTTP"),
        Endless(
            name: "trailers", beginning: chunked + "0\r\n", piece: field, code: .protocolViolation, cause: "does not answer in proper HTTP"),
        Endless(name: "nonsense", beginning: "", piece: zeros, code: .protocolViolation, cause: "does not answer in proper HTTP"),
    ]

    @Test("T18 an exchange takes no more than its limit and says what is wrong", arguments: answers)
    func exchange(answer: Endless) async throws {
        try await EndlessServer.run(answer.beginning, piece: answer.piece) { server in
            let exchange = HTTPSExchange(
                to: PeerAddress(host: "127.0.0.1", port: server.port, path: "/ca.crt"), trust: .pinned(authority: server.authority.certificate))
            let error = await #expect(throws: TransportError.self) { try await exchange.send() }
            #expect(error?.code == answer.code, "\(answer.name)")
            #expect(error?.message.contains(answer.cause) == true, "\(answer.name): \(error?.message ?? "")")
            #expect(server.sent < EndlessServer.limit, "\(answer.name)")
        }
    }

    @Test("T18 the application for a certificate gives up an answer without an end, says so and keeps nothing")
    func application() async throws {
        let folder = "/tmp/loopback-endless-\(UniqueID.next())"
        let files = CertificateFiles(authority: folder + "/ca.crt", certificate: folder + "/node.crt", key: folder + "/node.key")
        let log = CapturedLog()
        try await EndlessServer.run(Self.chunked, piece: Self.chunk) { server in
            let token = JoinToken(authority: server.authority, expiry: SystemClock().now().wall + .seconds(600))
            let application = CertificateApplication(
                CertificateApplication.Configuration(nodeName: "edge-1", files: files, token: token.text), logger: log.logger
            ) { try await CloudBed.ask(PeerAddress(host: "127.0.0.1", port: server.port), $0) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await application.run {} }
                let line = try #require(await log.line(with: "certificate application failed"))
                #expect(line.contains("/ca.crt is larger than 1048576 bytes"), "\(line)")
                group.cancelAll()
                while let result = await group.nextResult() { _ = result }
            }
            #expect(server.sent < EndlessServer.limit)
        }
        #expect(access(folder, F_OK) != 0)
    }

    @Test("T18 a refusal without an end of the message line is told in the server's words")
    func refusal() async throws {
        let words = "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nnever\r\n1\r\n\n\r\n"
        try await EndlessServer.run(words, piece: Self.chunk) { server in
            let address = PeerAddress(host: "127.0.0.1", port: server.port, path: "/p/edge-1/events")
            let error = await #expect(throws: TransportError.self) {
                try await WebSocketClient.connect(to: address, authority: server.authority.certificate)
            }
            #expect(error?.code == .handshake)
            #expect(error?.message.contains("refused the connection with 403: never") == true, "\(error?.message ?? "")")
            #expect(server.sent < EndlessServer.limit)
        }
    }

    @Test("T18 a request to switch protocols takes no more than 64 KiB of a head")
    func upgrade() async throws {
        try await EndlessServer.run("HTTP/1.1 101 Switching Protocols\r\n", piece: Self.field) { server in
            let exchange = try HTTPUpgradeExchange(
                "POST", PeerAddress(host: "127.0.0.1", port: server.port, path: "/exec"), headers: ["Connection": "Upgrade", "Upgrade": "SPDY/3.1"],
                trust: .pinned(authority: server.authority.certificate), identity: nil)
            let error = await #expect(throws: HTTPServingError.self) { _ = try await exchange.perform() }
            #expect(error?.code == .headerTooLarge, "\(error?.message ?? "")")
            #expect(server.sent < EndlessServer.limit)
        }
    }

    private func withClient(of server: EndlessServer, _ body: (KubeClient) async throws -> Void) async throws {
        var limits = KubeClient.Limits()
        (limits.body, limits.line) = (1 << 20, 1 << 16)
        let access = ClusterAccess(
            server: "https://127.0.0.1:\(server.port)", trust: .authorities(PEMBlock.text(certificate: server.authority.certificate)))
        let client = try KubeClient(access, limits: limits, logger: CloudBed.quiet)
        do {
            try await body(client)
        } catch {
            await client.shutdown()
            throw error
        }
        await client.shutdown()
    }

    @Test("T18 the Kubernetes client takes no more than its limit and says what is wrong", arguments: answers)
    func kubernetes(answer: Endless) async throws {
        try await EndlessServer.run(answer.beginning, piece: answer.piece) { server in
            try await withClient(of: server) { client in
                let error = await #expect(throws: KubeStatus.self) { try await client.list(Resources.pods, ListQuery()) }
                let cause = answer.code == .messageTooLarge ? "the answer to GET /api/v1/pods is over 1048576 bytes" : "127.0.0.1:\(server.port)"
                #expect(error?.message.contains(cause) == true, "\(answer.name): \(error?.message ?? "")")
                #expect(server.sent < EndlessServer.limit, "\(answer.name)")
            }
        }
    }

    @Test("T18 a watch ends at a line without an end, and at a refusal without one")
    func watch() async throws {
        try await EndlessServer.run(Self.chunked, piece: Self.chunk) { server in
            try await withClient(of: server) { client in
                let events = try await client.watch(Resources.pods, ListQuery(), resourceVersion: "1")
                let error = await #expect(throws: KubeStatus.self) { for try await _ in events {} }
                #expect(error?.message.contains("a watch event over 65536 bytes") == true, "\(error?.message ?? "")")
                #expect(server.sent < EndlessServer.limit)
            }
        }
        try await EndlessServer.run("HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n", piece: Self.chunk) { server in
            try await withClient(of: server) { client in
                let error = await #expect(throws: KubeStatus.self) {
                    _ = try await client.watch(Resources.pods, ListQuery(), resourceVersion: "1")
                }
                #expect(error?.code == 403)
                #expect(server.sent < EndlessServer.limit)
            }
        }
    }
}

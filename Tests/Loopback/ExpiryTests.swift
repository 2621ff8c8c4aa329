import CloudHub
import EdgeHub
import EdgeTesting
import EdgeTransport
import Glibc
import KubeMachinery
import Logging
import Primitives
import Testing
import Trust

/// Certificates that end, over real sockets and real TLS.
@Suite("A node whose certificate has ended, on the loopback", .timeLimit(.minutes(1)))
struct ExpiryTests {
    private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    @Test("T50 a certificate that ended while the cloud was away is refused by it; the token gets another one, and the line is there again")
    func expiry() async throws {
        let folder = "/tmp/loopback-\(UniqueID.next())"
        let files = CertificateFiles(authority: folder + "/ca.crt", certificate: folder + "/node.crt", key: folder + "/node.key")
        defer {
            for path in [files.authority, files.certificate, files.key] { unlink(path) }
            rmdir(folder)
        }
        let clock = SystemClock()
        try await withListener { api, ports in
            let authority = try await Self.authority(api)
            let ended = try authority.issue(.node("edge-1", lifetime: .seconds(60)), now: clock.now().wall + .seconds(-61))
            try files.save(CertificateFiles.Content(authority: authority.certificate, pair: ended))
            let address = PeerAddress(host: "127.0.0.1", port: ports.webSocket ?? 0, path: "/project/edge-1/events")
            let refused = await #expect(throws: TransportError.self) {
                let channel = try await Self.connect(address, authority.certificate, ended)
                // With TLS 1.3 a client learns of it with the first bytes that it reads.
                for try await _ in channel.messages() {}
            }
            #expect(refused?.code != .unreachable)
            let https = PeerAddress(host: "127.0.0.1", port: ports.https)
            let application = CertificateApplication(
                CertificateApplication.Configuration(nodeName: "edge-1", files: files, token: Redacted(try await Self.token(api))),
                logger: Self.quiet
            ) { try await Self.ask(https, $0) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { do { try await application.run {} } catch is CancellationError {} }
                let content = try await application.current()
                #expect(content.pair.certificate != ended.certificate)
                let channel = try await Self.connect(address, content.authority, content.pair)
                try await channel.send(Array("hello".utf8))
                var messages = channel.messages().makeAsyncIterator()
                #expect(try await messages.next() == Array("edge-1: hello".utf8))
                await channel.close("")
                group.cancelAll()
            }
        }
    }

    /// Runs a listener whose sessions send back what they are told, until the body is done.
    private func withListener(_ body: (FakeKubeAPI, CloudHubListener.Ports) async throws -> Void) async throws {
        let api = FakeKubeAPI()
        var configuration = CloudHubListener.Configuration()
        configuration.certificates.names = ["127.0.0.1"]
        (configuration.httpsHost, configuration.httpsPort) = ("127.0.0.1", 0)
        (configuration.webSocketHost, configuration.webSocketPort) = ("127.0.0.1", 0)
        let listener = CloudHubListener(
            api: api, configuration: configuration, logger: Self.quiet, admits: { _ in true }
        ) { channel, node, _, _ in
            do { for try await message in channel.messages() { try await channel.send(Array("\(node): ".utf8) + message) } } catch {}
        }
        let (opened, open) = AsyncStream.makeStream(of: CloudHubListener.Ports.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await listener.run { open.yield($0) } }
            var iterator = opened.makeAsyncIterator()
            try await body(api, try #require(await iterator.next()))
            group.cancelAll()
            while let result = await group.nextResult() { _ = result }
        }
    }

    private static func connect(_ address: PeerAddress, _ authority: [UInt8], _ pair: KeyPair) async throws -> any MessageChannel {
        try await WebSocketClient.connect(
            to: address, headers: [("Node_id", "edge-1"), ("Project_id", "project"), ("Connectionuse", "msg")], authority: authority,
            identity: identity(pair))
    }

    private static func authority(_ api: FakeKubeAPI) async throws -> CertificateAuthority {
        let secrets = GroupVersionResource(resource: "secrets")
        let secret = try #require(await api.object(secrets, ObjectKey(namespace: "kubeedge", name: "casecret")))
        let bytes = try ["cadata", "cakeydata"].map { try #require(secret.json["data"][$0].string.flatMap { Base64.decode($0) }) }
        return try CertificateAuthority(certificate: bytes[0], key: try SigningKey(der: bytes[1]))
    }

    private static func token(_ api: FakeKubeAPI) async throws -> String {
        let secrets = GroupVersionResource(resource: "secrets")
        try await api.wait { $0.objects(secrets).contains { $0.name == "tokensecret" } }
        let secret = try #require(await api.object(secrets, ObjectKey(namespace: "kubeedge", name: "tokensecret")))
        let bytes = try #require(secret.json["data"]["tokendata"].string.flatMap { Base64.decode($0) })
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func identity(_ pair: KeyPair) -> ClientIdentity {
        ClientIdentity(certificate: pair.certificate, privateKey: pair.key.der)
    }

    private static func ask(_ server: PeerAddress, _ question: CertificateExchange) async throws -> CertificateReply {
        let trust: ServerTrust =
            switch question.peer {
            case .unverified: .unverified
            case .authority(let der): .pinned(authority: der)
            }
        var exchange = HTTPSExchange(to: server.at(question.path), trust: trust, identity: question.identity.map(identity))
        for (name, value) in question.headers { exchange.headers[name] = value }
        exchange.body = question.body
        let answer = try await exchange.send()
        return CertificateReply(status: answer.status, body: answer.body)
    }
}

import CloudHub
import DeliveryCore
import EdgeHub
import EdgeTesting
import EdgeTransport
import Glibc
import KubeMachinery
import Logging
import Primitives
import Testing
import Trust

/// A node joins a cloud over real sockets and real TLS: token, CA, certificate, message line, renewal.
@Suite("A node and a cloud on the loopback", .timeLimit(.minutes(1)))
struct JoinTests {
    private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    @Test("join with a token and exchange messages under the certificate that came of it")
    func join() async throws {
        let folder = "/tmp/loopback-\(UniqueID.next())"
        let files = CertificateFiles(authority: folder + "/ca.crt", certificate: folder + "/node.crt", key: folder + "/node.key")
        defer {
            for path in [files.authority, files.certificate, files.key] { unlink(path) }
            rmdir(folder)
        }
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
            let ports = try #require(await iterator.next())
            let https = PeerAddress(host: "127.0.0.1", port: ports.https)
            let application = CertificateApplication(
                CertificateApplication.Configuration(nodeName: "edge-1", files: files, token: Redacted(try await Self.token(api))),
                logger: Self.quiet
            ) { try await Self.ask(https, $0) }
            group.addTask { try await application.run {} }
            let content = try await application.current()
            let channel = try await WebSocketClient.connect(
                to: PeerAddress(host: "127.0.0.1", port: ports.webSocket ?? 0, path: "/project/edge-1/events"),
                headers: [("Node_id", "edge-1"), ("Project_id", "project"), ("Connectionuse", "msg")], authority: content.authority,
                identity: Self.identity(content.pair))
            #expect(channel.capabilities == Set(PeerCapability.allCases.map(\.rawValue)))
            try await channel.send(Array("hello".utf8))
            var messages = channel.messages().makeAsyncIterator()
            let answer = try await messages.next()
            #expect(answer == Array("edge-1: hello".utf8))
            await channel.close("")
            group.cancelAll()
            while let result = await group.nextResult() { _ = result }
        }
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

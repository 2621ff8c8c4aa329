import CloudHub
import CloudStream
import EdgeHub
import EdgeTesting
import EdgeTransport
import HTTPServing
import KubeMachinery
import KubeResources
import Logging
import Primitives
import Testing
import Trust

/// A cloud on free ports of the loopback with everything it shows to nodes and to the API server.
struct CloudBed: Sendable {
    /// What listens.
    enum Listener: String, CaseIterable, Sendable {
        case certificates, line, tunnel, stream
    }

    static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    /// Answers every message with itself and the name of the node.
    static let echo: CloudHubListener.Serve = { channel, node, _, _ in
        do { for try await message in channel.messages() { try await channel.send(Array("\(node): ".utf8) + message) } } catch {}
    }

    let api: FakeKubeAPI
    let authority: CertificateAuthority
    /// The join token that the cloud made.
    let token: JoinToken
    private let ports: [Listener: Int]

    /// Runs a cloud for the length of `body`. Times and limits of `configure` hold for tunnels and streams too.
    static func run(
        _ configure: (inout CloudHubListener.Configuration) -> Void = { _ in }, serve: @escaping CloudHubListener.Serve = echo,
        _ body: @Sendable (CloudBed) async throws -> Void
    ) async throws {
        let api = FakeKubeAPI()
        var configuration = CloudHubListener.Configuration()
        configuration.certificates.names = ["127.0.0.1"]
        (configuration.httpsHost, configuration.httpsPort) = ("127.0.0.1", 0)
        (configuration.webSocketHost, configuration.webSocketPort) = ("127.0.0.1", 0)
        configure(&configuration)
        let listener = CloudHubListener(api: api, configuration: configuration, logger: quiet, admits: { _ in true }, serve: serve)
        try await withThrowingTaskGroup(of: Void.self) { group in
            let (opened, open) = AsyncStream.makeStream(of: CloudHubListener.Ports.self)
            group.addTask { try await listener.run { open.yield($0) } }
            var iterator = opened.makeAsyncIterator()
            let hub = try #require(await iterator.next())
            let authority = try CertificateAuthority(
                certificate: await secret(api, "casecret", "cadata"), key: SigningKey(der: await secret(api, "casecret", "cakeydata")))
            let token = try JoinToken(parsing: String(decoding: await secret(api, "tokensecret", "tokendata"), as: UTF8.self))
            let tunnels = try tunnels(api, configuration, authority)
            let (tunnelsOpened, tunnelsOpen) = AsyncStream.makeStream(of: CloudTunnels.Ports.self)
            group.addTask { try await tunnels.run { tunnelsOpen.yield($0) } }
            var tunnelsIterator = tunnelsOpened.makeAsyncIterator()
            let stream = try #require(await tunnelsIterator.next())
            let ports: [Listener: Int] = [
                .certificates: hub.https, .line: try #require(hub.webSocket), .tunnel: stream.tunnel, .stream: stream.stream,
            ]
            try await body(CloudBed(api: api, authority: authority, token: token, ports: ports))
            group.cancelAll()
            while let result = await group.nextResult() { _ = result }
        }
    }

    private static func tunnels(
        _ api: FakeKubeAPI, _ hub: CloudHubListener.Configuration, _ authority: CertificateAuthority
    ) throws -> CloudTunnels {
        var configuration = CloudTunnels.Configuration()
        (configuration.tunnelHost, configuration.tunnelPort) = ("127.0.0.1", 0)
        (configuration.streamHost, configuration.streamPort) = ("127.0.0.1", 0)
        (configuration.kubeletPort, configuration.servesKubeletPort) = (10399, false)
        (configuration.limits, configuration.pingInterval, configuration.readTime) = (hub.limits, hub.pingInterval, hub.readTime)
        let pair = try authority.issue(.cloudServer(names: ["127.0.0.1"]), now: TestCredentials.begin)
        let identity = CloudTunnels.ServerIdentity(certificate: pair.certificate, privateKey: pair.key.der)
        return CloudTunnels(api: api, configuration: configuration, logger: quiet) {
            CloudTunnels.Credentials(
                tunnel: identity, stream: identity, nodeAuthority: authority.certificate, clientAuthority: authority.certificate)
        }
    }

    private static func secret(_ api: FakeKubeAPI, _ name: String, _ field: String) async throws -> [UInt8] {
        try await api.wait { $0.objects(Resources.secrets).contains { $0.name == name } }
        let object = try #require(await api.object(Resources.secrets, ObjectKey(namespace: "kubeedge", name: name)))
        return try #require(object.json["data"][field].string.flatMap { Base64.decode($0) })
    }

    func port(_ listener: Listener) -> Int { ports[listener] ?? 0 }
    func address(_ listener: Listener) -> PeerAddress { PeerAddress(host: "127.0.0.1", port: port(listener)) }

    // MARK: - Nodes

    /// A certificate of a node, good for an hour.
    func node(_ name: String) throws -> KeyPair { try authority.issue(.node(name, lifetime: .seconds(3600)), now: TestCredentials.begin) }

    static func identity(_ pair: KeyPair) -> ClientIdentity { ClientIdentity(certificate: pair.certificate, privateKey: pair.key.der) }

    /// The message line as a node opens it; `path` where it is not the node's own.
    func line(_ node: String, as pair: KeyPair, path: String? = nil, headers: [(String, String)]? = nil) async throws -> any MessageChannel {
        try await WebSocketClient.connect(
            to: address(.line).at(path ?? "/project/\(node)/events"),
            headers: headers ?? [("Node_id", node), ("Project_id", "project"), ("Connectionuse", "msg")], authority: authority.certificate,
            identity: Self.identity(pair))
    }

    /// The tunnel as a node opens it.
    func tunnel(_ node: String, as pair: KeyPair) async throws -> any MessageChannel {
        try await WebSocketClient.connect(
            to: address(.tunnel).at(TunnelHeaders.path), headers: TunnelHeaders.node(node, address: "127.0.0.1"), authority: authority.certificate,
            identity: Self.identity(pair))
    }

    /// GET `/edge.crt` as a node sends it.
    func apply(_ request: [UInt8], node: String, token: String? = nil, as pair: KeyPair? = nil) async throws -> HTTPSExchange.Answer {
        var exchange = HTTPSExchange(
            to: address(.certificates).at("/edge.crt"), trust: .pinned(authority: authority.certificate), identity: pair.map(Self.identity))
        if let token { exchange.headers["Authorization"] = "Bearer \(token)" }
        exchange.headers["NodeName"] = node
        exchange.body = request
        return try await exchange.send()
    }

    /// How an edge asks the certificate service.
    static func ask(_ server: PeerAddress, _ question: CertificateExchange) async throws -> CertificateReply {
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

    /// What any client gets that behaves: the CA, by a connection of its own.
    func servesOthers() async throws {
        let answer = try await HTTPSExchange(to: address(.certificates).at("/ca.crt"), trust: .pinned(authority: authority.certificate)).send()
        #expect(answer.status == 200 && answer.body == authority.certificate)
    }

    /// A raw connection to a listener, with a certificate of `edge-1`.
    func raw(_ listener: Listener) async throws -> RawConnection {
        try await RawConnection.open(port(listener), over: try RawConnection.tls(as: listener == .certificates ? nil : node("edge-1")))
    }
}

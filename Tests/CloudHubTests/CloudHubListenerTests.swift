import EdgeTesting
import EdgeTransport
import FoundationEssentials
import KubeMachinery
import KubeResources
import Logging
import Primitives
import Synchronization
import Testing
import Trust

@testable import CloudHub

private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// What a node knows of a running listener.
private struct Cloud: Sendable {
    let ports: CloudHubListener.Ports
    let authority: CertificateAuthority
    let token: JoinToken
    let served: SharedList

    var https: PeerAddress { PeerAddress(host: "127.0.0.1", port: ports.https) }
    var webSocket: PeerAddress { PeerAddress(host: "127.0.0.1", port: ports.webSocket ?? 0) }

    /// GET `/edge.crt` as a Go edge sends it (captures, file 01).
    func ask(
        _ request: [UInt8], node: String?, token: String? = nil, identity: KeyPair? = nil, usages: String? = nil
    ) async throws -> HTTPSExchange.Answer {
        var exchange = HTTPSExchange(
            to: https.at("/edge.crt"), trust: .pinned(authority: authority.certificate),
            identity: identity.map { ClientIdentity(certificate: $0.certificate, privateKey: $0.key.der) })
        if let token { exchange.headers["Authorization"] = token }
        if let node { exchange.headers["Nodename"] = node }
        if let usages { exchange.headers["Extkeyusages"] = usages }
        exchange.body = request
        return try await exchange.send()
    }

    var bearer: String { "Bearer " + token.webToken.exposed }

    /// TLS reads a clock that is up to a tick behind, and takes nothing that begins in its future.
    func node(_ name: String) throws -> KeyPair {
        try authority.issue(.node(name, lifetime: .seconds(3600)), now: SystemClock().now().wall + .seconds(-60))
    }

    func connect(
        _ node: String, as pair: KeyPair?, headers: [(String, String)]? = nil, authority shown: [UInt8]? = nil
    ) async throws -> any MessageChannel {
        try await WebSocketClient.connect(
            to: webSocket.at("/project/\(node)/events"),
            headers: headers ?? [("Node_id", node), ("Project_id", "project"), ("Connectionuse", "msg")],
            authority: shown ?? authority.certificate,
            identity: pair.map { ClientIdentity(certificate: $0.certificate, privateKey: $0.key.der) })
    }
}

/// A list that tasks share.
private final class SharedList: Sendable {
    private let list = Mutex<[String]>([])
    var all: [String] { list.withLock { $0 } }
    func add(_ text: String) { list.withLock { $0.append(text) } }
}

/// Runs a listener on free ports for the length of `use`; sessions echo their messages.
private func withCloud(
    configure: (inout CloudHubListener.Configuration) -> Void = { _ in }, admits: @escaping @Sendable (String) -> Bool = { _ in true },
    use: @Sendable (Cloud) async throws -> Void
) async throws {
    let api = FakeKubeAPI()
    var configuration = CloudHubListener.Configuration()
    configuration.certificates.names = ["127.0.0.1"]
    configuration.httpsHost = "127.0.0.1"
    configuration.httpsPort = 0
    configuration.webSocketHost = "127.0.0.1"
    configuration.webSocketPort = 0
    configure(&configuration)
    let served = SharedList()
    let listener = CloudHubListener(api: api, configuration: configuration, logger: quiet, admits: admits) { channel, node, project, remote in
        served.add("\(node) \(project) \(remote.hasPrefix("127.0.0.1:"))")
        do { for try await message in channel.messages() { try await channel.send(message) } } catch {}
    }
    let (opened, open) = AsyncStream.makeStream(of: CloudHubListener.Ports.self)
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await listener.run { open.yield($0) } }
        var iterator = opened.makeAsyncIterator()
        let ports = try #require(await iterator.next())
        try await api.wait { $0.objects(Resources.secrets).contains { $0.name == "tokensecret" } }
        func bytes(_ secret: String, _ field: String) async -> [UInt8] {
            let object = await api.object(Resources.secrets, ObjectKey(namespace: "kubeedge", name: secret))
            return object?.json["data"][field].string.flatMap { Base64.decode($0) } ?? []
        }
        let authority = try CertificateAuthority(
            certificate: await bytes("casecret", "cadata"), key: try SigningKey(der: await bytes("casecret", "cakeydata")))
        let token = try JoinToken(parsing: String(decoding: await bytes("tokensecret", "tokendata"), as: UTF8.self))
        try await use(Cloud(ports: ports, authority: authority, token: token, served: served))
        group.cancelAll()
        while let _ = try? await group.next() {}
    }
}

@Suite("The certificate service", .serialized, .timeLimit(.minutes(1)))
struct CertificateServiceTests {
    @Test("gives its CA to everybody, and it is the one in the token")
    func authority() async throws {
        try await withCloud { cloud in
            let answer = try await HTTPSExchange(to: cloud.https.at("/ca.crt"), trust: .unverified).send()
            #expect(answer.status == 200)
            #expect(answer.body == cloud.authority.certificate)
            try cloud.token.checkAuthority(answer.body)
        }
    }

    @Test("signs what a node with a token asks for, and renews with the certificate alone")
    func join() async throws {
        try await withCloud { cloud in
            let key = SigningKey()
            let answer = try await cloud.ask(try SigningRequest.make(node: "edge-1", key: key), node: "edge-1", token: cloud.bearer, usages: "[2]")
            #expect(answer.status == 200)
            let pair = KeyPair(certificate: answer.body, key: key)
            try pair.checkMatch()
            let facts = try cloud.authority.verify(pair.certificate, for: .client, at: SystemClock().now().wall)
            #expect(facts.commonName == "system:node:edge-1" && facts.organizations == ["system:nodes"])
            let renewed = try await cloud.ask(try SigningRequest.make(node: "edge-1", key: SigningKey()), node: "edge-1", identity: pair)
            #expect(renewed.status == 200)
            let stolen = try await cloud.ask(try SigningRequest.make(node: "edge-2", key: SigningKey()), node: "edge-2", identity: pair)
            #expect(stolen.status == 401)
        }
    }

    @Test("refuses with a status and a cause")
    func refusals() async throws {
        try await withCloud { cloud in
            let good = try SigningRequest.make(node: "edge-1", key: SigningKey())
            let other = try SigningRequest.make(commonName: "system:node:edge-1", organizations: ["system:masters"], key: SigningKey())
            let now = SystemClock().now().wall
            let expired = JoinToken(authority: cloud.authority, expiry: now + .seconds(-1))
            let foreign = JoinToken(authority: try CertificateAuthority(now: now), expiry: now + .seconds(60))
            var tampered = good
            tampered[tampered.count / 2] ^= 1
            let cases: [(request: [UInt8], node: String?, token: String?, usages: String?, status: Int)] = [
                (good, "edge-1", nil, nil, 401), (good, "edge-1", "Bearer", nil, 401), (good, "edge-1", "a b c", nil, 401),
                (good, "edge-1", "Bearer x.y.z", nil, 400), (good, "edge-1", "Bearer " + expired.webToken.exposed, nil, 400),
                (good, "edge-1", "Bearer " + foreign.webToken.exposed, nil, 400), (good, nil, cloud.bearer, nil, 400),
                (good, "edge-2", cloud.bearer, nil, 400), (good, "../x", cloud.bearer, nil, 400), (other, "edge-1", cloud.bearer, nil, 400),
                (tampered, "edge-1", cloud.bearer, nil, 400), ([], "edge-1", cloud.bearer, nil, 400), ([1, 2, 3], "edge-1", cloud.bearer, nil, 400),
                (good, "edge-1", cloud.bearer, "[1]", 400), (good, "edge-1", cloud.bearer, "nonsense", 400),
                ([UInt8](repeating: 0x30, count: 2 << 20), "edge-1", cloud.bearer, nil, 413),
            ]
            for (index, test) in cases.enumerated() {
                let answer = try await cloud.ask(test.request, node: test.node, token: test.token, usages: test.usages)
                #expect(answer.status == test.status, "case \(index): \(answer.text)")
                #expect(!answer.body.isEmpty, "case \(index)")
            }
            let unknown = try Cloud(
                ports: cloud.ports, authority: try CertificateAuthority(now: now), token: cloud.token, served: cloud.served
            ).node("edge-1")
            // A presented certificate decides alone: there is no way back to the token.
            let answer = try await cloud.ask(good, node: "edge-1", token: cloud.bearer, identity: unknown)
            #expect(answer.status == 401)
        }
    }

    @Test("knows no other address")
    func others() async throws {
        try await withCloud { cloud in
            var exchange = HTTPSExchange(
                to: cloud.https.at("/task/upgrade/name/x/node/y/status"), trust: .pinned(authority: cloud.authority.certificate))
            exchange.method = "POST"
            exchange.body = Array("{}".utf8)
            let lost = try await exchange.send()
            #expect(lost.status == 404)
            exchange.address.path = "/ca.crt"
            let wrong = try await exchange.send()
            #expect(wrong.status == 405)
        }
    }
}

@Suite("The listener of the message line", .serialized, .timeLimit(.minutes(1)))
struct CloudHubListenerTests {
    @Test("serves a node with its certificate, on any path, under its first header line")
    func serves() async throws {
        try await withCloud { cloud in
            let pair = try cloud.node("edge-1")
            let headers = [
                ("Node_id", "edge-1"), ("Project_id", "p"), ("Connectionuse", "msg"), ("Node_id", "edge-1"), ("Connectionuse", "msg"),
            ]
            let channel = try await cloud.connect("edge-1", as: pair, headers: headers)
            try await channel.send(Array("hello\n".utf8))
            var messages = channel.messages().makeAsyncIterator()
            let echoed = try await messages.next()
            #expect(echoed == Array("hello\n".utf8))
            await channel.close("")
            #expect(cloud.served.all == ["edge-1 p true"])
        }
    }

    @Test("refuses a wrong node, a missing header and a full house before the upgrade")
    func refuses() async throws {
        try await withCloud(admits: { $0 != "late" }) { cloud in
            func refusal(_ node: String, as pair: KeyPair?, headers: [(String, String)]? = nil) async -> String? {
                do {
                    _ = try await cloud.connect(node, as: pair, headers: headers)
                    return nil
                } catch let error as TransportError where error.code == .handshake {
                    return error.message
                } catch {
                    return "no handshake: \(error)"
                }
            }
            let edge = try cloud.node("edge-1")
            await #expect(refusal("edge-1", as: edge) == nil)
            await #expect(refusal("edge-2", as: edge)?.contains("403: the certificate of system:node:edge-1 may not speak for node edge-2") == true)
            let late = try cloud.node("late")
            await #expect(refusal("late", as: late)?.contains("503: the limit of connected nodes") == true)
            await #expect(refusal("edge-1", as: edge, headers: [("Connectionuse", "msg")])?.contains("400: the Node_id") == true)
            await #expect(refusal("edge-1", as: edge, headers: [("Node_id", "edge-1"), ("Connectionuse", "str")])?.contains("400") == true)
        }
    }

    @Test("lets in nobody without a certificate of its CA")
    func strangers() async throws {
        try await withCloud { cloud in
            let stranger = try CertificateAuthority(now: SystemClock().now().wall).issue(
                .node("edge-1", lifetime: .seconds(60)), now: SystemClock().now().wall)
            for pair in [nil, stranger] {
                await #expect(throws: TransportError.self) { try await cloud.connect("edge-1", as: pair) }
            }
            #expect(cloud.served.all == [])
        }
    }
}

@Suite("The certificate that cloudcore shows", .timeLimit(.minutes(1)))
struct ServerCertificateTests {
    @Test("is read anew from its files without a restart, and one that cannot be used changes nothing")
    func renewal() async throws {
        let folder = "/tmp/server-certificate-\(UniqueID.next())"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let now = SystemClock().now().wall
        let authorities = [try CertificateAuthority(now: now), try CertificateAuthority(now: now)]
        @Sendable func show(_ authority: CertificateAuthority) throws {
            let pair = try authority.issue(.cloudServer(names: ["127.0.0.1"]), now: now)
            // The key first: the two do not belong together for a moment, which must do no harm.
            try DurableFile.write(pair.key.pem.exposed, to: folder + "/tls.key", mode: 0o600)
            try DurableFile.write(PEMBlock(label: "CERTIFICATE", bytes: pair.certificate).text, to: folder + "/tls.crt", mode: 0o644)
        }
        try show(authorities[0])
        try await withCloud(configure: {
            $0.certificates.certificateFile = folder + "/tls.crt"
            $0.certificates.privateKeyFile = folder + "/tls.key"
            $0.certificateInterval = .milliseconds(20)
        }) { cloud in
            @Sendable func serves(_ authority: CertificateAuthority) async -> Bool {
                let exchange = HTTPSExchange(to: cloud.https.at("/ca.crt"), trust: .pinned(authority: authority.certificate))
                return (try? await exchange.send().status) == 200
            }
            #expect(await serves(authorities[0]))
            #expect(await !serves(authorities[1]))
            let node = try await cloud.connect("edge-1", as: cloud.node("edge-1"), authority: authorities[0].certificate)
            try show(authorities[1])
            while await !serves(authorities[1]) { await Task.yield() }
            #expect(await !serves(authorities[0]))
            // Who was there keeps the line.
            try await node.send(Array("still here".utf8))
            var messages = node.messages().makeAsyncIterator()
            #expect(try await messages.next() == Array("still here".utf8))
            await node.close("")
            try DurableFile.write("no certificate", to: folder + "/tls.crt", mode: 0o644)
            for _ in 0..<20 { #expect(await serves(authorities[1])) }
        }
    }
}

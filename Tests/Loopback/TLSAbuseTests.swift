import EdgeTransport
import HTTPServing
import KubeClient
import KubeMachinery
import Primitives
import Synchronization
import Testing
import Trust

/// Servers that are not who they should be, and TLS that is no longer good.
@Suite("Abuse of TLS", .timeLimit(.minutes(3)))
struct TLSAbuseTests {
    // MARK: - T26

    /// Everything that connects from here, by what it calls itself in a failure.
    enum Client: String, CaseIterable, Sendable {
        case line, tunnel, exchange, upgrade, kubernetes
    }

    /// A server and what its clients dial and trust.
    struct Server: Sendable {
        let name: String
        let pair: KeyPair
        let trusted: CertificateAuthority
        var host = "127.0.0.1"
        var clients = Client.allCases
    }

    private static func badServers() throws -> [Server] {
        func server(
            _ name: String, names: [String] = ["127.0.0.1"], age: Duration = .seconds(60), host: String = "127.0.0.1",
            clients: [Client] = Client.allCases
        ) throws -> Server {
            let (authority, pair) = try TestCredentials.server(names: names, age: age, lifetime: .seconds(3600))
            return Server(name: name, pair: pair, trusted: authority, host: host, clients: clients)
        }
        let (authority, good) = try TestCredentials.server()
        let client = try authority.issue(
            LeafProfile(commonName: "KubeEdge", names: ["127.0.0.1"], usages: [.client], lifetime: .seconds(3600)),
            now: TestCredentials.begin)
        return [
            try server("expired", age: .seconds(7200)), try server("not yet valid", age: .seconds(-3600)),
            Server(name: "an unknown authority", pair: good, trusted: try TestCredentials.server().0),
            try server("another address and another name", names: ["192.0.2.1", "cloud.example"]),
            try server("a name, and the address was dialled", names: ["localhost"]),
            try server("no name", names: []),
            // AsyncHTTPClient takes the address that a name leads to for a name as well.
            try server("an address, and the name was dialled", host: "localhost", clients: Client.allCases.filter { $0 != .kubernetes }),
            Server(name: "a client's", pair: client, trusted: authority),
        ]
    }

    @Test("T26 an expired certificate, an unknown CA and a foreign name end the connection of every client before its request")
    func badServers() async throws {
        for bad in try Self.badServers() {
            let requests = try await withServer(bad.pair) { port in
                for client in bad.clients {
                    let failure = await Self.failure(of: client, at: port, bad)
                    #expect(failure != nil, "\(client) took the certificate of \(bad.name)")
                    switch client {
                    case .kubernetes: #expect((failure as? KubeStatus)?.message.contains("the server's certificate is ") == true, "\(bad.name)")
                    case .upgrade: #expect(failure is HTTPServingError, "\(bad.name)")
                    default: #expect((failure as? TransportError)?.code == .tls, "\(client): \(bad.name): \(failure.map { "\($0)" } ?? "")")
                    }
                }
            }
            #expect(requests == 0, "\(bad.name)")
        }
    }

    @Test("T26 the same clients take a good certificate, by address and by name; only what a token vouches for is fetched from anybody")
    func goodServers() async throws {
        let (authority, pair) = try TestCredentials.server(names: ["127.0.0.1", "localhost"])
        let requests = try await withServer(pair) { port in
            for host in ["127.0.0.1", "localhost"] {
                let good = Server(name: "good", pair: pair, trusted: authority, host: host)
                for client in Client.allCases {
                    let failure = await Self.failure(of: client, at: port, good)
                    #expect(failure == nil, "\(client)")
                }
            }
            let answer = try await HTTPSExchange(to: PeerAddress(host: "127.0.0.1", port: port), trust: .unverified).send()
            #expect(answer.status == 200)
        }
        #expect(requests == 2 * Client.allCases.count + 1)
    }

    /// Runs a server that answers everything; returns how many requests it saw.
    private func withServer(_ pair: KeyPair, _ body: @Sendable (Int) async throws -> Void) async throws -> Int {
        let tls = HTTPServerTLS(certificateChain: pair.certificate, privateKey: pair.key.der)
        let count = RequestCount()
        let server = HTTPServer(HTTPServerConfiguration(host: "127.0.0.1", port: 0, tls: { tls }), logger: CloudBed.quiet) { request in
            count.add()
            guard request.headers["Upgrade"] == "websocket" else { return HTTPResponse(status: 200, body: Array("{}".utf8)) }
            return .messageChannel(to: request) { channel in do { for try await _ in channel.messages() {} } catch {} }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            try await body(try await server.boundPort())
            group.cancelAll()
        }
        return count.value
    }

    private static func failure(of client: Client, at port: Int, _ server: Server) async -> (any Error)? {
        let address = PeerAddress(host: server.host, port: port)
        let authority = server.trusted.certificate
        do {
            switch client {
            case .line:
                let headers = [("Node_id", "edge-1"), ("Project_id", "p"), ("Connectionuse", "msg")]
                await (try WebSocketClient.connect(to: address.at("/p/edge-1/events"), headers: headers, authority: authority)).close("")
            case .tunnel:
                let headers = TunnelHeaders.node("edge-1", address: "127.0.0.1")
                await (try WebSocketClient.connect(to: address.at(TunnelHeaders.path), headers: headers, authority: authority)).close("")
            case .exchange: _ = try await HTTPSExchange(to: address.at("/edge.crt"), trust: .pinned(authority: authority)).send()
            case .upgrade:
                let exchange = try HTTPUpgradeExchange(
                    "POST", address.at("/exec"), headers: ["Connection": "close"], trust: .pinned(authority: authority), identity: nil)
                await (try exchange.perform()).stream.close()
            case .kubernetes:
                let access = ClusterAccess(
                    server: "https://\(address.authority)", trust: .authorities(PEMBlock.text(certificate: authority)))
                let client = try KubeClient(access, logger: CloudBed.quiet)
                let result = await Result { _ = try await client.get(path: "/version") }
                await client.shutdown()
                try result.get()
            }
            return nil
        } catch {
            return error
        }
    }

    // MARK: - T27

    /// What an old client offers.
    struct Offer: Sendable {
        let name: String
        var version: UInt16 = 0x0303
        let suites: [UInt16]
    }

    /// By their numbers at IANA: what has no forward secrecy, no authenticated encryption, no key or no certificate.
    private static let suites12: [UInt16] = [0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8]
    static let oldOffers = [
        Offer(name: "SSL 3.0", version: 0x0300, suites: [0xC009, 0xC013, 0x002F, 0x000A, 0x0005]),
        Offer(name: "TLS 1.0", version: 0x0301, suites: [0xC009, 0xC013, 0xC00A, 0xC014, 0x002F] + suites12),
        Offer(name: "TLS 1.1", version: 0x0302, suites: [0xC009, 0xC013, 0xC00A, 0xC014, 0x002F] + suites12),
        Offer(name: "3DES", suites: [0xC008, 0xC012, 0x000A, 0x0016]), Offer(name: "RC4", suites: [0xC007, 0xC011, 0x0005, 0x0004]),
        Offer(name: "RSA key exchange", suites: [0x009C, 0x009D, 0x002F, 0x0035, 0x003C, 0x003D]),
        Offer(name: "CBC", suites: [0xC009, 0xC00A, 0xC023, 0xC024, 0xC013, 0xC014, 0xC027, 0xC028]),
        Offer(name: "finite fields", suites: [0x009E, 0x009F, 0xCCAA, 0x0033, 0x0039]),
        Offer(name: "anonymous", suites: [0xC018, 0xC019, 0x0034, 0x0018, 0x00A6]),
        Offer(name: "no encryption", suites: [0xC006, 0xC010, 0x0001, 0x0002]),
        Offer(name: "export", suites: [0x0003, 0x0006, 0x0008, 0x0014]), Offer(name: "DES", suites: [0x0009, 0x0015]),
    ]

    @Test("T27 every listener refuses TLS before 1.2 and suites without forward secrecy or authenticated encryption, and takes the others")
    func oldOffers() async throws {
        try await CloudBed.run { cloud in
            for listener in CloudBed.Listener.allCases {
                for offer in Self.oldOffers {
                    let connection = try await RawConnection.open(cloud.port(listener))
                    try await connection.send(Self.hello(offer))
                    let answer = Array(await connection.read(atLeast: 7))
                    // An alert, fatal: protocol_version or handshake_failure.
                    #expect(answer.count == 7 && answer[0] == 21 && answer[5] == 2 && [40, 70].contains(answer[6]), "\(offer.name): \(answer)")
                    #expect(await connection.readToEnd() == "", "\(offer.name) at \(listener)")
                }
                let connection = try await RawConnection.open(cloud.port(listener))
                try await connection.send(Self.hello(Offer(name: "TLS 1.2", suites: [0xC02B])))
                let answer = await connection.read(atLeast: 11)
                #expect(answer.count >= 11 && answer[0] == 22 && answer[5] == 2 && answer[9...10] == [3, 3], "\(listener): \(answer)")
                await connection.close()
            }
        }
    }

    /// A ClientHello in one record, with the curves and signatures of today.
    private static func hello(_ offer: Offer) -> [UInt8] {
        func number(_ value: Int) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xFF)] }
        func list(_ values: [UInt16]) -> [UInt8] { number(2 * values.count) + values.flatMap { number(Int($0)) } }
        func part(_ type: Int, _ content: [UInt8]) -> [UInt8] { number(type) + number(content.count) + content }
        let extensions =
            part(10, list([0x001D, 0x0017])) + part(11, [1, 0]) + part(13, list([0x0403, 0x0804, 0x0401, 0x0203, 0x0201]))
        let body =
            number(Int(offer.version)) + (0..<32).map { _ in UInt8.random(in: 0...255) } + [0] + list(offer.suites) + [1, 0]
            + number(extensions.count) + extensions
        let handshake = [1, 0] + number(body.count) + body
        return [22, 3, 1] + number(handshake.count) + handshake
    }
}

private final class RequestCount: Sendable {
    private let number = Mutex(0)
    var value: Int { number.withLock { $0 } }
    func add() { number.withLock { $0 += 1 } }
}

extension Result where Failure == any Error {
    fileprivate init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}

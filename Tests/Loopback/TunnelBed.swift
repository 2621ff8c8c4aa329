import CloudStream
import EdgeStream
import EdgeTesting
import EdgeTransport
import HTTPServing
import KubeMachinery
import KubeResources
import Logging
import Primitives
import Synchronization
import Testing
import Trust

/// A cloud's tunnels, an edge's end of one, and a kubelet that answers a few paths.
struct TunnelBed: Sendable {
    static let longBytes = 3 << 20

    let api: FakeKubeAPI
    let authority: CertificateAuthority
    /// The API server's authority.
    let cluster: CertificateAuthority
    let ports: CloudTunnels.Ports
    let kubelet: FakeKubelet
    private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    static func withBed(_ body: @Sendable @escaping (TunnelBed) async throws -> Void) async throws {
        let api = FakeKubeAPI()
        for (name, node) in [("web", "edge-1"), ("away", "edge-2")] {
            var pod = KubeObject(apiVersion: "v1", kind: "Pod", namespace: "default", name: name)
            pod.json["spec"] = ["nodeName": .string(node)]
            await api.put(Resources.pods, pod)
        }
        await api.put(Resources.nodes, KubeObject(apiVersion: "v1", kind: "Node", name: "edge-1"))
        let authority = try CertificateAuthority(now: TestCredentials.begin)
        var configuration = CloudTunnels.Configuration()
        (configuration.tunnelHost, configuration.tunnelPort) = ("127.0.0.1", 0)
        (configuration.streamHost, configuration.streamPort) = ("127.0.0.1", 0)
        (configuration.kubeletPort, configuration.servesKubeletPort) = (10399, false)
        // Edges and the API server see different certificates, of authorities that do not know each other.
        let cluster = try CertificateAuthority(now: TestCredentials.begin)
        let identities = try [authority, cluster].map { issuer in
            let pair = try issuer.issue(.cloudServer(names: ["127.0.0.1"]), now: TestCredentials.begin)
            return CloudTunnels.ServerIdentity(certificate: pair.certificate, privateKey: pair.key.der)
        }
        let cloud = CloudTunnels(api: api, configuration: configuration, logger: quiet) {
            CloudTunnels.Credentials(
                tunnel: identities[0], stream: identities[1], nodeAuthority: authority.certificate, clientAuthority: cluster.certificate)
        }
        let kubelet = FakeKubelet()
        let (opened, open) = AsyncStream.makeStream(of: CloudTunnels.Ports.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await kubelet.run() }
            group.addTask { try await cloud.run { open.yield($0) } }
            var iterator = opened.makeAsyncIterator()
            let bed = TunnelBed(api: api, authority: authority, cluster: cluster, ports: try #require(await iterator.next()), kubelet: kubelet)
            var edge = EdgeTunnel.Configuration()
            edge.kubeletPort = try await kubelet.port
            group.addTask {
                try await EdgeTunnel(configuration: edge, logger: quiet) { try await bed.connect(as: "edge-1", certificateOf: "edge-1") }.run()
            }
            let deadline = SystemClock().now().uptime + .seconds(10)
            while await !cloud.connectedNodes.contains("edge-1") {
                try #require(SystemClock().now().uptime < deadline, "the tunnel opens")
                try await SystemClock().wait(until: SystemClock().now().uptime + .milliseconds(5))
            }
            try await body(bed)
            group.cancelAll()
            while let result = await group.nextResult() { _ = result }
        }
    }

    func connect(as node: String, certificateOf subject: String) async throws -> any MessageChannel {
        try await WebSocketClient.connect(
            to: PeerAddress(host: "127.0.0.1", port: ports.tunnel, path: TunnelHeaders.path), headers: TunnelHeaders.node(node, address: "127.0.0.1"),
            authority: authority.certificate, identity: try identity(.node(subject, lifetime: .seconds(3600))))
    }

    private func identity(_ profile: LeafProfile, of issuer: CertificateAuthority? = nil) throws -> ClientIdentity {
        let pair = try (issuer ?? authority).issue(profile, now: TestCredentials.begin)
        return ClientIdentity(certificate: pair.certificate, privateKey: pair.key.der)
    }

    private var serverIdentity: ClientIdentity {
        get throws { try identity(LeafProfile(commonName: "kube-apiserver", usages: [.client], lifetime: .seconds(3600)), of: cluster) }
    }

    /// Asks as the API server does.
    func get(_ path: String, headers: HTTPFields = [:]) async throws -> HTTPSExchange.Answer {
        var exchange = HTTPSExchange(
            to: PeerAddress(host: "127.0.0.1", port: ports.stream).at(path), trust: .pinned(authority: cluster.certificate),
            identity: try serverIdentity)
        exchange.headers = headers
        exchange.answerBytes = 8 << 20
        return try await exchange.send()
    }

    /// Opens a command's stream as the API server does.
    func upgrade(_ target: String) async throws -> DuplexByteStream {
        let exchange = try HTTPUpgradeExchange(
            "POST", PeerAddress(host: "127.0.0.1", port: ports.stream, path: target),
            headers: ["Connection": "Upgrade", "Upgrade": "SPDY/3.1", "Content-Length": "0"], trust: .pinned(authority: cluster.certificate),
            identity: try serverIdentity)
        let answer = try await exchange.perform()
        try #require(answer.status == 101)
        #expect(answer.headers["Upgrade"] == "SPDY/3.1")
        return answer.stream
    }

    func untilNoStreamIsOpen() async throws {
        let deadline = SystemClock().now().uptime + .seconds(10)
        while kubelet.openCommands > 0 {
            try #require(SystemClock().now().uptime < deadline, "every command ends with its client")
            try await SystemClock().wait(until: SystemClock().now().uptime + .milliseconds(5))
        }
    }
}

/// What a kubelet is to a tunnel: a plain HTTP server.
final class FakeKubelet: Sendable {
    private let server: HTTPServer
    private let counter: CommandCounter

    init() {
        let counter = CommandCounter()
        self.counter = counter
        server = HTTPServer(
            HTTPServerConfiguration(host: "127.0.0.1", port: 0), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { await Self.answer($0, counter) }
    }

    var openCommands: Int { counter.count }
    var port: Int { get async throws { try await server.boundPort() } }

    func run() async throws { try await server.run() }

    private static func answer(_ request: HTTPRequest, _ counter: CommandCounter) async -> HTTPResponse {
        switch request.path {
        case "/containerLogs/default/web/main":
            return .stream(200, headers: ["Content-Type": "text/plain"]) { writer in
                try await writer.write(Array("lines of main: ".utf8))
                try await writer.write(Array((request.rawQuery.map(String.init) ?? "").utf8))
            }
        case "/containerLogs/default/web/long":
            return .stream(200) { writer in
                let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 64 << 10)
                for _ in 0..<(TunnelBed.longBytes / piece.count) { try await writer.write(piece) }
            }
        case "/containerLogs/default/web/other": return HTTPResponse(status: 404, body: Array("no container other".utf8))
        case "/metrics/resource": return HTTPResponse(status: 200, body: Array("figures".utf8))
        case "/exec/default/web/main":
            return .duplex(headers: ["Connection": "Upgrade", "Upgrade": "SPDY/3.1"]) { stream in
                counter.add(1)
                do { while let bytes = try await stream.receive() { try await stream.send(bytes) } } catch {}
                counter.add(-1)
            }
        default: return HTTPResponse(status: 404)
        }
    }
}

private final class CommandCounter: Sendable {
    private let number = Mutex(0)
    var count: Int { number.withLock { $0 } }
    func add(_ change: Int) { number.withLock { $0 += change } }
}

import EdgeTransport
package import HTTPServing
package import KubeMachinery
import KubeResources
package import Logging
package import Primitives
import Trust

/// The cloud's end of the tunnels: edges connect to one port, the API server asks for logs and commands on another (`spec/01 §9`).
///
///     API server ──HTTPS 10003──▶ StreamService ──▶ tunnel of the node ◀──WSS 10004── edge
package struct CloudTunnels: Sendable {
    /// A certificate and its key, PEM or DER; the certificate may be a chain.
    package struct ServerIdentity: Sendable {
        package var certificate: [UInt8]
        package var privateKey: Redacted<[UInt8]>

        package init(certificate: [UInt8], privateKey: Redacted<[UInt8]>) {
            self.certificate = certificate
            self.privateKey = privateKey
        }
    }

    /// Who the two ports are, and whom they believe.
    package struct Credentials: Sendable {
        /// Shown to edges, who trust the authority that issued their own certificates.
        package var tunnel: ServerIdentity
        /// Shown to the API server.
        package var stream: ServerIdentity
        /// Who issues the certificates of edges.
        package var nodeAuthority: [UInt8]
        /// Who issues the API server's client certificate, PEM; nil asks for none.
        package var clientAuthority: [UInt8]?

        package init(tunnel: ServerIdentity, stream: ServerIdentity, nodeAuthority: [UInt8], clientAuthority: [UInt8]?) {
            self.tunnel = tunnel
            self.stream = stream
            self.nodeAuthority = nodeAuthority
            self.clientAuthority = clientAuthority
        }
    }

    package struct Configuration: Sendable {
        package var tunnelHost = "0.0.0.0"
        package var tunnelPort = 10004
        package var streamHost = "0.0.0.0"
        package var streamPort = 10003
        /// Where the API server is told that the kubelets of edges serve.
        package var kubeletPort = 10351
        /// Serve that port here too, so that one machine needs no redirection.
        package var servesKubeletPort = true
        /// The distance of pings to an edge, and the silence that ends its tunnel.
        package var pingInterval: Duration = .seconds(15)
        package var readTime: Duration = .seconds(45)
        /// What a client of any of the ports may take before it is answered or upgraded.
        package var limits = HTTPServerLimits()
        /// How often the certificates are looked for anew.
        package var certificateInterval: Duration = .seconds(60)

        package init() {}
    }

    private let api: any KubeAPI
    private let configuration: Configuration
    /// Asked again and again.
    private let credentials: @Sendable () async throws -> Credentials
    private let registry = TunnelRegistry()
    private let clock: any MomentSource
    private let logger: Logger

    package init(
        api: any KubeAPI, configuration: Configuration = Configuration(), clock: any MomentSource = SystemClock(), logger: Logger,
        credentials: @escaping @Sendable () async throws -> Credentials
    ) {
        self.api = api
        self.configuration = configuration
        self.credentials = credentials
        self.clock = clock
        self.logger = logger
    }

    /// The ports that are open.
    package struct Ports: Sendable {
        package let tunnel: Int
        package let stream: Int
    }

    /// The nodes with a tunnel here.
    package var connectedNodes: [String] { get async { await registry.nodes } }

    /// Serves until cancelled; `ready` is told once both ports are open. Throws `HTTPServingError` for a port that is taken.
    package func run(ready: @escaping @Sendable (Ports) async -> Void = { _ in }) async throws {
        let credentials = try await credentials()
        let service = StreamService(registry: registry, api: api, clock: clock, logger: logger)
        let nodes = HTTPServerTLS.ClientCertificates.required(authorities: credentials.nodeAuthority)
        let tunnelIdentity = identity(credentials.tunnel, nodes)
        let tunnels = server(configuration.tunnelHost, configuration.tunnelPort, tunnelIdentity) { await accept($0) }
        let clients = credentials.clientAuthority.map { HTTPServerTLS.ClientCertificates.required(authorities: $0) } ?? .none
        let streamIdentity = identity(credentials.stream, clients)
        let streams = server(configuration.streamHost, configuration.streamPort, streamIdentity) { await service.answer($0) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await tunnels.run() }
            group.addTask { try await streams.run() }
            if configuration.servesKubeletPort, configuration.kubeletPort != configuration.streamPort {
                let direct = server(configuration.streamHost, configuration.kubeletPort, streamIdentity) { await service.answer($0) }
                group.addTask { [logger, configuration] in
                    do { try await direct.run() } catch let error as HTTPServingError {
                        logger.warning(
                            "the port that stands for the kubelets is not served here: redirect it to the stream port",
                            metadata: ["port": "\(configuration.kubeletPort)", "streamPort": "\(configuration.streamPort)", "error": "\(error)"])
                    }
                }
            }
            group.addTask { try await renew(tunnel: tunnelIdentity, stream: streamIdentity) }
            group.addTask { await ready(Ports(tunnel: try await tunnels.boundPort(), stream: try await streams.boundPort())) }
            try await group.waitForAll()
        }
    }

    private func identity(_ identity: ServerIdentity, _ clients: HTTPServerTLS.ClientCertificates) -> HTTPServerIdentity {
        HTTPServerIdentity(HTTPServerTLS(certificateChain: identity.certificate, privateKey: identity.privateKey, clientCertificates: clients))
    }

    private func server(_ host: String, _ port: Int, _ identity: HTTPServerIdentity, handler: @escaping HTTPServer.Handler) -> HTTPServer {
        HTTPServer(
            HTTPServerConfiguration(host: host, port: port, tls: { identity.tls }, limits: configuration.limits), logger: logger, handler: handler)
    }

    /// Shows new connections the certificates that are there now; until cancelled.
    private func renew(tunnel: HTTPServerIdentity, stream: HTTPServerIdentity) async throws {
        while true {
            try await clock.wait(until: clock.now().uptime + configuration.certificateInterval)
            do {
                let now = try await credentials()
                for (identity, new) in [(tunnel, now.tunnel), (stream, now.stream)]
                where try identity.replace(certificateChain: new.certificate, privateKey: new.privateKey) {
                    logger.notice("a certificate of the tunnels has changed, new connections see the new one")
                }
            } catch {
                logger.warning("the certificates cannot be read, the present ones are shown on", metadata: ["error": "\(error)"])
            }
        }
    }

    // MARK: - Tunnels

    private func accept(_ request: HTTPRequest) async -> HTTPResponse {
        guard request.path == TunnelHeaders.path else { return .text(404, "tunnels connect to \(TunnelHeaders.path)") }
        let node = request.headers["SessionHostNameOverride"] ?? ""
        guard !node.isEmpty else { return .text(400, "the SessionHostNameOverride header is missing") }
        guard let certificate = request.peerCertificate, let facts = try? CertificateFacts(der: certificate) else {
            return .text(401, "a client certificate is needed")
        }
        guard NodeSubject.node(of: facts) == node || NodeSubject.isLegacy(facts) else {
            logger.warning("tunnel refused", metadata: ["node": "\(node.prefix(253))", "certificate": "\(facts.commonName)"])
            return .text(403, "the certificate of \(facts.commonName) may not open a tunnel for node \(node)")
        }
        let given = request.headers["SessionInternalIP"] ?? ""
        let address = given.isEmpty ? String(request.remoteAddress.prefix { $0 != ":" }) : given
        let usesCredit = request.headers[TunnelHeaders.credit] == TunnelHeaders.creditValue
        var settings = WebSocketConnection.Configuration()
        settings.messageBytes = 2 << 20
        settings.pingInterval = configuration.pingInterval
        settings.readTime = configuration.readTime
        return .messageChannel(settings, to: request) { channel in await serve(channel, node: node, address: address, usesCredit: usesCredit) }
    }

    private func serve(_ channel: any MessageChannel, node: String, address: String, usesCredit: Bool) async {
        let session = TunnelSession(channel: channel, usesCredit: usesCredit, clock: clock, logger: logger)
        let (entry, replaced) = await registry.add(node: node, address: address, session: session, usesCredit: usesCredit)
        await replaced?.close("the node has opened another tunnel")
        logger.info("tunnel is open", metadata: ["node": "\(node)", "address": "\(address)"])
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                do {
                    if usesCredit { try await session.announceCredit() }
                    try await session.run(accept: nil)
                } catch { logger.debug("tunnel broke", metadata: ["node": "\(node)", "error": "\(error)"]) }
                return true
            }
            group.addTask {
                await KubeletPortAnnouncement(api: api, port: configuration.kubeletPort, clock: clock, logger: logger).run(node)
                return false
            }
            while let isSession = await group.next(), !isSession {}
            group.cancelAll()
        }
        await registry.remove(entry)
        logger.info("tunnel was closed", metadata: ["node": "\(node)"])
    }
}

package import DeliveryCore
package import EdgeTransport
package import HTTPServing
package import KubeMachinery
package import Logging
package import Primitives
import Trust

/// What nodes reach of cloudcore: the certificate service (10002) and the WebSocket of the message line (10000), with the certificates and the
/// join token behind them.
///
///     prepare certificates (until the API gives them) ──▶ serve HTTPS + WebSocket, refresh the token
package struct CloudHubListener: Sendable {
    package struct Configuration: Sendable {
        package var certificates = CertificateAuthorityStore.Configuration()
        package var httpsHost = "0.0.0.0"
        package var httpsPort = 10002
        package var webSocketHost = "0.0.0.0"
        package var webSocketPort = 10000
        /// Off where nodes are not to connect here.
        package var isWebSocketEnabled = true
        /// Validity of the certificates that nodes get.
        package var nodeCertificateLifetime: Duration = .seconds(365 * 86400)
        /// A join token is replaced this often and lives twice as long.
        package var tokenRefreshInterval: Duration = .seconds(12 * 3600)
        /// How often the server certificate is looked for anew, in its files or its secret.
        package var certificateInterval: Duration = .seconds(60)
        /// How long a node may refuse to take a message.
        package var writeTime: Duration = .seconds(30)
        /// The distance of pings to a node, and the silence that ends its connection.
        package var pingInterval: Duration = .seconds(15)
        package var readTime: Duration = .seconds(30)
        /// What a client of either port may take before it is answered or upgraded.
        package var limits = HTTPServerLimits()
        /// What edges are told that this cloud can do beyond v1.17.
        package var capabilities = PeerCapability.allCases

        package init() {}
    }

    /// The ports that are open, for those who asked for any.
    package struct Ports: Sendable {
        package let https: Int
        /// nil where the WebSocket is off.
        package let webSocket: Int?
    }

    /// Runs the session of a node on its channel until one of the two ends: channel, node, project, remote address.
    package typealias Serve = @Sendable (any MessageChannel, String, String, String) async -> Void

    private let api: any KubeAPI
    private let configuration: Configuration
    private let admits: @Sendable (String) async -> Bool
    private let serve: Serve
    private let clock: any MomentSource
    private let metrics: HubMetrics
    private let logger: Logger

    /// `admits` says whether a node may connect now; it is asked before the upgrade (D-16, D-63).
    package init(
        api: any KubeAPI, configuration: Configuration, clock: any MomentSource = SystemClock(), metrics: HubMetrics = HubMetrics(), logger: Logger,
        admits: @escaping @Sendable (String) async -> Bool, serve: @escaping Serve
    ) {
        self.api = api
        self.configuration = configuration
        self.clock = clock
        self.metrics = metrics
        self.logger = logger
        self.admits = admits
        self.serve = serve
    }

    /// Serves until cancelled; `ready` is told once both ports are open. Throws `CloudHubError` or `TrustError` for local files that cannot be used,
    /// and `HTTPServingError` for a port that is taken.
    package func run(ready: @escaping @Sendable (Ports) async -> Void = { _ in }) async throws {
        let credentials = try await prepare()
        let joins = JoinTokens(api: api, authority: credentials.authority, clock: clock, logger: logger)
        let requests = JoinTokenController(tokens: joins, api: api, clock: clock, logger: logger)
        let service = CertificateService(
            authority: credentials.authority, tokens: joins, lifetime: configuration.nodeCertificateLifetime, clock: clock, logger: logger)
        let authority = credentials.authority
        func identity(_ clients: HTTPServerTLS.ClientCertificates) -> HTTPServerIdentity {
            HTTPServerIdentity(
                HTTPServerTLS(
                    certificateChain: credentials.server.certificate, privateKey: credentials.server.key.der, clientCertificates: clients))
        }
        let identities = (https: identity(.requested), webSocket: identity(.required(authorities: authority.certificate)))
        let https = server(configuration.httpsHost, configuration.httpsPort, identities.https) { try await service.answer($0) }
        let webSocket =
            configuration.isWebSocketEnabled
            ? server(configuration.webSocketHost, configuration.webSocketPort, identities.webSocket) { await accept($0) } : nil
        let tokens = CertificateTokenKeeper(
            api: api, authority: credentials.authority, interval: configuration.tokenRefreshInterval, clock: clock, logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await https.run() }
            if let webSocket { group.addTask { try await webSocket.run() } }
            group.addTask { try await tokens.run(revoked: joins.sharedRevoked) }
            group.addTask { try await requests.run() }
            group.addTask { try await renew([identities.https, identities.webSocket], under: authority) }
            group.addTask { await ready(Ports(https: try await https.boundPort(), webSocket: try await webSocket?.boundPort())) }
            try await group.waitForAll()
        }
    }

    /// Repeats while the API cannot be reached; local files that cannot be used end it.
    private func prepare() async throws -> CertificateAuthorityStore.Credentials {
        let store = CertificateAuthorityStore(api: api, configuration: configuration.certificates, clock: clock, logger: logger)
        var backoff = Backoff(initial: .milliseconds(250), limit: .seconds(15), jitter: 0.2)
        while true {
            do {
                return try await store.prepare()
            } catch let error where error is KubeStatus || (error as? CloudHubError)?.isRetryable == true {
                let delay = backoff.next()
                logger.warning("certificates are not ready", metadata: ["error": "\(error)", "retry": "\(delay)"])
                try await clock.wait(until: clock.now().uptime + delay)
            }
        }
    }

    /// Shows new connections the server certificate that stands in its files or its secret; until cancelled.
    private func renew(_ identities: [HTTPServerIdentity], under authority: CertificateAuthority) async throws {
        let store = CertificateAuthorityStore(api: api, configuration: configuration.certificates, clock: clock, logger: logger)
        while true {
            try await clock.wait(until: clock.now().uptime + configuration.certificateInterval)
            do {
                let pair = try await store.server(under: authority)
                let changed = try identities.filter { try $0.replace(certificateChain: pair.certificate, privateKey: pair.key.der) }
                if !changed.isEmpty { logger.notice("the server certificate has changed, new connections see the new one") }
            } catch {
                logger.warning("the server certificate cannot be read, the present one is shown on", metadata: ["error": "\(error)"])
            }
        }
    }

    private func server(_ host: String, _ port: Int, _ identity: HTTPServerIdentity, handler: @escaping HTTPServer.Handler) -> HTTPServer {
        HTTPServer(
            HTTPServerConfiguration(host: host, port: port, tls: { identity.tls }, limits: configuration.limits), logger: logger, handler: handler)
    }

    // MARK: - The message line

    /// Judges an upgrade request (`spec/01 §3.1, 3.5`); the path is free.
    private func accept(_ request: HTTPRequest) async -> HTTPResponse {
        // An edge that redials sends its headers once more with every try: the first line counts.
        let node = request.headers["Node_id"] ?? ""
        let project = request.headers["Project_id"] ?? ""
        guard !node.isEmpty else { return refuse(request, 400, "the Node_id header is missing") }
        guard request.headers["Connectionuse"] == "msg" else { return refuse(request, 400, "the only Connectionuse served here is msg") }
        guard let certificate = request.peerCertificate, let facts = try? CertificateFacts(der: certificate) else {
            return refuse(request, 401, "a client certificate is needed")
        }
        guard NodeSubject.node(of: facts) == node || NodeSubject.isLegacy(facts) else {
            return refuse(request, 403, "the certificate of \(facts.commonName) may not speak for node \(node)")
        }
        guard await admits(node) else {
            return refuse(request, 503, "the limit of connected nodes is reached: raise modules.cloudHub.nodeLimit")
        }
        var settings = WebSocketConnection.Configuration()
        settings.writeTime = configuration.writeTime
        settings.pingInterval = configuration.pingInterval
        settings.readTime = configuration.readTime
        let remote = request.remoteAddress
        return .messageChannel(settings, to: request, capabilities: configuration.capabilities.map(\.rawValue)) { [serve] channel in
            await serve(channel, node, project, remote)
        }
    }

    private func refuse(_ request: HTTPRequest, _ status: Int, _ cause: String) -> HTTPResponse {
        metrics.refused(status)
        logger.warning(
            "node connection refused",
            metadata: [
                "node": "\(request.headers["Node_id"]?.prefix(253) ?? "")", "remote": "\(request.remoteAddress)", "status": "\(status)",
                "cause": "\(cause)",
            ])
        return .text(status, cause)
    }
}

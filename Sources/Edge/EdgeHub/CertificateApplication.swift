package import Logging
package import Primitives
package import Trust

/// The node's certificate: applied for with a join token, kept in files, renewed before it ends.
///
///     files hold a good pair ───────────────▶ ready ──(0.7 to 0.9 of its life)──▶ renewing ──▶ ready
///     missing, mismatched or expired ──token──▶ ready        └──(expired meanwhile)──▶ applying with a token
///
/// A failure is logged with its cause and the next step, and tried again: the node's pods run meanwhile.
package actor CertificateApplication {
    /// Asks the certificate service at the configured address.
    package typealias Exchange = @Sendable (CertificateExchange) async throws -> CertificateReply

    package struct Configuration: Sendable {
        package var nodeName: String
        package var files: CertificateFiles
        /// The token of the configuration file; empty for none.
        package var token: Redacted<String>
        /// Where `keadm` puts a token; it counts before the configured one.
        package var tokenFile = "/etc/kubeedge/bootstrap-edgecore.conf"
        package var rotates = true

        package init(nodeName: String, files: CertificateFiles, token: Redacted<String>) {
            self.nodeName = nodeName
            self.files = files
            self.token = token
        }
    }

    private let configuration: Configuration
    private let exchange: Exchange
    private let clock: any MomentSource
    private let logger: Logger
    private var content: CertificateFiles.Content?
    private var waiters: [CheckedContinuation<CertificateFiles.Content, any Error>] = []

    package init(_ configuration: Configuration, clock: any MomentSource = SystemClock(), logger: Logger, exchange: @escaping Exchange) {
        self.configuration = configuration
        self.exchange = exchange
        self.clock = clock
        self.logger = logger
    }

    /// The certificate that is current now; waits for the first one. Throws when the application is stopped.
    package func current() async throws -> CertificateFiles.Content {
        if let content { return content }
        return try await withCheckedThrowingContinuation { waiters.append($0) }
    }

    /// Gets a certificate and keeps it fresh until it is cancelled; `renewed` is told when another one is current.
    package func run(renewed: @Sendable () async -> Void) async throws {
        defer {
            for waiter in waiters { waiter.resume(throwing: CancellationError()) }
            waiters = []
        }
        adopt(try await obtain())
        while !configuration.rotates { try await clock.wait(until: clock.now().uptime + .seconds(86400)) }
        while true {
            try await waitForRotation()
            adopt(try await renew())
            await renewed()
        }
    }

    private func adopt(_ new: CertificateFiles.Content) {
        content = new
        for waiter in waiters { waiter.resume(returning: new) }
        waiters = []
    }

    // MARK: - The first certificate

    /// What is on the disk is looked at before each try: it is good again once the clock of a node that was set wrong is right.
    private func obtain() async throws -> CertificateFiles.Content {
        var backoff = Backoff(initial: .seconds(1), limit: .seconds(30), jitter: 0.2)
        var isFirst = true
        while true {
            do { return try stored() } catch  where isFirst {
                logger.info("no usable certificate on disk, applying for one", metadata: ["cause": "\(error)"])
                isFirst = false
            } catch {}
            do { return try await apply() } catch let error as CancellationError { throw error } catch {
                let delay = backoff.next()
                logger.error("certificate application failed", metadata: ["error": "\(error)", "retry": "\(delay)"])
                try await clock.wait(until: clock.now().uptime + delay)
            }
        }
    }

    private func stored() throws -> CertificateFiles.Content {
        let stored = try configuration.files.load()
        try check(stored.pair, for: stored.authority)
        return stored
    }

    /// Whether a pair is this node's, of this CA and in date. A certificate that begins in the future is used: the clock of a node may be late.
    private func check(_ pair: KeyPair, for authority: [UInt8]) throws {
        try pair.checkMatch()
        let begin = max(try CertificateFacts(der: pair.certificate).notBefore, try CertificateFacts(der: authority).notBefore)
        let facts = try CertificateAuthority.verify(pair.certificate, authority: authority, for: .client, at: max(clock.now().wall, begin))
        guard facts.notAfter > clock.now().wall else {
            throw TrustError(code: .expired, message: "the certificate of node \(configuration.nodeName) ended at \(facts.notAfter.rfc3339)")
        }
        guard NodeSubject.node(of: facts) == configuration.nodeName || NodeSubject.isLegacy(facts) else {
            throw TrustError(
                code: .wrongSubject,
                message: "the certificate is for \(facts.commonName), this node is \(configuration.nodeName)")
        }
    }

    private func apply() async throws -> CertificateFiles.Content {
        let token = try joinToken()
        let root = try await exchange(CertificateExchange(path: "/ca.crt", peer: .unverified))
        guard root.status == 200 else { throw Self.refusal("/ca.crt", root) }
        try token.checkAuthority(root.body)
        return try await request(
            authority: root.body, identity: nil, headers: [("Authorization", "Bearer \(token.webToken.exposed)")])
    }

    private func joinToken() throws -> JoinToken {
        let text = (try? DurableFile.read(configuration.tokenFile)) ?? configuration.token.exposed
        let trimmed = String(text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
        guard !trimmed.isEmpty else {
            throw EdgeHubError(
                code: .noToken,
                message: "there is no join token: put the output of `keadm gettoken` into \(configuration.tokenFile) or modules.edgeHub.token")
        }
        return try JoinToken(parsing: trimmed)
    }

    /// Sends a signing request with a fresh key and keeps what comes back once it has been checked.
    private func request(
        authority: [UInt8], identity: KeyPair?, headers: [(name: String, value: String)]
    ) async throws -> CertificateFiles.Content {
        let key = SigningKey()
        let body = try SigningRequest.make(node: configuration.nodeName, key: key)
        let reply = try await exchange(
            CertificateExchange(
                path: "/edge.crt", headers: [("NodeName", configuration.nodeName)] + headers, body: body, peer: .authority(authority),
                identity: identity))
        guard reply.status == 200, !reply.body.isEmpty else { throw Self.refusal("/edge.crt", reply) }
        let pair = KeyPair(certificate: reply.body, key: key)
        try check(pair, for: authority)
        let content = CertificateFiles.Content(authority: authority, pair: pair)
        try configuration.files.save(content)
        logger.info("certificate obtained", metadata: ["node": "\(configuration.nodeName)"])
        return content
    }

    private static func refusal(_ path: String, _ reply: CertificateReply) -> EdgeHubError {
        let words = String(decoding: reply.body.prefix(300), as: UTF8.self)
        let advice = [400, 401, 403].contains(reply.status) ? "; get a join token that is good for this node with `keadm gettoken`" : ""
        return EdgeHubError(code: .refused, message: "the cloud answered \(path) with \(reply.status) \(words)\(advice)")
    }

    // MARK: - Renewal

    /// Sleeps in pieces, so that a clock that is set does not leave the certificate to end.
    private func waitForRotation() async throws {
        guard let content else { return }
        var generator = SystemRandomNumberGenerator()
        let moment = try CertificateFacts(der: content.pair.certificate).rotationTime(using: &generator)
        while true {
            let rest = moment - clock.now().wall
            if rest <= .zero { return }
            try await clock.wait(until: clock.now().uptime + min(rest, .seconds(3600)))
        }
    }

    private func renew() async throws -> CertificateFiles.Content {
        var backoff = Backoff(initial: .seconds(2), limit: .seconds(32), jitter: 0.1)
        while let content {
            do {
                let facts = try CertificateFacts(der: content.pair.certificate)
                if facts.notAfter <= clock.now().wall { return try await apply() }
                return try await request(authority: content.authority, identity: content.pair, headers: [])
            } catch let error as CancellationError { throw error } catch {
                let delay = backoff.next()
                logger.error("certificate renewal failed", metadata: ["error": "\(error)", "retry": "\(delay)"])
                try await clock.wait(until: clock.now().uptime + delay)
            }
        }
        return try await obtain()
    }
}

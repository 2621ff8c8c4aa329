package import HTTPServing
package import Logging
package import Primitives
package import Trust

/// The HTTPS service on port 10002: the CA for everybody, certificates for nodes with a token or a certificate (`spec/01 §2.5`).
package struct CertificateService: Sendable {
    private let authority: CertificateAuthority
    private let tokens: JoinTokens
    private let lifetime: Duration
    private let clock: any MomentSource
    private let logger: Logger

    /// `lifetime` is the validity of the certificates that nodes get.
    package init(
        authority: CertificateAuthority, tokens: JoinTokens, lifetime: Duration, clock: any MomentSource = SystemClock(), logger: Logger
    ) {
        self.authority = authority
        self.tokens = tokens
        self.lifetime = lifetime
        self.clock = clock
        self.logger = logger
    }

    /// Answers one request.
    package func answer(_ request: HTTPRequest) async throws -> HTTPResponse {
        switch (request.method, request.path) {
        case ("GET", "/ca.crt"):
            return HTTPResponse(status: 200, headers: ["Content-Type": "application/octet-stream"], body: authority.certificate)
        case ("GET", "/edge.crt"): return try await sign(request)
        case (_, "/ca.crt"), (_, "/edge.crt"):
            var refusal = HTTPResponse.text(405, "use GET")
            refusal.headers["Allow"] = "GET"
            return refusal
        default: return .text(404, "404 page not found")
        }
    }

    // MARK: - Certificates of nodes

    private typealias Refusal = JoinTokens.Refusal

    private func sign(_ request: HTTPRequest) async throws -> HTTPResponse {
        let body = try await request.body.collect(upTo: 1 << 20)
        do {
            let node = try nodeName(request)
            try await authorize(request, node)
            let certificate = try issue(body, node, request.headers["ExtKeyUsages"])
            logger.info("edge certificate issued", metadata: ["node": "\(node)", "remote": "\(request.remoteAddress)"])
            return HTTPResponse(status: 200, headers: ["Content-Type": "application/octet-stream"], body: certificate)
        } catch let refusal as Refusal {
            logger.warning(
                "edge certificate refused",
                metadata: [
                    "node": "\(request.headers["NodeName"]?.prefix(253) ?? "")", "remote": "\(request.remoteAddress)", "status": "\(refusal.status)",
                    "cause": "\(refusal.message)",
                ])
            return .text(refusal.status, refusal.message)
        }
    }

    private func nodeName(_ request: HTTPRequest) throws -> String {
        let name = request.headers["NodeName"] ?? ""
        guard NodeName.isValid(name) else {
            throw Refusal(status: 400, message: "the NodeName header must hold the name of the node: lower-case letters, digits, '-' and '.'")
        }
        return name
    }

    /// A presented certificate decides alone; the token counts where there is none.
    private func authorize(_ request: HTTPRequest, _ node: String) async throws {
        if let certificate = request.peerCertificate {
            let facts: CertificateFacts
            do {
                facts = try authority.verify(certificate, for: .client, at: clock.now().wall)
            } catch {
                throw Refusal(status: 401, message: "\(error)")
            }
            guard NodeSubject.isLegacy(facts) || NodeSubject.node(of: facts) == node else {
                throw Refusal(status: 401, message: "the certificate of \(facts.commonName) may not ask for one of node \(node)")
            }
            return
        }
        let parts = (request.headers["Authorization"] ?? "").split(separator: " ", omittingEmptySubsequences: true)
        guard parts.count == 2 else { throw Refusal(status: 401, message: "Invalid authorization token") }
        try await tokens.admit(String(parts[1]), node: node)
    }

    private func issue(_ body: [UInt8], _ node: String, _ usages: String?) throws -> [UInt8] {
        // Go's number of client authentication; nothing else is given to a node (D-09).
        if let usages, (try? JSONValue(parsing: usages)) != [2] {
            throw Refusal(status: 400, message: "a node gets certificates for client authentication only: leave out ExtKeyUsages")
        }
        let request: SigningRequest
        do {
            request = try SigningRequest(der: body)
            try request.checkSubject(node: node)
        } catch {
            throw Refusal(status: 400, message: "\(error)")
        }
        do {
            // The clock of a node, and the coarse one of its TLS, may be a little behind.
            return try authority.issue(.node(node, lifetime: lifetime + .seconds(60)), for: request, now: clock.now().wall + .seconds(-60))
        } catch {
            throw Refusal(status: 500, message: "the certificate could not be signed: \(error)")
        }
    }
}

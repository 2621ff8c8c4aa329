package import KubeMachinery
package import Primitives

/// Finds out who sends a request: a client certificate, a bearer token, or nobody.
package struct Authenticator: Sendable {
    /// The user that a client certificate (DER) names; nil where the API's CA has not signed it or it is out of date.
    package typealias CertificateReader = @Sendable (_ leaf: [UInt8], _ now: Timestamp) -> UserIdentity?

    let storage: any ResourceStorage
    let certificates: CertificateReader
    let tokens: ServiceAccountTokens?
    let fixedTokens: [(token: Redacted<String>, user: UserIdentity)]
    let clock: any MomentSource

    /// `fixedTokens` are tokens that stand for a user by themselves, for the first contact of a tool.
    package init(
        storage: any ResourceStorage, certificates: @escaping CertificateReader, tokens: ServiceAccountTokens?,
        fixedTokens: [(token: Redacted<String>, user: UserIdentity)] = [], clock: any MomentSource
    ) {
        self.storage = storage
        self.certificates = certificates
        self.tokens = tokens
        self.fixedTokens = fixedTokens
        self.clock = clock
    }

    /// The user; 401 where credentials were shown and are no good. Without any the user is anonymous.
    package func user(certificate: [UInt8]?, authorization: String?) async throws -> UserIdentity {
        let now = clock.now().wall
        if let certificate, let user = certificates(certificate, now) { return Self.authenticated(user) }
        if let authorization {
            guard let token = Self.bearer(authorization), let user = try await user(token: token, now: now) else { throw Self.unauthorized }
            return user
        }
        guard certificate == nil else { throw Self.unauthorized }
        return .anonymous
    }

    /// What `TokenReview` answers to a token.
    package func review(token: String, audiences: [String]) async throws -> TokenUser? {
        let now = clock.now().wall
        if let fixed = fixedUser(token) { return TokenUser(user: Self.authenticated(fixed), extra: [:], audiences: audiences) }
        return try await tokens?.user(of: token, audiences: audiences.isEmpty ? nil : audiences, storage: storage, now: now)
    }

    private func user(token: String, now: Timestamp) async throws -> UserIdentity? {
        if let fixed = fixedUser(token) { return Self.authenticated(fixed) }
        return try await tokens?.user(of: token, storage: storage, now: now)?.user
    }

    private func fixedUser(_ token: String) -> UserIdentity? {
        fixedTokens.first { Self.isEqual($0.token.exposed, token) }?.user
    }

    /// Compares without telling by its time how much agrees.
    private static func isEqual(_ left: String, _ right: String) -> Bool {
        let (left, right) = (Array(left.utf8), Array(right.utf8))
        guard left.count == right.count else { return false }
        return zip(left, right).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    private static func bearer(_ header: String) -> String? {
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return parts[1].trimmed
    }

    private static func authenticated(_ user: UserIdentity) -> UserIdentity {
        var user = user
        if !user.groups.contains("system:authenticated") { user.groups.append("system:authenticated") }
        return user
    }

    static let unauthorized = KubeStatus(code: 401, reason: "Unauthorized", message: "Unauthorized")
}

package import KubeMachinery
import KubeResources
package import Logging
package import Primitives
import Supervision
package import Trust

/// The join tokens of a cluster: who may join with one, and the making of those that an operator asks for.
///
/// A secret of the type `kubeedge.io/join-token` in the namespace `kubeedge` asks for a token: `node` says for which node (any where it is
/// missing), `ttl` for how long (24 h). The answer comes into the same secret, `token` and `expiration`; a request that cannot be answered gets
/// the annotation `kubeedge.io/join-token-problem`. Deleting the secret revokes the token.
///
///     kubectl -n kubeedge create secret generic line-3 --type kubeedge.io/join-token --from-literal node=line-3 --from-literal ttl=1h
///     kubectl -n kubeedge get secrets --field-selector type=kubeedge.io/join-token
package struct JoinTokens: Sendable {
    package static let secretType = "kubeedge.io/join-token"
    static let problemAnnotation = "kubeedge.io/join-token-problem"
    private static let defaultLifetime = Duration.seconds(24 * 3600)

    private let secrets: CertificateSecrets
    private let authority: CertificateAuthority
    private let clock: any MomentSource
    private let logger: Logger
    /// Told when somebody has revoked the tokens of `tokensecret`.
    let sharedRevoked = Signal()

    package init(api: any KubeAPI, authority: CertificateAuthority, clock: any MomentSource = SystemClock(), logger: Logger) {
        secrets = CertificateSecrets(api: api)
        self.authority = authority
        self.clock = clock
        self.logger = logger
    }

    // MARK: - Who may join

    /// Why somebody may not join, in the status and the words of an answer.
    package struct Refusal: Error, Sendable {
        package let status: Int
        package let message: String
    }

    /// Throws `Refusal` unless `node` may join with this token now.
    package func admit(_ webToken: String, node: String) async throws {
        let claims: JoinToken.Claims
        do { claims = try JoinToken.verify(webToken: webToken, authority: authority, at: clock.now().wall) } catch {
            throw Refusal(status: 400, message: "Invalid authorization token: \(error)")
        }
        if let wanted = claims.node, wanted != node {
            throw Refusal(status: 403, message: "Invalid authorization token: it is for the node \(wanted), not for \(node)")
        }
        guard let number = claims.identifier else { return }
        do {
            if try await isGood(number) { return }
        } catch {
            throw Refusal(status: 503, message: "the API that knows the join tokens cannot be asked now, try again: \(error)")
        }
        throw Refusal(status: 401, message: "Invalid authorization token: it has been revoked, its secret in the cluster is gone")
    }

    /// Whether the secret that a number belongs to still stands: `<name>/<uid>` of a request, or one in the list of `tokensecret`.
    private func isGood(_ number: String) async throws -> Bool {
        let parts = number.split(separator: "/", maxSplits: 1)
        guard parts.count == 2 else { return try await secrets.read(.token).map(SharedTokenNumbers.init)?.expiries[number] != nil }
        do {
            let secret = try await secrets.api.get(Resources.secrets, ObjectKey(namespace: CertificateSecrets.namespace, name: String(parts[0])))
            return secret.uid == parts[1] && secret.json["type"].string == Self.secretType
        } catch let status as KubeStatus where status.isNotFound {
            return false
        }
    }

    // MARK: - Requests for tokens

    /// Takes a secret of the namespace that was made or changed.
    func take(_ secret: KubeObject) async throws {
        guard secret.json["type"].string == Self.secretType, !hasToken(secret) else { return }
        var answered = secret
        switch request(in: secret) {
        case .success(let (node, lifetime)):
            let expiry = clock.now().wall + lifetime
            let claims = JoinToken.Claims(identifier: "\(secret.name)/\(secret.uid)", node: node)
            let token = JoinToken(authority: authority, expiry: expiry, claims: claims)
            if !secret.metadata["annotations"][Self.problemAnnotation].isNull {
                answered.metadata["annotations"].removeMember(Self.problemAnnotation)
            }
            answered.json["data"]["token"] = .string(Base64.encode(Array(token.text.exposed.utf8)))
            answered.json["data"]["expiration"] = .string(Base64.encode(Array(expiry.rfc3339.utf8)))
            logger.info("join token made", metadata: ["secret": "\(secret.name)", "node": "\(node ?? "any")", "expires": "\(expiry.rfc3339)"])
        case .failure(let problem):
            guard secret.metadata["annotations"][Self.problemAnnotation].string != problem.message else { return }
            answered.metadata["annotations"][Self.problemAnnotation] = .string(problem.message)
            logger.warning("join token cannot be made", metadata: ["secret": "\(secret.name)", "cause": "\(problem.message)"])
        }
        do { _ = try await secrets.api.update(Resources.secrets, answered) } catch let status as KubeStatus
            where status.isNotFound || status.isConflict
        {
            // Gone or changed meanwhile: that change comes too.
        }
    }

    /// Takes a secret of the namespace that is gone.
    func takeRemoved(_ secret: KubeObject) {
        if secret.json["type"].string == Self.secretType { logger.info("join token revoked", metadata: ["secret": "\(secret.name)"]) }
        guard secret.name == CertificateSecrets.Name.token.rawValue else { return }
        logger.info("the shared join tokens are revoked, a new one is made")
        sharedRevoked.set()
    }

    private struct Problem: Error { let message: String }

    /// Whether the secret holds a token of this CA for this secret: one that was copied into it, or is of a former CA, does not count.
    private func hasToken(_ secret: KubeObject) -> Bool {
        guard let text = Self.text(secret, "token"), let token = try? JoinToken(parsing: text), let expiry = token.expiry,
            let claims = try? JoinToken.verify(
                webToken: token.webToken.exposed, authority: authority, at: min(clock.now().wall, expiry + .seconds(-1)))
        else { return false }
        return claims.identifier == "\(secret.name)/\(secret.uid)"
    }

    private func request(in secret: KubeObject) -> Result<(node: String?, lifetime: Duration), Problem> {
        let node = Self.text(secret, "node")
        if let node, !NodeName.isValid(node) {
            return .failure(Problem(message: "node \"\(node)\" is no name of a node: lower-case letters, digits, '-' and '.', at most 253"))
        }
        guard let text = Self.text(secret, "ttl") else { return .success((node, Self.defaultLifetime)) }
        guard let lifetime = GoDuration.parse(text), lifetime > .zero else {
            return .failure(Problem(message: "ttl \"\(text)\" is no duration such as 24h or 90m"))
        }
        return .success((node, lifetime))
    }

    private static func text(_ secret: KubeObject, _ key: String) -> String? {
        secret.json["data"][key].string.flatMap { Base64.decode($0) }.map { String(decoding: $0, as: UTF8.self) }
    }
}

/// The names that nodes may have.
enum NodeName {
    static func isValid(_ name: String) -> Bool { !name.isEmpty && name.utf8.count <= 253 && name.utf8.allSatisfy(isByte) }

    private static func isByte(_ byte: UInt8) -> Bool {
        (97...122).contains(byte) || (48...57).contains(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
    }
}

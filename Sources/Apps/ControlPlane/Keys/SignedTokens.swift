import KubeServer
import Primitives
import Trust

/// Service account tokens as JSON Web Tokens with an ES256 or RS256 key.
struct SignedTokens: TokenSigning {
    let key: SigningKey

    func sign(_ claims: JSONValue) throws -> String { try JSONWebToken.sign(claims, key: key) }

    func verify(_ token: String, now: Timestamp) -> JSONValue? {
        guard token.utf8.count <= 16_384, let parsed = try? JSONWebToken(parsing: token) else { return nil }
        do {
            try parsed.verify(JSONWebToken.PublicKey(key))
            try parsed.verifyTimes(at: now)
            return parsed.claims
        } catch {
            return nil
        }
    }
}

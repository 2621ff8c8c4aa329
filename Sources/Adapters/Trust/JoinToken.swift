package import Primitives

/// The token with which a node joins: the fingerprint of the CA and a signed expiry (`spec/01 §2.4`).
///
/// Ours also bear a number by which they are revoked, and may be good for one node; a Go cloudcore's have neither.
package struct JoinToken: Sendable {
    /// Lower-case hexadecimal of the SHA-256 over the CA certificate's DER.
    package let authorityFingerprint: String
    /// What the edge presents as `Authorization: Bearer`.
    package let webToken: Redacted<String>

    /// What a token that holds says.
    package struct Claims: Sendable, Hashable {
        /// nil for a token of a Go cloudcore, which cannot be revoked.
        package var identifier: String?
        /// The one node that may join with it; nil for any.
        package var node: String?

        package init(identifier: String? = nil, node: String? = nil) {
            self.identifier = identifier
            self.node = node
        }
    }

    /// Makes a token that is good until `expiry`.
    package init(authority: CertificateAuthority, expiry: Timestamp, claims: Claims = Claims()) {
        authorityFingerprint = authority.fingerprint
        var signed: JSONValue = ["exp": .integer(expiry.seconds)]
        if let identifier = claims.identifier { signed["jti"] = .string(identifier) }
        if let node = claims.node { signed["sub"] = .string(NodeSubject.commonName(of: node)) }
        webToken = Redacted(JSONWebToken.sign(signed, secret: authority.key.der.exposed))
    }

    /// Takes a token apart; blanks and line ends around it do not count (D-12). Throws `malformedToken`.
    package init(parsing text: String) throws {
        let bytes = text.utf8.drop { $0 <= 32 }.reversed().drop { $0 <= 32 }.reversed()
        let parts = String(decoding: Array(bytes), as: UTF8.self).split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0].utf8.count == 64, parts.allSatisfy({ !$0.isEmpty }) else {
            throw TrustError(
                code: .malformedToken,
                message: "the join token has not the form <ca-hash>.<header>.<claims>.<signature>: copy it whole from `keadm gettoken`")
        }
        authorityFingerprint = parts[0].lowercased()
        webToken = Redacted(parts[1...].joined(separator: "."))
    }

    /// The whole token as text.
    package var text: Redacted<String> { Redacted(authorityFingerprint + "." + webToken.exposed) }

    /// When the token expires, as it says itself; nil where it says nothing.
    package var expiry: Timestamp? {
        (try? JSONWebToken(parsing: webToken.exposed))?.claims["exp"].int.map { Timestamp(seconds: $0) }
    }

    /// Throws `wrongAuthority` unless the token was made by the cluster with this CA certificate.
    package func checkAuthority(_ certificate: [UInt8]) throws {
        guard CertificateAuthority.fingerprint(of: certificate) == authorityFingerprint else {
            throw TrustError(
                code: .wrongAuthority,
                message: "the CA of the cloud is not the one in the join token: the token is of another cluster, or somebody is in between; "
                    + "compare the address of the cloud and get a new token there with `keadm gettoken`")
        }
    }

    /// Checks what an edge presented and returns what it says. Throws `malformedToken`, `badSignature`, `expired` or `notYetValid`.
    @discardableResult
    package static func verify(webToken: String, authority: CertificateAuthority, at now: Timestamp) throws -> Claims {
        let token = try JSONWebToken(parsing: webToken)
        try token.verify(secret: authority.key.der.exposed)
        try token.verifyTimes(at: now)
        var claims = Claims(identifier: token.claims["jti"].string)
        if !token.claims["sub"].isNull {
            guard let node = token.claims["sub"].string.flatMap(NodeSubject.node(inCommonName:)) else {
                throw TrustError(code: .malformedToken, message: "the token is for something that is no node")
            }
            claims.node = node
        }
        return claims
    }
}

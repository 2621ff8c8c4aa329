import Crypto
import CryptoExtras
package import Primitives
import X509

/// Compact JSON Web Signatures (RFC 7515) in the algorithms that Kubernetes and KubeEdge use.
package struct JSONWebToken: Sendable {
    package let header: JSONValue
    package let claims: JSONValue
    private let signed: [UInt8]
    private let signature: [UInt8]

    /// Takes a token apart without believing it. Throws `malformedToken`.
    package init(parsing text: String) throws {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard text.utf8.count <= 16384, parts.count == 3, let header = Base64.decodeURL(parts[0]), let claims = Base64.decodeURL(parts[1]),
            let signature = Base64.decodeURL(parts[2]), let headerValue = try? JSONValue(parsing: header), headerValue.object != nil,
            let claimsValue = try? JSONValue(parsing: claims), claimsValue.object != nil
        else { throw TrustError(code: .malformedToken, message: "the token is no JSON web token of three parts") }
        self.header = headerValue
        self.claims = claimsValue
        self.signature = signature
        signed = Array(text.utf8.prefix(parts[0].utf8.count + 1 + parts[1].utf8.count))
    }

    /// Signs claims with a shared secret, HS256.
    package static func sign(_ claims: JSONValue, secret: [UInt8]) -> String {
        let signed = Self.signed(["alg": "HS256", "typ": "JWT"], claims)
        return signed + "." + Base64.encodeURL(HMAC<SHA256>.authenticationCode(for: Array(signed.utf8), using: SymmetricKey(data: secret)))
    }

    /// Signs claims with a private key: ES256 on P-256, RS256 with RSA. Throws `malformedKey` for other curves.
    package static func sign(_ claims: JSONValue, key: SigningKey) throws -> String {
        let publicKey = PublicKey(key)
        let signed = Self.signed(["alg": .string(publicKey.algorithm), "kid": .string(publicKey.identifier)], claims)
        let bytes = Array(signed.utf8)
        switch key.kind {
        case .p256(let key): return signed + "." + Base64.encodeURL(try key.signature(for: bytes).rawRepresentation)
        case .rsa(let key): return signed + "." + Base64.encodeURL(try key.signature(for: bytes, padding: .insecurePKCS1v1_5).rawRepresentation)
        default: throw TrustError(code: .malformedKey, message: "tokens are signed with a P-256 or an RSA key only")
        }
    }

    private static func signed(_ header: JSONValue, _ claims: JSONValue) -> String {
        Base64.encodeURL(header.encoded()) + "." + Base64.encodeURL(claims.encoded())
    }

    /// Checks a signature with a shared secret: HS256, HS384 or HS512. Throws `badSignature`.
    package func verify(secret: [UInt8]) throws {
        let key = SymmetricKey(data: secret)
        let isValid =
            switch header["alg"].string {
            case "HS256": HMAC<SHA256>.isValidAuthenticationCode(signature, authenticating: signed, using: key)
            case "HS384": HMAC<SHA384>.isValidAuthenticationCode(signature, authenticating: signed, using: key)
            case "HS512": HMAC<SHA512>.isValidAuthenticationCode(signature, authenticating: signed, using: key)
            default: false
            }
        guard isValid else { throw TrustError(code: .badSignature, message: "the signature of the token does not hold") }
    }

    /// Checks a signature with a public key: ES256 or RS256, as the key and not the token says. Throws `badSignature`.
    package func verify(_ key: PublicKey) throws {
        guard header["alg"].string == key.algorithm, key.isValid(signature, signed) else {
            throw TrustError(code: .badSignature, message: "the signature of the token does not hold")
        }
    }

    /// Checks `exp`, `nbf` and `iat` where they are there. Throws `expired` or `notYetValid`.
    package func verifyTimes(at now: Timestamp) throws {
        func time(_ name: String) throws -> Timestamp? {
            let value = claims[name]
            if value.isNull { return nil }
            guard let seconds = value.double, abs(seconds) < 1e12 else {
                throw TrustError(code: .malformedToken, message: "\(name) of the token is no time")
            }
            return Timestamp(seconds: Int64(seconds))
        }
        if let end = try time("exp"), now >= end {
            throw TrustError(code: .expired, message: "the token expired at \(end.rfc3339)")
        }
        for name in ["nbf", "iat"] {
            if let begin = try time(name), now < begin {
                throw TrustError(
                    code: .notYetValid, message: "the token is valid from \(begin.rfc3339) on, it is \(now.rfc3339) here: check the clocks")
            }
        }
    }

    /// A key to check tokens with.
    package struct PublicKey: Sendable {
        enum Kind: Sendable {
            case ecdsa(P256.Signing.PublicKey)
            case rsa(_RSA.Signing.PublicKey)
            case other
        }

        let kind: Kind
        private let info: [UInt8]

        /// The public part of a private key.
        package init(_ key: SigningKey) {
            switch key.kind {
            case .p256(let key): kind = .ecdsa(key.publicKey)
            case .rsa(let key): kind = .rsa(key.publicKey)
            default: kind = .other
            }
            info = key.publicKeyInfo
        }

        /// `ES256` or `RS256`.
        package var algorithm: String {
            switch kind {
            case .ecdsa: "ES256"
            case .rsa: "RS256"
            case .other: "none"
            }
        }

        /// The key id that Kubernetes derives: SHA-256 of the `SubjectPublicKeyInfo`.
        package var identifier: String { Base64.encodeURL(SHA256.hash(data: info)) }

        /// PEM `PUBLIC KEY`.
        package var pem: String { PEMBlock(label: "PUBLIC KEY", bytes: info).text }

        /// The member of a JSON Web Key Set (`/openid/v1/jwks`).
        package var webKey: JSONValue {
            var key: JSONValue = ["use": "sig", "alg": .string(algorithm), "kid": .string(identifier)]
            switch kind {
            case .ecdsa(let point):
                let raw = Array(point.rawRepresentation)
                key["kty"] = "EC"
                key["crv"] = "P-256"
                key["x"] = .string(Base64.encodeURL(raw[0..<32]))
                key["y"] = .string(Base64.encodeURL(raw[32...]))
            case .rsa(let rsa):
                key["kty"] = "RSA"
                if let parts = try? rsa.getKeyPrimitives() {
                    key["n"] = .string(Base64.encodeURL(parts.modulus))
                    key["e"] = .string(Base64.encodeURL(parts.publicExponent))
                }
            case .other: break
            }
            return key
        }

        func isValid(_ signature: [UInt8], _ signed: [UInt8]) -> Bool {
            switch kind {
            case .ecdsa(let key):
                (try? P256.Signing.ECDSASignature(rawRepresentation: signature)).map { key.isValidSignature($0, for: signed) } ?? false
            case .rsa(let key):
                key.isValidSignature(_RSA.Signing.RSASignature(rawRepresentation: signature), for: signed, padding: .insecurePKCS1v1_5)
            case .other: false
            }
        }
    }
}

import Crypto
import CryptoExtras
package import Primitives
import SwiftASN1
import X509

/// A private key: ECDSA on the NIST curves, or RSA.
///
/// The DER stays byte for byte as it was read, as the join token is signed with these bytes (`spec/01 App. C.11`).
package struct SigningKey: Sendable {
    enum Kind: Sendable {
        case p256(P256.Signing.PrivateKey)
        case p384(P384.Signing.PrivateKey)
        case p521(P521.Signing.PrivateKey)
        case rsa(_RSA.Signing.PrivateKey)
    }

    let kind: Kind
    /// SEC1 `ECPrivateKey` of a generated key; what was read otherwise.
    package let der: Redacted<[UInt8]>

    /// A fresh ECDSA P-256 key.
    package init() {
        let key = P256.Signing.PrivateKey()
        kind = .p256(key)
        der = Redacted(Self.sec1(key))
    }

    /// Reads SEC1, PKCS#8 or PKCS#1. Throws `malformedKey`.
    package init(der bytes: [UInt8]) throws {
        if let key = try? P256.Signing.PrivateKey(derRepresentation: bytes) {
            kind = .p256(key)
        } else if let key = try? P384.Signing.PrivateKey(derRepresentation: bytes) {
            kind = .p384(key)
        } else if let key = try? P521.Signing.PrivateKey(derRepresentation: bytes) {
            kind = .p521(key)
        } else if let key = try? _RSA.Signing.PrivateKey(derRepresentation: bytes) {
            kind = .rsa(key)
        } else {
            throw TrustError(code: .malformedKey, message: "the private key is neither an ECDSA nor an RSA key (of 2048 bits or more) in DER")
        }
        der = Redacted(bytes)
    }

    /// Reads the first private key of a PEM text. Throws `malformedKey`.
    package init(pem text: String) throws {
        let blocks = PEMBlock.parse(text).filter { $0.label.hasSuffix("PRIVATE KEY") }
        guard let block = blocks.first else { throw TrustError(code: .malformedKey, message: "there is no private key in the PEM text") }
        if block.label.hasPrefix("ENCRYPTED") {
            throw TrustError(code: .malformedKey, message: "the private key is encrypted: store it without a password, readable by its user only")
        }
        try self.init(der: block.bytes)
    }

    /// PEM `EC PRIVATE KEY` or `RSA PRIVATE KEY`, as the stock edge writes it (`spec/01 §2.6`); `PRIVATE KEY` where PKCS#8 was read.
    package var pem: Redacted<String> { Redacted(PEMBlock(label: pemLabel, bytes: der.exposed).text) }

    /// The DER `SubjectPublicKeyInfo`.
    package var publicKeyInfo: [UInt8] {
        switch kind {
        case .p256(let key): Array(key.publicKey.derRepresentation)
        case .p384(let key): Array(key.publicKey.derRepresentation)
        case .p521(let key): Array(key.publicKey.derRepresentation)
        case .rsa(let key): Array(key.publicKey.derRepresentation)
        }
    }

    var certificateKey: Certificate.PrivateKey {
        switch kind {
        case .p256(let key): Certificate.PrivateKey(key)
        case .p384(let key): Certificate.PrivateKey(key)
        case .p521(let key): Certificate.PrivateKey(key)
        case .rsa(let key): Certificate.PrivateKey(key)
        }
    }

    var signatureAlgorithm: Certificate.SignatureAlgorithm {
        switch kind {
        case .p256: .ecdsaWithSHA256
        case .p384: .ecdsaWithSHA384
        case .p521: .ecdsaWithSHA512
        case .rsa: .sha256WithRSAEncryption
        }
    }

    private var pemLabel: String {
        // A PKCS#8 structure has an algorithm (a SEQUENCE) after its version; the other two have a number or a string there.
        if let body = DERHeader(der.exposed), body.third == 0x30 { return "PRIVATE KEY" }
        if case .rsa = kind { return "RSA PRIVATE KEY" }
        return "EC PRIVATE KEY"
    }

    /// RFC 5915 with the curve's name and the public key, which is what Go writes; every part has a fixed size on P-256.
    private static func sec1(_ key: P256.Signing.PrivateKey) -> [UInt8] {
        let head: [UInt8] = [0x30, 0x77, 0x02, 0x01, 0x01, 0x04, 0x20]
        let curve: [UInt8] = [0xA0, 0x0A, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07]
        let publicPart: [UInt8] = [0xA1, 0x44, 0x03, 0x42, 0x00]
        return head + Array(key.rawRepresentation) + curve + publicPart + Array(key.publicKey.x963Representation)
    }
}

/// Tells the kinds of private keys apart by the tag after the version number.
private struct DERHeader {
    let third: UInt8

    init?(_ bytes: [UInt8]) {
        guard bytes.count > 8, bytes[0] == 0x30 else { return nil }
        let start = bytes[1] < 0x80 ? 2 : 2 + Int(bytes[1] & 0x7F)
        guard start + 3 < bytes.count, bytes[start] == 0x02, bytes[start + 1] == 0x01 else { return nil }
        third = bytes[start + 3]
    }
}

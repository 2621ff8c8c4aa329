import Crypto
import CryptoExtras
import SwiftASN1
import X509

/// How the subject of a node's certificate is written.
package enum NodeSubject {
    package static let organization = "system:nodes"
    private static let prefix = "system:node:"

    /// `system:node:<node>`.
    package static func commonName(of node: String) -> String { prefix + node }

    /// The node that a certificate speaks for; nil where it speaks for none.
    package static func node(of facts: CertificateFacts) -> String? {
        facts.organizations.contains(organization) ? node(inCommonName: facts.commonName) : nil
    }

    /// The node in `system:node:<node>`; nil for other names.
    static func node(inCommonName name: String) -> String? {
        guard name.hasPrefix(prefix) else { return nil }
        let node = name.dropFirst(prefix.count)
        return node.isEmpty ? nil : String(node)
    }

    /// Certificates of very old edges, which name no node (`spec/01 §2.5`).
    package static func isLegacy(_ facts: CertificateFacts) -> Bool {
        facts.organizations.first == "KubeEdge" && facts.commonName == "kubeedge.io"
    }
}

/// A PKCS#10 request whose own signature holds, so that the sender has the private key.
package struct SigningRequest: Sendable {
    package let commonName: String
    package let organizations: [String]
    let publicKey: Certificate.PublicKey

    /// Reads and checks a DER request. Throws `malformedRequest` or `badSignature`.
    ///
    /// Keys of more than 4096 bits and requests of more than 16 KiB are refused for the time they cost.
    package init(der: [UInt8]) throws {
        guard der.count <= 16384 else { throw TrustError(code: .malformedRequest, message: "the certificate request is larger than 16 KiB") }
        let request: CertificateSigningRequest
        do {
            request = try CertificateSigningRequest(derEncoded: der)
        } catch {
            throw TrustError(code: .malformedRequest, message: "the certificate request cannot be read: it must be PKCS#10 in DER (\(error))")
        }
        if let rsa = _RSA.Signing.PublicKey(request.publicKey), !(2048...4096).contains(rsa.keySizeInBits) {
            throw TrustError(code: .malformedRequest, message: "the RSA key of the certificate request must have 2048 to 4096 bits")
        }
        guard request.publicKey.isValidSignature(request.signature, for: request) else {
            throw TrustError(code: .badSignature, message: "the certificate request is not signed with its own key")
        }
        commonName = request.subject.texts(.NameAttributes.commonName).first ?? ""
        organizations = request.subject.texts(.NameAttributes.organizationName)
        publicKey = request.publicKey
    }

    /// Throws `wrongSubject` unless the request is for the certificate of this node (D-09).
    package func checkSubject(node: String) throws {
        guard commonName == NodeSubject.commonName(of: node), organizations == [NodeSubject.organization] else {
            throw TrustError(
                code: .wrongSubject,
                message: "the certificate request is for CN=\(commonName), O=\(organizations.joined(separator: "+")), but node \(node) "
                    + "may only ask for CN=\(NodeSubject.commonName(of: node)), O=\(NodeSubject.organization)")
        }
    }

    /// Makes the request of a node as the stock edge does (`spec/01 §2.6`); returns DER.
    package static func make(node: String, key: SigningKey) throws -> [UInt8] {
        let subject = try DistinguishedName(
            country: "CN", province: "Zhejiang", locality: "Hangzhou", organizations: [NodeSubject.organization],
            commonName: NodeSubject.commonName(of: node))
        return try make(subject: subject, key: key)
    }

    /// Makes a request for any subject; returns DER.
    package static func make(commonName: String, organizations: [String], key: SigningKey) throws -> [UInt8] {
        try make(subject: try DistinguishedName(organizations: organizations, commonName: commonName), key: key)
    }

    private static func make(subject: DistinguishedName, key: SigningKey) throws -> [UInt8] {
        let request = try CertificateSigningRequest(
            version: .v1, subject: subject, privateKey: key.certificateKey, attributes: .init(), signatureAlgorithm: key.signatureAlgorithm)
        var serializer = DER.Serializer()
        try serializer.serialize(request)
        return serializer.serializedBytes
    }
}

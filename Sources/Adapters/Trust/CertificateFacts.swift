import FoundationEssentials
package import Primitives
import SwiftASN1
import X509

/// What a certificate says, without any judgement whether it may be believed.
package struct CertificateFacts: Sendable, Hashable {
    /// The first common name of the subject; empty where there is none.
    package var commonName: String
    package var organizations: [String]
    package var dnsNames: [String]
    /// In the form `CertificateNames.address` gives them.
    package var ipAddresses: [String]
    package var notBefore: Timestamp
    package var notAfter: Timestamp
    package var isAuthority: Bool
    package var usages: [CertificateUsage]
    package var publicKeyInfo: [UInt8]
    /// Lower-case hexadecimal.
    package var serialNumber: String

    /// Reads a DER certificate. Throws `malformedCertificate`.
    package init(der: [UInt8]) throws { self.init(try Certificate.read(der)) }

    init(_ certificate: Certificate) {
        commonName = certificate.subject.texts(.NameAttributes.commonName).first ?? ""
        organizations = certificate.subject.texts(.NameAttributes.organizationName)
        let names = (try? certificate.extensions.subjectAlternativeNames).map(Array.init) ?? []
        dnsNames = names.compactMap { if case .dnsName(let name) = $0 { name } else { nil } }
        ipAddresses = names.compactMap { if case .ipAddress(let octets) = $0 { CertificateNames.text(octets.bytes) } else { nil } }
        notBefore = Timestamp(date: certificate.notValidBefore)
        notAfter = Timestamp(date: certificate.notValidAfter)
        if case .isCertificateAuthority? = try? certificate.extensions.basicConstraints { isAuthority = true } else { isAuthority = false }
        let extended = (try? certificate.extensions.extendedKeyUsage).map(Array.init) ?? []
        usages = extended.compactMap { usage in
            switch usage {
            case .clientAuth: .client
            case .serverAuth: .server
            case .any: .any
            default: nil
            }
        }
        publicKeyInfo = certificate.publicKey.encoded()
        serialNumber = certificate.serialNumber.bytes.map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0" + text : text
        }.joined()
    }

    /// Whether the certificate is in date at a point of time.
    package func isValid(at time: Timestamp) -> Bool { notBefore <= time && time <= notAfter }

    /// When to ask for the next certificate: after a share of the lifetime, which the stock edge draws from 0.7 to 0.9 (`spec/01 §2.7`).
    package func rotationTime(share: Double) -> Timestamp { notBefore + (notAfter - notBefore) * share }

    /// The same with a share drawn by chance.
    package func rotationTime(using generator: inout some RandomNumberGenerator) -> Timestamp {
        rotationTime(share: Double.random(in: 0.7..<0.9, using: &generator))
    }
}

/// What a leaf certificate may be used for.
package enum CertificateUsage: Sendable, Hashable {
    case client, server, any
}

/// Names and addresses for certificates.
package enum CertificateNames {
    /// The canonical text of an IP address; nil for anything else.
    package static func address(_ text: String) -> String? { IPAddressText.octets(text).flatMap { self.text($0[...]) } }

    static func text(_ octets: ArraySlice<UInt8>) -> String? { IPAddressText.text(Array(octets)) }
}

extension Certificate {
    static func read(_ der: [UInt8]) throws -> Certificate {
        do {
            return try Certificate(derEncoded: der)
        } catch {
            throw TrustError(code: .malformedCertificate, message: "the certificate cannot be read: \(error)")
        }
    }

    func encoded() throws -> [UInt8] {
        var serializer = DER.Serializer()
        try serializer.serialize(self)
        return serializer.serializedBytes
    }
}

extension Certificate.PublicKey {
    /// The DER `SubjectPublicKeyInfo`.
    func encoded() -> [UInt8] {
        var serializer = DER.Serializer()
        return (try? serializer.serialize(self)).map { serializer.serializedBytes } ?? []
    }
}

extension DistinguishedName {
    /// The values of all attributes of a type.
    func texts(_ type: ASN1ObjectIdentifier) -> [String] {
        flatMap { Array($0) }.filter { $0.type == type }.compactMap { String($0.value) }
    }

    /// A name in Go's order and string types: printable where it can be.
    init(country: String? = nil, province: String? = nil, locality: String? = nil, organizations: [String], commonName: String) throws {
        typealias Names = ASN1ObjectIdentifier.NameAttributes
        var parts: [RelativeDistinguishedName] = []
        func add(_ type: ASN1ObjectIdentifier, _ texts: [String]) {
            let attributes = texts.map { text in
                (try? RelativeDistinguishedName.Attribute(type: type, printableString: text))
                    ?? RelativeDistinguishedName.Attribute(type: type, utf8String: text)
            }
            if !attributes.isEmpty { parts.append(RelativeDistinguishedName(attributes)) }
        }
        add(Names.countryName, country.map { [$0] } ?? [])
        add(Names.stateOrProvinceName, province.map { [$0] } ?? [])
        add(Names.localityName, locality.map { [$0] } ?? [])
        add(Names.organizationName, organizations)
        add(Names.commonName, [commonName])
        self.init(parts)
    }
}

extension Timestamp {
    init(date: Date) {
        let seconds = date.timeIntervalSince1970.rounded(.down)
        self.init(seconds: Int64(exactly: seconds) ?? 0)
    }

    var date: Date { Date(timeIntervalSince1970: Double(seconds)) }
}

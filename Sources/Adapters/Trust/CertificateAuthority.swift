import Crypto
import CryptoExtras
package import Primitives
import SwiftASN1
import X509

/// A certificate authority: its certificate and its key, in memory.
package struct CertificateAuthority: Sendable {
    /// DER.
    package let certificate: [UInt8]
    package let key: SigningKey
    private let parsed: Certificate

    /// Takes a stored authority. Throws `malformedCertificate`, or `mismatchedPair` where the key is not the certificate's.
    package init(certificate der: [UInt8], key: SigningKey) throws {
        parsed = try Certificate.read(der)
        guard parsed.publicKey.encoded() == key.publicKeyInfo else {
            throw TrustError(code: .mismatchedPair, message: "the CA certificate and the CA key do not belong together")
        }
        certificate = der
        self.key = key
    }

    /// Makes a new authority with the properties of `spec/01 §2.3`: P-256, serial 1024, a hundred years.
    package init(commonName: String = "KubeEdge", now: Timestamp) throws {
        let key = SigningKey()
        let publicKey = key.certificateKey.publicKey
        let name = try DistinguishedName(organizations: [], commonName: commonName)
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(1024), publicKey: publicKey, notValidBefore: now.date,
            notValidAfter: (now + .seconds(100 * 365 * 86400)).date, issuer: name, subject: name, signatureAlgorithm: key.signatureAlgorithm,
            extensions: try Certificate.Extensions {
                Critical(KeyUsage(digitalSignature: true, keyEncipherment: true, keyCertSign: true))
                try ExtendedKeyUsage([.serverAuth, .clientAuth])
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
                SubjectKeyIdentifier(hash: publicKey)
            }, issuerPrivateKey: key.certificateKey)
        try self.init(certificate: try certificate.encoded(), key: key)
    }

    /// Lower-case hexadecimal of the SHA-256 over the certificate: part 0 of a join token (`spec/01 §2.4`).
    package var fingerprint: String { Self.fingerprint(of: certificate) }

    /// The same for a certificate that came from elsewhere.
    package static func fingerprint(of der: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: SHA256.hash(data: der).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    // MARK: - Issuing

    /// Signs a leaf for a public key (DER `SubjectPublicKeyInfo`); returns DER.
    package func issue(_ profile: LeafProfile, publicKeyInfo: [UInt8], now: Timestamp) throws -> [UInt8] {
        try issue(profile, publicKey: try Certificate.PublicKey(derEncoded: publicKeyInfo), now: now)
    }

    /// Makes a key and a leaf for it.
    package func issue(_ profile: LeafProfile, now: Timestamp) throws -> KeyPair {
        let key = SigningKey()
        return KeyPair(certificate: try issue(profile, publicKey: key.certificateKey.publicKey, now: now), key: key)
    }

    /// Signs the public key of a request under a subject of our choosing.
    package func issue(_ profile: LeafProfile, for request: SigningRequest, now: Timestamp) throws -> [UInt8] {
        try issue(profile, publicKey: request.publicKey, now: now)
    }

    private func issue(_ profile: LeafProfile, publicKey: Certificate.PublicKey, now: Timestamp) throws -> [UInt8] {
        let names = profile.names.compactMap { name -> GeneralName? in
            IPAddressText.octets(name).map { .ipAddress(ASN1OctetString(contentBytes: $0[...])) } ?? .dnsName(name)
        }
        let usages = profile.usages.compactMap { usage -> ExtendedKeyUsage.Usage? in
            switch usage {
            case .client: .clientAuth
            case .server: .serverAuth
            case .any: .any
            }
        }
        var extensions = try Certificate.Extensions {
            Critical(KeyUsage(digitalSignature: true, keyEncipherment: true))
            try ExtendedKeyUsage(usages)
        }
        let authorityKey =
            (try? parsed.extensions.subjectKeyIdentifier)?.keyIdentifier ?? SubjectKeyIdentifier(hash: parsed.publicKey).keyIdentifier
        try extensions.append(Certificate.Extension(AuthorityKeyIdentifier(keyIdentifier: authorityKey), critical: false))
        if !names.isEmpty { try extensions.append(Certificate.Extension(SubjectAlternativeNames(names), critical: false)) }
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(UInt64.random(in: 1..<UInt64(Int64.max))), publicKey: publicKey,
            notValidBefore: now.date, notValidAfter: (now + profile.lifetime).date, issuer: parsed.subject,
            subject: try DistinguishedName(organizations: profile.organizations, commonName: profile.commonName),
            signatureAlgorithm: key.signatureAlgorithm, extensions: extensions, issuerPrivateKey: key.certificateKey)
        return try certificate.encoded()
    }

    // MARK: - Verifying

    /// Verifies that a leaf was signed by this authority, is in date and may be used so; returns what it says.
    package func verify(_ leaf: [UInt8], for usage: CertificateUsage, at now: Timestamp) throws -> CertificateFacts {
        try Self.verify(leaf, authority: certificate, for: usage, at: now)
    }

    /// The same with the authority's certificate alone, for those who only trust it.
    package static func verify(_ leaf: [UInt8], authority: [UInt8], for usage: CertificateUsage, at now: Timestamp) throws -> CertificateFacts {
        let authority = try Certificate.read(authority)
        let certificate = try Certificate.read(leaf)
        let facts = CertificateFacts(certificate)
        guard certificate.issuer == authority.subject, authority.publicKey.isValidSignature(certificate.signature, for: certificate) else {
            throw TrustError(code: .wrongAuthority, message: "the certificate of \(facts.commonName) was not signed by this CA")
        }
        for (name, dates) in [("certificate of \(facts.commonName)", facts), ("CA certificate", CertificateFacts(authority))] {
            if now < dates.notBefore {
                throw TrustError(
                    code: .notYetValid,
                    message: "the \(name) is valid from \(dates.notBefore.rfc3339) on, it is \(now.rfc3339) here: check the clocks")
            }
            if now > dates.notAfter { throw TrustError(code: .expired, message: "the \(name) expired at \(dates.notAfter.rfc3339)") }
        }
        guard !facts.isAuthority, facts.usages.contains(usage) || facts.usages.contains(.any) else {
            throw TrustError(code: .wrongUsage, message: "the certificate of \(facts.commonName) is not one for \(usage) authentication")
        }
        return facts
    }
}

/// What a leaf certificate is to say.
package struct LeafProfile: Sendable, Hashable {
    package var commonName: String
    package var organizations: [String]
    /// Host names and IP addresses in any order; empty ones are left out (D-11).
    package var names: [String]
    package var usages: [CertificateUsage]
    package var lifetime: Duration

    package init(commonName: String, organizations: [String] = [], names: [String] = [], usages: [CertificateUsage], lifetime: Duration) {
        self.commonName = commonName
        self.organizations = organizations
        self.names = names.filter { !$0.isEmpty }
        self.usages = usages
        self.lifetime = lifetime
    }

    /// CloudCore's own server certificate (`spec/01 §2.3`).
    package static func cloudServer(names: [String]) -> LeafProfile {
        LeafProfile(commonName: "KubeEdge", organizations: ["KubeEdge"], names: names, usages: [.server], lifetime: .seconds(100 * 365 * 86400))
    }

    /// The client certificate of an edge node (`spec/01 App. B.1.3`).
    package static func node(_ node: String, lifetime: Duration) -> LeafProfile {
        LeafProfile(
            commonName: NodeSubject.commonName(of: node), organizations: [NodeSubject.organization], usages: [.client], lifetime: lifetime)
    }
}

/// A certificate with its key.
package struct KeyPair: Sendable {
    /// DER.
    package var certificate: [UInt8]
    package var key: SigningKey

    package init(certificate: [UInt8], key: SigningKey) {
        self.certificate = certificate
        self.key = key
    }

    /// Throws `mismatchedPair` where the key is not the certificate's.
    package func checkMatch() throws {
        guard try CertificateFacts(der: certificate).publicKeyInfo == key.publicKeyInfo else {
            throw TrustError(code: .mismatchedPair, message: "the certificate and the private key do not belong together")
        }
    }
}

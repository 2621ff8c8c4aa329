package import KubeMachinery
package import Logging
package import Primitives
package import Trust

/// The CA and the server certificate of cloudcore, kept in secrets so that every instance has the same (`spec/01 §2.1–2.3`).
///
/// The CA is made once, when the API says for certain that there is none; an unreadable one is an error and never replaced (D-15).
package struct CertificateAuthorityStore: Sendable {
    /// Where the certificates come from and whom they name.
    package struct Configuration: Sendable {
        /// PEM files that count before the secrets where they exist; empty for none.
        package var authorityFile = ""
        package var authorityKeyFile = ""
        package var certificateFile = ""
        package var privateKeyFile = ""
        /// Host names and IP addresses that edges dial (`advertiseAddress` and `dnsNames`).
        package var names: [String] = []

        package init() {}
    }

    /// What cloudcore serves with.
    package struct Credentials: Sendable {
        package let authority: CertificateAuthority
        package let server: KeyPair
    }

    private let secrets: CertificateSecrets
    private let configuration: Configuration
    private let clock: any MomentSource
    private let logger: Logger

    package init(api: any KubeAPI, configuration: Configuration, clock: any MomentSource = SystemClock(), logger: Logger) {
        secrets = CertificateSecrets(api: api)
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
    }

    /// Loads what is there and makes what is missing. Throws `CloudHubError`, `TrustError` or the `KubeStatus` of an API that failed.
    package func prepare() async throws -> Credentials {
        let authority = try await prepareAuthority()
        return Credentials(authority: authority, server: try await server(under: authority))
    }

    // MARK: - The authority

    private func prepareAuthority() async throws -> CertificateAuthority {
        if let pair = try Self.load(configuration.authorityFile, configuration.authorityKeyFile, "tlsCAFile", "tlsCAKeyFile") {
            let authority = try CertificateAuthority(certificate: pair.certificate, key: pair.key)
            try await secrets.write(.authority, Self.fields(authority))
            return authority
        }
        for _ in 0..<5 {
            if let secret = try await secrets.read(.authority) { return try Self.authority(secret) }
            let made = try CertificateAuthority(now: backdated)
            if try await secrets.create(.authority, Self.fields(made)) {
                logger.notice("certificate authority created", metadata: ["fingerprint": "\(made.fingerprint)"])
                return made
            }
        }
        throw Self.unusable(.authority, "is created and deleted all the time")
    }

    private static func authority(_ secret: KubeObject) throws -> CertificateAuthority {
        guard let certificate = CertificateSecrets.bytes(secret, .authorityCertificate),
            let key = CertificateSecrets.bytes(secret, .authorityKey)
        else { throw unusable(.authority, "lacks cadata or cakeydata") }
        do {
            return try CertificateAuthority(certificate: certificate, key: try SigningKey(der: key))
        } catch {
            throw unusable(.authority, "cannot be used: \(error)")
        }
    }

    private static func fields(_ authority: CertificateAuthority) -> [CertificateSecrets.Field: [UInt8]] {
        [.authorityCertificate: authority.certificate, .authorityKey: authority.key.der.exposed]
    }

    // MARK: - The server certificate

    /// The server certificate as it is now: the one of the files, or of the secret, or a new one where that is missing, names too few or has
    /// expired. Throws as `prepare` does; the authority is never made here.
    package func server(under authority: CertificateAuthority) async throws -> KeyPair {
        if let pair = try Self.load(configuration.certificateFile, configuration.privateKeyFile, "tlsCertFile", "tlsPrivateKeyFile") {
            try pair.checkMatch()
            try await secrets.write(.server, Self.fields(pair))
            return pair
        }
        for _ in 0..<5 {
            let secret = try await secrets.read(.server)
            let stored = secret.flatMap(Self.pair)
            if let stored, isGood(stored, authority) { return stored }
            // Names that another instance has put there stay, so that instances do not undo each other's work.
            let known = stored.flatMap { try? CertificateFacts(der: $0.certificate) }.map { $0.dnsNames + $0.ipAddresses } ?? []
            let added = configuration.names.filter { !known.contains(Self.canonical($0)) }
            let made = try authority.issue(.cloudServer(names: known + added), now: backdated)
            let isKept: Bool
            if let secret {
                isKept = try await secrets.replace(secret, Self.fields(made))
            } else {
                isKept = try await secrets.create(.server, Self.fields(made))
            }
            if isKept {
                logger.notice("server certificate issued", metadata: ["names": "\((known + added).joined(separator: ","))"])
                return made
            }
        }
        throw Self.unusable(.server, "is being changed by others all the time")
    }

    /// Whether edges that pinned this CA would accept the certificate under every configured name.
    private func isGood(_ pair: KeyPair, _ authority: CertificateAuthority) -> Bool {
        guard (try? pair.checkMatch()) != nil, let facts = try? authority.verify(pair.certificate, for: .server, at: clock.now().wall) else {
            return false
        }
        let known = facts.dnsNames + facts.ipAddresses
        return configuration.names.allSatisfy { $0.isEmpty || known.contains(Self.canonical($0)) }
    }

    private static func canonical(_ name: String) -> String { CertificateNames.address(name) ?? name }

    private static func pair(_ secret: KubeObject) -> KeyPair? {
        guard let certificate = CertificateSecrets.bytes(secret, .serverCertificate), let key = CertificateSecrets.bytes(secret, .serverKey),
            let read = try? SigningKey(der: key)
        else { return nil }
        return KeyPair(certificate: certificate, key: read)
    }

    private static func fields(_ pair: KeyPair) -> [CertificateSecrets.Field: [UInt8]] {
        [.serverCertificate: pair.certificate, .serverKey: pair.key.der.exposed]
    }

    // MARK: - Common ground

    /// An hour ago: an edge whose clock is a little late accepts a new certificate.
    private var backdated: Timestamp { clock.now().wall + .seconds(-3600) }

    /// Both files or none.
    private static func load(_ certificate: String, _ key: String, _ certificateField: String, _ keyField: String) throws -> KeyPair? {
        func text(_ path: String) throws -> String? {
            if path.isEmpty { return nil }
            do { return try DurableFile.read(path) } catch let error as TrustError where error.code == .missingFile { return nil }
        }
        switch (try text(certificate), try text(key)) {
        case (nil, nil): return nil
        case (let certificateText?, let keyText?):
            return KeyPair(certificate: try PEMBlock.certificate(certificateText), key: try SigningKey(pem: keyText))
        case (let found, _):
            let (there, missing) = found == nil ? (key, certificate) : (certificate, key)
            throw CloudHubError(
                code: .certificateFiles,
                message: "\(there) exists but \(missing) does not: modules.cloudHub.\(certificateField) and \(keyField) need both files or none")
        }
    }

    private static func unusable(_ name: CertificateSecrets.Name, _ cause: String) -> CloudHubError {
        CloudHubError(
            code: .certificateSecret,
            message: "secret \(name.rawValue) in namespace \(CertificateSecrets.namespace) \(cause): restore it from a backup, or delete it to have "
                + "a new one made\(name == .authority ? " (every node then has to join again)" : "")")
    }
}

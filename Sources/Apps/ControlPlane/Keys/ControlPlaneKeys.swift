import Glibc
import KubeServer
import Primitives
import Trust

/// The keys and certificates of an embedded control plane, kept in a folder of its own.
struct ControlPlaneKeys: Sendable {
    let authority: CertificateAuthority
    /// The server's certificate and key.
    let server: KeyPair
    /// The client certificate of `kubernetes-admin`, which may do everything.
    let administrator: KeyPair
    /// What the API server shows to kubelets.
    let kubeletClient: KeyPair
    /// Signs the tokens of service accounts.
    let tokenKey: SigningKey

    /// How long certificates other than the authority's last, and how close to its end one is replaced at the next start.
    private static let lifetime: Duration = .seconds(365 * 86_400)
    private static let renewal: Duration = .seconds(30 * 86_400)

    /// Reads the folder, or makes what is missing, out of date, or no longer covers the names. Private keys are for their owner only.
    ///
    /// An authority that is there but cannot be read is an error and never replaced: every client trusts it.
    static func open(_ folder: String, names: [String], now: Timestamp) throws -> ControlPlaneKeys {
        try PrivateFolder.make(folder)
        let authority = try authority(folder, now: now)
        let server = try pair(
            "\(folder)/apiserver", authority, now: now,
            LeafProfile(commonName: "kube-apiserver", names: names, usages: [.server], lifetime: lifetime))
        let administrator = try pair(
            "\(folder)/admin", authority, now: now,
            LeafProfile(commonName: "kubernetes-admin", organizations: ["system:masters"], usages: [.client], lifetime: lifetime))
        let kubeletClient = try pair(
            "\(folder)/apiserver-kubelet-client", authority, now: now,
            LeafProfile(commonName: "kube-apiserver-kubelet-client", organizations: ["system:masters"], usages: [.client], lifetime: lifetime))
        let tokenPath = "\(folder)/sa.key"
        let tokenKey: SigningKey
        if let text = try existing(tokenPath) {
            tokenKey = try SigningKey(pem: text)
        } else {
            tokenKey = SigningKey()
            try DurableFile.write(tokenKey.pem.exposed, to: tokenPath, mode: 0o600)
            try DurableFile.write(JSONWebToken.PublicKey(tokenKey).pem, to: "\(folder)/sa.pub", mode: 0o644)
        }
        return ControlPlaneKeys(authority: authority, server: server, administrator: administrator, kubeletClient: kubeletClient, tokenKey: tokenKey)
    }

    private static func authority(_ folder: String, now: Timestamp) throws -> CertificateAuthority {
        let (keyPath, certificatePath) = ("\(folder)/ca.key", "\(folder)/ca.crt")
        if let certificate = try existing(certificatePath) {
            return try CertificateAuthority(
                certificate: try PEMBlock.certificate(certificate), key: try SigningKey(pem: try DurableFile.read(keyPath)))
        }
        let made = try CertificateAuthority(commonName: "kubernetes", now: backdated(now))
        try DurableFile.write(made.key.pem.exposed, to: keyPath, mode: 0o600)
        try DurableFile.write(PEMBlock.text(certificate: made.certificate), to: certificatePath, mode: 0o644)
        return made
    }

    private static func pair(_ path: String, _ authority: CertificateAuthority, now: Timestamp, _ profile: LeafProfile) throws -> KeyPair {
        if let pair = try? stored(path), isGood(pair, authority, now: now, profile) { return pair }
        let made = try authority.issue(profile, now: backdated(now))
        try DurableFile.write(made.key.pem.exposed, to: "\(path).key", mode: 0o600)
        try DurableFile.write(PEMBlock.text(certificate: made.certificate), to: "\(path).crt", mode: 0o644)
        return made
    }

    private static func stored(_ path: String) throws -> KeyPair {
        let pair = KeyPair(
            certificate: try PEMBlock.certificate(try DurableFile.read("\(path).crt")), key: try SigningKey(pem: try DurableFile.read("\(path).key")))
        try pair.checkMatch()
        return pair
    }

    private static func isGood(_ pair: KeyPair, _ authority: CertificateAuthority, now: Timestamp, _ profile: LeafProfile) -> Bool {
        guard let usage = profile.usages.first, let facts = try? authority.verify(pair.certificate, for: usage, at: now) else { return false }
        let known = Set(facts.dnsNames + facts.ipAddresses)
        return facts.notAfter > now + renewal && profile.names.allSatisfy { known.contains(CertificateNames.address($0) ?? $0) }
    }

    /// A few minutes earlier, for clients whose clocks are a little behind.
    private static func backdated(_ now: Timestamp) -> Timestamp { now + .seconds(-300) }

    private static func existing(_ path: String) throws -> String? {
        do { return try DurableFile.read(path) } catch let error as TrustError where error.code == .missingFile { return nil }
    }

    /// Every name by which pods and people reach the API.
    static func names(advertised: [String]) -> [String] {
        ["127.0.0.1", "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
            + [BootstrapObjects.serviceAddress] + advertised.filter { !$0.isEmpty }
    }
}

/// Folders that only their owner may look into.
enum PrivateFolder {
    static func make(_ path: String) throws {
        var made = ""
        for part in path.split(separator: "/", omittingEmptySubsequences: false) {
            made += made.isEmpty && part.isEmpty ? "" : (made.isEmpty || made == "/" ? String(part) : "/\(part)")
            if made.isEmpty { made = "/" }
            guard made != "/" else { continue }
            if mkdir(made, 0o700) != 0, errno != EEXIST {
                throw ControlPlaneError(code: .storage, message: "cannot make the folder \(made): \(String(cString: strerror(errno)))")
            }
        }
    }
}

import NIOSSL

extension ClusterAccess {
    /// TLS 1.2 and later with this trust and this certificate.
    func tlsConfiguration() throws(KubeClientError) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.shutdownTimeout = .seconds(2)
        switch trust {
        case .system: break
        case .authorities(let pem):
            let authorities = try certificates(pem, "the certificate authority")
            configuration.trustRoots = .certificates(authorities)
        case .anything: configuration.certificateVerification = .none
        }
        if let certificate, let key {
            configuration.certificateChain = try certificates(certificate, "the client certificate").map { .certificate($0) }
            do {
                configuration.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: Array(key.exposed.utf8), format: .pem))
            } catch {
                throw KubeClientError(code: .certificate, message: "the client key is no PEM private key that TLS can use")
            }
        }
        return configuration
    }

    private func certificates(_ pem: String, _ purpose: String) throws(KubeClientError) -> [NIOSSLCertificate] {
        let found = (try? NIOSSLCertificate.fromPEMBytes(Array(pem.utf8))) ?? []
        guard !found.isEmpty else { throw KubeClientError(code: .certificate, message: "\(purpose) holds no PEM certificate") }
        return found
    }
}

import CloudHub
import CloudStream
import KubeMachinery
import Primitives
import Supervision
import Trust

/// Logs and commands (`spec/01 §9`).
extension CloudCore {
    /// The tunnels, and where the configuration wants it the redirection of the ports that stand for kubelets.
    func streamModules(after prepared: Gate) -> [Module] {
        let streams = Module("cloudstream") {
            try await prepared.pass()
            try await runStreams()
        }
        guard configuration.redirectsKubeletPorts, !usesFreePorts else { return [streams] }
        var ports = KubeletPortRedirector.Configuration()
        ports.streamPort = configuration.cloudStream.streamPort
        let redirector = KubeletPortRedirector(api: api, configuration: ports, clock: clock, logger: logger("iptables"))
        let redirection = Module("iptables") {
            try await prepared.pass()
            try await redirector.run()
        }
        return [streams, redirection]
    }

    /// The tunnels, with the port that stands for kubelets claimed first.
    private func runStreams() async throws {
        let settings = configuration.cloudStream
        var streams = CloudTunnels.Configuration()
        streams.tunnelPort = usesFreePorts ? 0 : settings.tunnelPort
        streams.streamPort = usesFreePorts ? 0 : settings.streamPort
        streams.servesKubeletPort = !usesFreePorts
        streams.kubeletPort = try await claimKubeletPort()
        let log = logger("cloudstream")
        let store = CertificateAuthorityStore(api: api, configuration: certificateConfiguration, clock: clock, logger: log)
        let authority = try await store.prepare().authority
        let stream = CloudTunnels(api: api, configuration: streams, clock: clock, logger: log) { try await streamCredentials(store, authority) }
        try await stream.run()
    }

    private func claimKubeletPort() async throws -> Int {
        let address = configuration.cloudHub.advertiseAddresses.first ?? "127.0.0.1"
        var backoff = Backoff(initial: .milliseconds(250), limit: .seconds(15), jitter: 0.2)
        while true {
            do { return try await TunnelPortRecord.claim(address, above: configuration.cloudStream.kubeletPort, api: api) } catch let status
                as KubeStatus
            {
                let delay = backoff.next()
                logger("cloudstream").warning(
                    "the port for logs and commands is not claimed", metadata: ["error": "\(status)", "retry": "\(delay)"])
                try await clock.wait(until: clock.now().uptime + delay)
            }
        }
    }

    /// Edges see the certificate that the message port shows. The API server sees the one in the stream files, where there are such files.
    ///
    /// The API server may show a certificate of the stream authority or of the cluster's own: charts make a stream authority that the API
    /// server knows nothing of.
    private func streamCredentials(
        _ store: CertificateAuthorityStore, _ authority: CertificateAuthority
    ) async throws -> CloudTunnels.Credentials {
        let settings = configuration.cloudStream
        let server = try await store.server(under: authority)
        let own = CloudTunnels.ServerIdentity(certificate: server.certificate, privateKey: server.key.der)
        var clients = kubernetesCA
        if FileText.exists(settings.authorityFile) { clients += "\n" + (try DurableFile.read(settings.authorityFile)) }
        return CloudTunnels.Credentials(
            tunnel: try Self.identity(settings.tunnelCertificateFile, settings.tunnelPrivateKeyFile) ?? own,
            stream: try Self.identity(settings.certificateFile, settings.privateKeyFile) ?? own,
            nodeAuthority: authority.certificate, clientAuthority: clients.isEmpty ? nil : Array(clients.utf8))
    }

    private static func identity(_ certificate: String, _ key: String) throws -> CloudTunnels.ServerIdentity? {
        guard FileText.exists(certificate), FileText.exists(key) else { return nil }
        return CloudTunnels.ServerIdentity(
            certificate: Array(try DurableFile.read(certificate).utf8), privateKey: Redacted(Array(try DurableFile.read(key).utf8)))
    }
}

import EdgeTransport
import HTTPServing
import KubeClient
import KubeMachinery
import KubeResources
import KubeServer
package import Logging
import ObjectStore
package import Primitives
import Trust
import YAMLDocuments

/// A Kubernetes API in one process: store, keys, access, API server and the controllers a demonstration needs.
///
/// For one machine and for tests; never for production.
package struct EmbeddedControlPlane: Sendable {
    package struct Configuration: Sendable {
        /// Everything is kept below: `store.db`, `pki/`, `kubeconfig`.
        package var dataDirectory: String
        package var host = "127.0.0.1"
        /// 0 takes a free port.
        package var port = 6443
        /// Further names and addresses for the server's certificate.
        package var advertisedNames: [String] = []
        /// Whether the scheduler and the other controllers run beside the API.
        package var runsControllers = true

        package init(dataDirectory: String) { self.dataDirectory = dataDirectory }

        package var kubeconfigPath: String { "\(dataDirectory)/kubeconfig" }
    }

    /// How to reach a control plane that is ready.
    package struct Access: Sendable {
        /// `https://127.0.0.1:6443`
        package var server: String
        package var port: Int
        /// The file for the administrator, mode 0600.
        package var kubeconfigPath: String
        /// PEM.
        package var authority: String
    }

    private let configuration: Configuration
    private let clock: any MomentSource
    private let logger: Logger

    package init(_ configuration: Configuration, clock: any MomentSource = SystemClock(), logger: Logger) {
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
    }

    /// Runs until the task is cancelled; `onReady` is called once the API answers and its first objects are there.
    ///
    /// Throws `TrustError`, `StoreError`, `HTTPServingError` or `ControlPlaneError` with what the user has to do.
    package func run(onReady: @escaping @Sendable (Access) async throws -> Void = { _ in }) async throws {
        try PrivateFolder.make(configuration.dataDirectory)
        let names = ControlPlaneKeys.names(advertised: configuration.advertisedNames + [configuration.host].filter { $0 != "0.0.0.0" && $0 != "::" })
        let keys = try ControlPlaneKeys.open("\(configuration.dataDirectory)/pki", names: names, now: clock.now().wall)
        let store = try ObjectStore(ObjectStore.Configuration(path: "\(configuration.dataDirectory)/store.db"), logger: logger)
        let server = try await assemble(store, keys)
        try await Bootstrap(server: server, logger: logger).run(endpoint: (configuration.host, configuration.port))
        let kubelets = KubeletConnector(
            storage: store, identity: ClientIdentity(certificate: keys.kubeletClient.certificate, privateKey: keys.kubeletClient.key.der),
            authority: PEMBlock.text(certificate: keys.authority.certificate))
        let service = APIService(server: server, kubelets: kubelets, logger: logger)
        let listener = HTTPServer(httpConfiguration(keys), logger: logger) { await service.respond(to: $0) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await listener.run() }
            let access = try publish(port: try await listener.boundPort(), keys)
            group.addTask { try await EventExpiry(storage: store, clock: clock, logger: logger).run() }
            if configuration.runsControllers { group.addTask { try await runControllers(access) } }
            try await onReady(access)
            try await group.next()
        }
    }

    private func assemble(_ store: ObjectStore, _ keys: ControlPlaneKeys) async throws -> APIServer {
        let catalogue = ServedCatalogue()
        try await catalogue.reload(from: store)
        let addresses = ServiceAddresses()
        try await addresses.load(from: store)
        let tokens = ServiceAccountTokens(signing: SignedTokens(key: keys.tokenKey))
        let authority = keys.authority
        let authenticator = Authenticator(
            storage: store,
            certificates: { leaf, now in
                guard let facts = try? authority.verify(leaf, for: .client, at: now), !facts.commonName.isEmpty else { return nil }
                return UserIdentity(name: facts.commonName, groups: facts.organizations)
            }, tokens: tokens, clock: clock)
        return APIServer(
            storage: store, catalogue: catalogue, authenticator: authenticator, accessPolicy: StoredRoles(storage: store),
            admission: Admission(storage: store, clock: clock, addresses: addresses), tokens: tokens,
            address: "\(configuration.host):\(configuration.port)", clock: clock, logger: logger)
    }

    private func httpConfiguration(_ keys: ControlPlaneKeys) -> HTTPServerConfiguration {
        let tls = HTTPServerTLS(
            certificateChain: Array(PEMBlock.text(certificate: keys.server.certificate).utf8),
            privateKey: Redacted(Array(keys.server.key.pem.exposed.utf8)), clientCertificates: .requested)
        return HTTPServerConfiguration(host: configuration.host, port: configuration.port, tls: { tls })
    }

    /// Writes the kubeconfig, now that the port is known.
    private func publish(port: Int, _ keys: ControlPlaneKeys) throws -> Access {
        let host = ["0.0.0.0", "::", ""].contains(configuration.host) ? "127.0.0.1" : configuration.host
        let server = host.contains(":") ? "https://[\(host)]:\(port)" : "https://\(host):\(port)"
        let authority = PEMBlock.text(certificate: keys.authority.certificate)
        let kubeconfig = Kubeconfig.make(
            server: server, authority: authority, certificate: PEMBlock.text(certificate: keys.administrator.certificate),
            key: keys.administrator.key.pem, user: "kubernetes-admin")
        try DurableFile.write(YAML.text(kubeconfig), to: configuration.kubeconfigPath, mode: 0o600)
        return Access(server: server, port: port, kubeconfigPath: configuration.kubeconfigPath, authority: authority)
    }

    private func runControllers(_ access: Access) async throws {
        let client = try KubeClient(try ClusterAccess.kubeconfig(at: access.kubeconfigPath), logger: logger)
        do {
            try await ControlPlaneControllers(api: client, rootCertificate: access.authority, clock: clock, logger: logger).run()
            await client.shutdown()
        } catch {
            await client.shutdown()
            throw error
        }
    }
}

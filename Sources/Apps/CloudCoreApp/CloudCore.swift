package import CloudHub
import CloudStream
import DeliveryCore
import EdgeController
import HTTPServing
package import KubeMachinery
package import Logging
package import Primitives
package import Supervision
import SyncController
import Trust

/// The whole of cloudcore: one process that connects edge nodes to a Kubernetes API.
///
///     preparation (namespace, sync records, certificates) ──▶ listeners
///     monitor, EdgeController: from the start         SyncController: with the listeners
package struct CloudCore: Sendable {
    /// What this instance measures, as `/metrics` shows it.
    package let metrics = MetricsRegistry()
    /// What `/healthz` and `/readyz` answer.
    package let health = HealthRegistry()
    let configuration: CloudCoreConfiguration
    /// Every listener takes a free port, for several instances on one machine.
    package var usesFreePorts = false
    let api: any KubeAPI
    let kubernetesCA: String
    let clock: any MomentSource
    let logger: @Sendable (String) -> Logger
    private let opened: @Sendable (CloudHubListener.Ports) -> Void

    /// `kubernetesCA` is what nodes get that ask for the CA of the API, PEM; `logger` makes the logger of a module; `opened` is told the ports
    /// that nodes reach.
    package init(
        configuration: CloudCoreConfiguration, api: any KubeAPI, kubernetesCA: String = "", clock: any MomentSource = SystemClock(),
        logger: @escaping @Sendable (String) -> Logger, opened: @escaping @Sendable (CloudHubListener.Ports) -> Void = { _ in }
    ) {
        self.opened = opened
        self.configuration = configuration
        self.api = api
        self.kubernetesCA = kubernetesCA
        self.clock = clock
        self.logger = logger
    }

    /// Runs until `stop` yields a signal or a module fails. Throws `SupervisionError`.
    package func run(stop: AsyncStream<Int32>) async throws {
        let counted = HubMetrics(registry: metrics)
        let hub = CloudHub(api: api, clock: clock, configuration: hubConfiguration, metrics: counted, logger: logger("cloudhub"))
        var edge = EdgeController.Configuration()
        edge.allowsAllNodeRequests = configuration.allowsAllNodeRequests
        let edgeController =
            configuration.isEdgeControllerEnabled
            ? EdgeController(api: api, downlink: hub, configuration: edge, clock: clock, logger: logger("edgecontroller")) : nil
        let syncController =
            configuration.isSyncControllerEnabled
            ? SyncController(
                api: api, downlink: hub, informers: edgeController?.informers ?? [:], clock: clock, logger: logger("synccontroller")) : nil
        await hub.route(.edgeController, to: ControllerUplink(edgeController: edgeController, syncController: syncController))
        if let records = syncController?.records { await hub.lookUpRecords { resource, key in await records[resource]?.object(key) } }
        let modules = modules(hub, counted, edgeController, syncController)
        let policy: RestartPolicy = configuration.featureGates.isEnabled(.moduleRestart) ? .always : .never
        try await Supervisor(modules: modules, policy: policy, clock: clock, logger: logger("supervisor")).run(stop: stop)
    }

    private func modules(
        _ hub: CloudHub, _ counted: HubMetrics, _ edgeController: EdgeController?, _ syncController: SyncController?
    ) -> [Module] {
        let prepared = Gate()
        let monitor = MonitorServer(
            address: address(configuration.monitorAddress), health: health, metrics: metrics,
            connectedNodes: { await hub.connectedNodes().count },
            measure: { [metrics] in
                await hub.measure()
                guard let counts = await syncController?.counts else { return }
                metrics.gauge("kubeedge_synccontroller_records", help: "Sync records of the cluster.").set(Double(counts.records))
                metrics.gauge("kubeedge_synccontroller_records_open", help: "Sync records that are behind or wait for a comparison.")
                    .set(Double(counts.open))
            }, logger: logger("monitor"))
        var modules = [Module("monitor") { try await monitor.run() }, Module("memory") { try await CloudMemory.trim(clock: clock) }]
        let preparation = ClusterPreparation(api: api, clock: clock, logger: logger("cluster"))
        health.set("cluster", .starting("the cluster is being prepared"))
        modules.append(
            Module("cluster") { [health] in
                try await preparation.run { cause in health.set("cluster", .starting(cause)) }
                health.set("cluster", .ready)
                await prepared.open()
                // Done, but not over: a module that returns would be started again where restarts are on.
                try await Gate().pass()
            })
        if let edgeController {
            health.set("edgecontroller", .starting("the cluster's state is being read"))
            modules.append(
                Module("edgecontroller") { [health] in
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        group.addTask { try await edgeController.run() }
                        group.addTask {
                            await edgeController.synced()
                            if await edgeController.hasSynced { health.set("edgecontroller", .ready) }
                        }
                        try await group.waitForAll()
                    }
                })
        }
        if let syncController {
            modules.append(
                Module("synccontroller") {
                    try await prepared.pass()
                    try await syncController.run()
                })
        }
        if configuration.cloudHub.isEnabled {
            let listener = listener(hub, counted)
            health.set("cloudhub", .starting("the certificates are being prepared"))
            modules.append(
                Module("cloudhub") { [health, opened] in
                    try await prepared.pass()
                    try await listener.run { ports in
                        health.set("cloudhub", .ready)
                        opened(ports)
                    }
                })
        }
        if configuration.cloudStream.isEnabled { modules += streamModules(after: prepared) }
        return modules
    }

    var certificateConfiguration: CertificateAuthorityStore.Configuration {
        let settings = configuration.cloudHub
        var certificates = CertificateAuthorityStore.Configuration()
        certificates.authorityFile = settings.authorityFile
        certificates.authorityKeyFile = settings.authorityKeyFile
        certificates.certificateFile = settings.certificateFile
        certificates.privateKeyFile = settings.privateKeyFile
        certificates.names = settings.advertiseAddresses + settings.dnsNames
        return certificates
    }

    private func listener(_ hub: CloudHub, _ counted: HubMetrics) -> CloudHubListener {
        let settings = configuration.cloudHub
        var listener = CloudHubListener.Configuration()
        listener.certificates = certificateConfiguration
        listener.httpsHost = settings.https.host
        listener.httpsPort = address(settings.https).port
        listener.webSocketHost = settings.webSocket.host
        listener.webSocketPort = address(settings.webSocket).port
        listener.isWebSocketEnabled = settings.isWebSocketEnabled
        listener.nodeCertificateLifetime = settings.edgeCertificateLifetime
        listener.tokenRefreshInterval = settings.tokenRefreshInterval
        if settings.writeTimeout > .zero { listener.writeTime = settings.writeTimeout }
        return CloudHubListener(
            api: api, configuration: listener, clock: clock, metrics: counted, logger: logger("cloudhub"), admits: { await hub.admits($0) },
            serve: { channel, node, project, remote in await hub.serve(channel, node: node, project: project, remote: remote) })
    }

    private var hubConfiguration: CloudHub.Configuration {
        var hub = CloudHub.Configuration()
        hub.nodeLimit = configuration.cloudHub.nodeLimit
        hub.session.keepaliveTimeout = configuration.cloudHub.keepaliveInterval
        hub.kubernetesCA = kubernetesCA
        return hub
    }

    private func address(_ configured: NetworkAddress) -> NetworkAddress {
        NetworkAddress(host: configured.host, port: usesFreePorts ? 0 : configured.port)
    }
}

import ContainerRuntime
import DeliveryCore
import DevicePlugins
import EdgeHub
import EdgeStream
import EdgeTransport
import Edged
import KubeMachinery
import KubeletServer
package import Logging
import MetaManager
import NIOPosix
import ObjectStore
import PodCore
import Primitives
import Supervision
import Trust

/// edgecore put together: the store, the line to the cloud, the memory and the kubelet, under one supervisor.
package struct EdgeCore: Sendable {
    private let configuration: EdgeCoreConfiguration
    private let makeLogger: @Sendable (String) -> Logger

    /// `makeLogger` gives each module a logger of its own name.
    package init(configuration: EdgeCoreConfiguration, makeLogger: @escaping @Sendable (String) -> Logger) {
        self.configuration = configuration
        self.makeLogger = makeLogger
    }

    /// Runs until `stop` yields. Pods run on afterwards, and the next start adopts them.
    package func run(stop: AsyncStream<Int32>) async throws {
        let clock = SystemClock()
        var storage = ObjectStore.Configuration(path: configuration.databasePath)
        // The edge resumes no watch from history, and its objects are few.
        storage.historyLength = 0
        storage.cacheKilobytes = 256
        storage.replacesDamagedFile = true
        storage.predecessor = UpstreamRecords.table
        let store = try ObjectStore(storage, logger: makeLogger("store"))

        let certificates = try certificateApplication(clock)
        let relay = DownlinkRelay()
        let metrics = MetricsRegistry()
        let hub = EdgeHub(
            connect: try connector(certificates, StoreIdentity(store.identity)), downlink: relay, clock: clock, configuration: sessionConfiguration,
            metrics: LineMetrics(registry: metrics), logger: makeLogger("edgehub"))
        var memory = MetaManager.Configuration(nodeName: configuration.edged.nodeName)
        memory.writeTimeout = configuration.remoteQueryTimeout
        let manager = MetaManager(configuration: memory, store: store, uplink: hub, clock: clock, logger: makeLogger("metamanager"))
        relay.set(manager)
        let outbox = ReportOutbox(store: store, uplink: hub, clock: clock, logger: makeLogger("outbox"))

        var modules = [
            // A file that is found damaged is mended when it is opened: the program ends, and its next start goes on with what can be read.
            Module("store") { try await store.watchForDamage() }, Module("metamanager") { try await manager.run() },
            Module("outbox") { try await outbox.run() },
            Module("pages") { try await ProgramPages.keepFew(clock: clock) },
        ]
        if configuration.edgeHub.isEnabled {
            modules.append(
                Module("certificates") { try await certificates.run { await hub.reconnect("the certificate was renewed") } })
            modules.append(Module("edgehub") { try await hub.run() })
        }
        if configuration.edged.isEnabled {
            let events = EventRecorder(
                configuration: eventConfiguration, store: store, uplink: hub, clock: clock, logger: makeLogger("events"))
            modules.append(Module("events") { try await events.run() })
            modules += try kubelet(manager, events, metrics, clock) {
                var state = await hub.state
                state["held"] = await Self.counts(
                    store, ["pods": EdgeRecords.pods, "configMaps": EdgeRecords.configMaps, "secrets": EdgeRecords.secrets])
                state["waitingOnDisk"] = await Self.counts(
                    store,
                    [
                        "podStatuses": EdgeRecords.pendingStatuses, "podDeletions": EdgeRecords.pendingDeletions, "events": EdgeRecords.events,
                    ])
                return state
            }
        }
        if configuration.edgeStream.isEnabled { modules.append(try tunnel(certificates, clock)) }
        let policy: RestartPolicy = configuration.featureGates.isEnabled(.moduleRestart) ? .always : .never
        try await Supervisor(modules: modules, policy: policy, clock: clock, logger: makeLogger("supervisor")).run(stop: stop)
    }

    // MARK: - The line

    private var sessionConfiguration: EdgeSession.Configuration {
        var session = EdgeSession.Configuration()
        session.heartbeat = configuration.edgeHub.heartbeat
        session.messagesPerSecond = Double(configuration.edgeHub.messagesPerSecond)
        session.messageBurst = Double(configuration.edgeHub.messageBurst)
        return session
    }

    private func certificateApplication(_ clock: SystemClock) throws -> CertificateApplication {
        let hub = configuration.edgeHub
        var application = CertificateApplication.Configuration(
            nodeName: configuration.edged.nodeName,
            files: CertificateFiles(authority: hub.authorityFile, certificate: hub.certificateFile, key: hub.privateKeyFile),
            token: hub.token)
        application.rotates = hub.rotatesCertificates
        guard let server = PeerAddress(hub.httpServer) else {
            throw ConfigurationError(problems: [.invalid("httpServer", hub.httpServer, "must be https://host:port")])
        }
        return CertificateApplication(application, clock: clock, logger: makeLogger("certificates")) { question in
            let trust: ServerTrust =
                switch question.peer {
                case .unverified: .unverified
                case .authority(let der): .pinned(authority: der)
                }
            var exchange = HTTPSExchange(to: server.at(question.path), trust: trust, identity: question.identity.map(Self.identity))
            for (name, value) in question.headers { exchange.headers[name] = value }
            exchange.body = question.body
            let answer = try await exchange.send()
            return CertificateReply(status: answer.status, body: answer.body)
        }
    }

    private static func identity(_ pair: KeyPair) -> ClientIdentity {
        ClientIdentity(certificate: pair.certificate, privateKey: pair.key.der)
    }

    /// Opens the message connection with whatever certificate is current (`spec/01 §3.1`).
    private func connector(_ certificates: CertificateApplication, _ store: StoreIdentity) throws -> EdgeHub.Connect {
        let hub = configuration.edgeHub
        let node = configuration.edged.nodeName
        guard let server = hub.webSocketServer else {
            throw ConfigurationError(problems: [.required("websocket.server", "must be host:port of cloudcore")])
        }
        let address = PeerAddress(host: server.host, port: server.port, path: "/\(hub.projectID)/\(node)/events")
        var settings = WebSocketClient.Configuration()
        settings.handshakeTime = hub.handshakeTimeout
        settings.connection.writeTime = hub.writeDeadline
        return { [settings] in
            let content = try await certificates.current()
            return try await WebSocketClient.connect(
                to: address, headers: [("Node_id", node), ("Project_id", hub.projectID), ("Connectionuse", "msg")],
                capabilities: [PeerCapability.leases.rawValue, store.announcement], authority: content.authority,
                identity: Self.identity(content.pair),
                configuration: settings)
        }
    }

    /// The tunnel for logs and commands, opened with the certificate that is current at the time (`spec/01 §9.1`).
    private func tunnel(_ certificates: CertificateApplication, _ clock: SystemClock) throws -> Module {
        guard let server = configuration.edgeStream.server else {
            throw ConfigurationError(problems: [.required("edgeStream.server", "must be host:port of cloudcore's tunnels")])
        }
        let edged = configuration.edged
        var settings = WebSocketClient.Configuration()
        settings.handshakeTime = configuration.edgeStream.handshakeTimeout
        if configuration.edgeStream.writeDeadline > .zero { settings.connection.writeTime = configuration.edgeStream.writeDeadline }
        let address = PeerAddress(host: server.host, port: server.port, path: TunnelHeaders.path)
        var stream = EdgeTunnel.Configuration()
        stream.kubeletPort = edged.kubelet.int("readOnlyPort")
        let edge = EdgeTunnel(configuration: stream, clock: clock, logger: makeLogger("edgestream")) { [settings] in
            let content = try await certificates.current()
            return try await WebSocketClient.connect(
                to: address, headers: TunnelHeaders.node(edged.nodeName, address: edged.nodeIP), authority: content.authority,
                identity: Self.identity(content.pair), configuration: settings)
        }
        return Module("edgestream") { try await edge.run() }
    }

    /// How many records of each resource the store has; null where it cannot be read.
    private static func counts(_ store: ObjectStore, _ resources: KeyValuePairs<String, GroupResource>) async -> JSONValue {
        var counts: JSONValue = [:]
        for (name, resource) in resources {
            let page = try? await store.list(resource, namespace: nil, limit: nil, after: nil)
            counts[name] = page.map { .integer(Int64($0.objects.count)) } ?? .null
        }
        return counts
    }

    // MARK: - The kubelet

    private var eventConfiguration: EventRecorder.Configuration {
        var events = EventRecorder.Configuration(nodeName: configuration.edged.nodeName)
        events.receiver =
            switch configuration.edged.reportsEvents {
            case nil: .announced
            case true?: .any
            case false?: .nobody
            }
        return events
    }

    private func kubelet(
        _ manager: MetaManager, _ events: EventRecorder, _ registry: MetricsRegistry, _ clock: SystemClock,
        delivery: @escaping @Sendable () async -> JSONValue
    ) throws -> [Module] {
        let group = MultiThreadedEventLoopGroup.singleton
        let edged = configuration.edged
        let metrics = KubeletMetrics(registry: registry)
        let runtime = try CRIRuntime(
            endpoint: edged.runtimeEndpoint, group: group, requestTimeout: edged.kubelet.duration("runtimeRequestTimeout"), meter: metrics,
            logger: makeLogger("runtime"))
        let devices = DevicePluginHost(
            .init(registryDirectory: edged.rootDirectory + "/plugins_registry"), group: group, clock: clock, logger: makeLogger("devices"))
        let kubelet = try Edged(
            EdgedConfiguration(edged), runtime: runtime, backend: manager, handlers: NIOHandlerNetwork(group: group), events: events,
            meter: metrics, devices: devices, clock: clock, logger: makeLogger("edged"))
        var modules = [
            Module("runtime") { try await runtime.run() }, Module("devices") { try await devices.run() },
            Module("edged") { try await kubelet.run() },
        ]
        let serving = KubeletServerConfiguration(edged)
        if serving.port > 0 {
            let server = KubeletHTTPService(
                serving, view: kubelet.view, runtime: runtime, usage: kubelet.usage, metrics: metrics, delivery: delivery, clock: clock,
                logger: makeLogger("kubelet-server"))
            modules.append(Module("kubelet-server") { try await server.run() })
        }
        return modules
    }
}

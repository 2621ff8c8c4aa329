package import Logging
package import NIOPosix
package import PodCore
package import Primitives

/// The kubelet's device manager: plugins register on its socket or leave theirs in the registry directory, and containers get what plugins
/// answer for their devices (`spec/05 §29`).
///
/// Until a plugin comes there is a listening socket and a watched directory, nothing else. A plugin's connection lives as long as its
/// stream of devices; once that ends the devices count as unhealthy until the plugin registers again.
package actor DevicePluginHost: DeviceAllocator {
    package struct Configuration: Sendable {
        /// Where `kubelet.sock`, the plugins' sockets and the checkpoint are.
        package var directory: String
        /// `<root>/plugins_registry`.
        package var registryDirectory: String

        package init(registryDirectory: String, directory: String = "/var/lib/kubelet/device-plugins") {
            self.directory = directory
            self.registryDirectory = registryDirectory
        }
    }

    let configuration: Configuration
    let group: MultiThreadedEventLoopGroup
    let clock: any MomentSource
    let logger: Logger
    var ledger = DeviceLedger()
    var links: [String: PluginLink] = [:]
    /// Sockets of the registry directory that are dealt with, by path.
    var registrations: [String: PluginRegistration] = [:]
    private var jobs: AsyncStream<Job>.Continuation?

    /// What runs beside the manager until it is over.
    enum Job: Sendable {
        case link(PluginLink)
        case registration(PluginRegistration)
    }

    /// Reads the checkpoint, so that what containers hold is known before the first question.
    package init(_ configuration: Configuration, group: MultiThreadedEventLoopGroup, clock: any MomentSource, logger: Logger) {
        self.configuration = configuration
        self.group = group
        self.clock = clock
        self.logger = logger
        let path = "\(configuration.directory)/\(DeviceCheckpoint.fileName)"
        guard let bytes = CheckpointFile.read(path) else { return }
        if let checkpoint = DeviceCheckpoint(bytes) {
            ledger.restore(checkpoint.assignments, resources: Array(checkpoint.devices.keys), now: clock.now().uptime)
        } else {
            logger.warning(
                "device checkpoint is damaged and left out: containers that held devices keep them until they end, restarted ones get new ones",
                metadata: ["path": "\(path)"])
        }
    }

    /// Serves plugins until the task is cancelled. What stands in the way of the socket is logged and tried again, never thrown.
    package func run() async throws {
        let (jobs, continuation) = AsyncStream.makeStream(of: Job.self)
        self.jobs = continuation
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask { try await self.serve() }
            group.addTask { try await self.followRegistry() }
            for await job in jobs {
                switch job {
                case .link(let link): group.addTask { await self.live(link) }
                case .registration(let registration): group.addTask { await self.settle(registration) }
                }
            }
            group.cancelAll()
        }
        try Task.checkCancellation()
    }

    func begin(_ job: Job) { jobs?.yield(job) }

    private func serve() async throws {
        let server = RegistrationServer(directory: configuration.directory, group: group) { request throws(DeviceFailure) in
            try await self.register(request)
        }
        while true {
            do {
                try await server.run()
            } catch {
                try Task.checkCancellation()
                logger.warning("device plugins cannot register: tried again in a minute", metadata: ["error": "\(error)"])
            }
            try await clock.wait(until: clock.now().uptime + .seconds(60))
        }
    }

    /// A plugin has come by itself.
    private func register(_ request: V1beta1_RegisterRequest) async throws(DeviceFailure) {
        guard request.version == "v1beta1" else {
            throw DeviceFailure("requested API version \"\(request.version)\" is not supported by kubelet. Supported versions are [\"v1beta1\"]")
        }
        guard ResourceName.isExtended(request.resourceName) else {
            throw DeviceFailure("the ResourceName \"\(request.resourceName)\" is invalid")
        }
        guard !request.endpoint.isEmpty, !request.endpoint.contains("/") else {
            throw DeviceFailure("endpoint \"\(request.endpoint)\" is no name of a socket in \(configuration.directory)")
        }
        try await connect(request.resourceName, socket: "\(configuration.directory)/\(request.endpoint)")
    }

    // MARK: - What the kubelet asks

    package func resources() -> [String: DeviceAmount] {
        let (amounts, hasDropped) = ledger.amounts(now: clock.now().uptime)
        if hasDropped { writeCheckpoint() }
        return amounts
    }

    package func concerns(_ pod: PodView) -> Bool {
        (pod.initContainers + pod.containers).contains { $0.deviceRequests.contains { ledger.resources[$0.resource] != nil } }
    }

    package func admit(_ pod: PodView, active: Set<String>?) async throws(AdmissionRefusal) {
        if let active, ledger.retain(active.union([pod.uid])) { writeCheckpoint() }
        do {
            for container in pod.initContainers + pod.containers { try await assign(container, of: pod) }
        } catch {
            throw AdmissionRefusal(reason: "UnexpectedAdmissionError", message: "Allocate failed due to \(error), which is unexpected")
        }
    }

    package func grant(_ container: ContainerView, of pod: PodView) async throws(StartFailure) -> DeviceGrant {
        do { return try await wholeGrant(container, of: pod) } catch { throw .configuration(error.description) }
    }

    func writeCheckpoint() {
        let path = "\(configuration.directory)/\(DeviceCheckpoint.fileName)"
        do {
            try CheckpointFile.write(DeviceCheckpoint(ledger).bytes, to: path)
        } catch {
            logger.warning("device checkpoint not written: a restart forgets who holds which device", metadata: ["error": "\(error)"])
        }
    }
}

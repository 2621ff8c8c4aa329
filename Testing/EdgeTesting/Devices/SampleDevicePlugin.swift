import DevicePlugins
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import GRPCProtobuf
package import NIOPosix
import SwiftProtobuf

/// A device plugin over a real unix socket: devices that a test makes healthy or not, answers that tell which were given.
///
/// Each device brings the variable `SAMPLE_<resource name>` with the given IDs, and where `hostDirectory` is set a mount of it at `/devices`.
package actor SampleDevicePlugin {
    package nonisolated let resource: String
    package nonisolated let directory: String
    package nonisolated let endpoint: String
    /// What each `Allocate` asked for.
    package private(set) var allocations: [[String]] = []
    package private(set) var preStarts: [[String]] = []
    package private(set) var preferenceQuestions: [(available: [String], mustInclude: [String], size: Int)] = []
    private var devices: [String: Bool]
    private var preferred: [String] = []
    private var needsPreStart = false
    private var hostDirectory: String?
    private var failure: String?
    private var streams: [AsyncStream<V1beta1_ListAndWatchResponse>.Continuation] = []
    private let group: MultiThreadedEventLoopGroup

    /// - Parameters:
    ///   - directory: Where `kubelet.sock` is and the plugin opens its own socket.
    ///   - devices: IDs, and whether they are healthy.
    package init(_ resource: String, directory: String, endpoint: String = "sample.sock", devices: [String: Bool], group: MultiThreadedEventLoopGroup)
    {
        self.resource = resource
        self.directory = directory
        self.endpoint = endpoint
        self.devices = devices
        self.group = group
    }

    package nonisolated var socket: String { "\(directory)/\(endpoint)" }

    // MARK: - What a test tells it

    package func prefer(_ ids: [String]) { preferred = ids }
    package func wantPreStart() { needsPreStart = true }
    package func mount(_ directory: String) { hostDirectory = directory }
    /// Allocations are refused with these words; nil: they succeed.
    package func refuse(_ words: String?) { failure = words }

    package func setHealth(_ id: String, _ isHealthy: Bool) {
        devices[id] = isHealthy
        for stream in streams { stream.yield(list) }
    }

    /// Registers on the kubelet's socket; throws the kubelet's words where it refuses.
    package func register(version: String = "v1beta1") async throws {
        var request = V1beta1_RegisterRequest()
        request.version = version
        request.endpoint = endpoint
        request.resourceName = resource
        let transport = try HTTP2ClientTransport.Posix(
            target: .unixDomainSocket(path: "\(directory)/kubelet.sock"), transportSecurity: .plaintext, eventLoopGroup: group)
        var options = CallOptions.defaults
        options.timeout = .seconds(20)
        options.waitForReady = true
        try await withGRPCClient(transport: transport) { [request, options] client in
            let _: V1beta1_Empty = try await client.unary(
                request: ClientRequest(message: request),
                descriptor: MethodDescriptor(service: ServiceDescriptor(package: "v1beta1", service: "Registration"), method: "Register"),
                serializer: ProtobufSerializer<V1beta1_RegisterRequest>(), deserializer: ProtobufDeserializer<V1beta1_Empty>(), options: options,
                onResponse: { try $0.message })
        }
    }

    // MARK: - The service

    /// Serves until the task is cancelled.
    package nonisolated func run() async throws {
        var router = RPCRouter<HTTP2ServerTransport.Posix>()
        answer("GetDevicePluginOptions", in: &router) { (_: V1beta1_Empty) in await self.options }
        answer("GetPreferredAllocation", in: &router) { await self.preference($0) }
        answer("Allocate", in: &router) { try await self.allocate($0) }
        answer("PreStartContainer", in: &router) { await self.preStart($0) }
        router.registerHandler(
            forMethod: Self.method("ListAndWatch"), deserializer: ProtobufDeserializer<V1beta1_Empty>(),
            serializer: ProtobufSerializer<V1beta1_ListAndWatchResponse>()
        ) { _, _ in
            let lists = await self.watch()
            return StreamingServerResponse { writer in
                for await list in lists { try await writer.write(list) }
                return [:]
            }
        }
        let server = GRPCServer(
            transport: HTTP2ServerTransport.Posix(
                address: .unixDomainSocket(path: socket), transportSecurity: .plaintext, eventLoopGroup: group), router: router)
        try await server.serve()
    }

    private nonisolated func answer<Request: Message, Response: Message>(
        _ name: String, in router: inout RPCRouter<HTTP2ServerTransport.Posix>,
        _ body: @Sendable @escaping (Request) async throws -> Response
    ) {
        router.registerHandler(
            forMethod: Self.method(name), deserializer: ProtobufDeserializer<Request>(), serializer: ProtobufSerializer<Response>()
        ) { request, _ in
            let request = try await ServerRequest(stream: request)
            return StreamingServerResponse(single: ServerResponse(message: try await body(request.message)))
        }
    }

    private static func method(_ name: String) -> MethodDescriptor {
        MethodDescriptor(service: ServiceDescriptor(package: "v1beta1", service: "DevicePlugin"), method: name)
    }

    private var options: V1beta1_DevicePluginOptions {
        var options = V1beta1_DevicePluginOptions()
        options.preStartRequired = needsPreStart
        options.getPreferredAllocationAvailable = !preferred.isEmpty
        return options
    }

    private var list: V1beta1_ListAndWatchResponse {
        var list = V1beta1_ListAndWatchResponse()
        list.devices = devices.sorted { $0.key < $1.key }.map { id, isHealthy in
            var device = V1beta1_Device()
            device.id = id
            device.health = isHealthy ? "Healthy" : "Unhealthy"
            return device
        }
        return list
    }

    private func watch() -> AsyncStream<V1beta1_ListAndWatchResponse> {
        let (stream, continuation) = AsyncStream.makeStream(of: V1beta1_ListAndWatchResponse.self)
        continuation.yield(list)
        streams.append(continuation)
        return stream
    }

    private func preference(_ request: V1beta1_PreferredAllocationRequest) -> V1beta1_PreferredAllocationResponse {
        var answer = V1beta1_PreferredAllocationResponse()
        answer.containerResponses = request.containerRequests.map { question in
            preferenceQuestions.append((question.availableDeviceIds, question.mustIncludeDeviceIds, Int(question.allocationSize)))
            var response = V1beta1_ContainerPreferredAllocationResponse()
            response.deviceIds = preferred
            return response
        }
        return answer
    }

    private func allocate(_ request: V1beta1_AllocateRequest) throws -> V1beta1_AllocateResponse {
        if let failure { throw RPCError(code: .unknown, message: failure) }
        var answer = V1beta1_AllocateResponse()
        answer.containerResponses = request.containerRequests.map { question in
            allocations.append(question.devicesIds)
            var response = V1beta1_ContainerAllocateResponse()
            let name = resource.split(separator: "/").last.map { $0.uppercased() } ?? ""
            response.envs = ["SAMPLE_\(name)": question.devicesIds.joined(separator: ",")]
            response.annotations = ["sample/devices": question.devicesIds.joined(separator: ",")]
            if let hostDirectory {
                var mount = V1beta1_Mount()
                mount.containerPath = "/devices"
                mount.hostPath = hostDirectory
                mount.readOnly = true
                response.mounts = [mount]
                var device = V1beta1_DeviceSpec()
                device.containerPath = "/dev/sample"
                device.hostPath = "/dev/null"
                device.permissions = "rw"
                response.devices = [device]
            }
            return response
        }
        return answer
    }

    private func preStart(_ request: V1beta1_PreStartContainerRequest) -> V1beta1_PreStartContainerResponse {
        preStarts.append(request.devicesIds)
        return V1beta1_PreStartContainerResponse()
    }
}

/// A plugin's socket in a registry directory, that tells of a device plugin elsewhere.
package struct SamplePluginRegistration: Sendable {
    private let path: String
    private let plugin: SampleDevicePlugin
    private let type: String
    private let group: MultiThreadedEventLoopGroup
    private let outcome: AsyncStream<String>.Continuation
    /// What the kubelet said: empty where it has taken the plugin on.
    package let outcomes: AsyncStream<String>

    package init(path: String, plugin: SampleDevicePlugin, type: String = "DevicePlugin", group: MultiThreadedEventLoopGroup) {
        self.path = path
        self.plugin = plugin
        self.type = type
        self.group = group
        (outcomes, outcome) = AsyncStream.makeStream()
    }

    /// Serves until the task is cancelled.
    package func run() async throws {
        let service = ServiceDescriptor(package: "pluginregistration", service: "Registration")
        var router = RPCRouter<HTTP2ServerTransport.Posix>()
        router.registerHandler(
            forMethod: MethodDescriptor(service: service, method: "GetInfo"), deserializer: ProtobufDeserializer<Pluginregistration_InfoRequest>(),
            serializer: ProtobufSerializer<Pluginregistration_PluginInfo>()
        ) { _, _ in
            var information = Pluginregistration_PluginInfo()
            information.type = type
            information.name = plugin.resource
            information.endpoint = plugin.socket
            information.supportedVersions = ["v1beta1"]
            return StreamingServerResponse(single: ServerResponse(message: information))
        }
        router.registerHandler(
            forMethod: MethodDescriptor(service: service, method: "NotifyRegistrationStatus"),
            deserializer: ProtobufDeserializer<Pluginregistration_RegistrationStatus>(),
            serializer: ProtobufSerializer<Pluginregistration_RegistrationStatusResponse>()
        ) { request, _ in
            let status = try await ServerRequest(stream: request).message
            outcome.yield(status.pluginRegistered ? "" : status.error)
            return StreamingServerResponse(single: ServerResponse(message: Pluginregistration_RegistrationStatusResponse()))
        }
        let server = GRPCServer(
            transport: HTTP2ServerTransport.Posix(address: .unixDomainSocket(path: path), transportSecurity: .plaintext, eventLoopGroup: group),
            router: router)
        try await server.serve()
    }
}

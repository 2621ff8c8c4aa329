import GRPCCore
import GRPCNIOTransportHTTP2Posix
import GRPCProtobuf
import NIOPosix
import SwiftProtobuf

/// A gRPC client to one unix socket of a plugin.
struct PluginClient: Sendable {
    typealias Transport = HTTP2ClientTransport.Posix

    let client: GRPCClient<Transport>

    init(socket path: String, group: MultiThreadedEventLoopGroup) throws(DeviceFailure) {
        do { client = GRPCClient(transport: try Self.transport(path, group)) } catch {
            throw DeviceFailure("failed to dial device plugin with socketPath \(path): \(error)")
        }
    }

    private init(_ client: GRPCClient<Transport>) { self.client = client }

    /// Runs `body` with a connection that is gone afterwards.
    static func once<Answer: Sendable>(
        socket path: String, group: MultiThreadedEventLoopGroup, _ body: @Sendable (PluginClient) async throws -> Answer
    ) async throws -> Answer {
        try await withGRPCClient(transport: try transport(path, group)) { try await body(PluginClient($0)) }
    }

    private static func transport(_ path: String, _ group: MultiThreadedEventLoopGroup) throws -> Transport {
        var configuration = Transport.Config.defaults
        configuration.backoff = .init(initial: .milliseconds(100), max: .seconds(1), multiplier: 1.6, jitter: 0.2)
        configuration.connection.maxIdleTime = nil
        configuration.http2.authority = "localhost"
        return try Transport(
            target: .unixDomainSocket(path: path), transportSecurity: .plaintext, config: configuration, eventLoopGroup: group)
    }

    /// Keeps the connection until the task is cancelled or `close` is called.
    func run() async throws {
        try await withTaskCancellationHandler {
            try await client.runConnections()
        } onCancel: {
            client.beginGracefulShutdown()
        }
    }

    func close() { client.beginGracefulShutdown() }

    /// Calls one method. `waits`: for the plugin to open its socket, as far as the timeout goes.
    func call<Request: Message, Response: Message>(
        _ method: MethodDescriptor, _ request: Request, timeout: Duration, waits: Bool = false, as response: Response.Type = Response.self
    ) async throws(DeviceFailure) -> Response {
        var options = CallOptions.defaults
        options.timeout = timeout
        options.waitForReady = waits
        do {
            return try await client.unary(
                request: ClientRequest(message: request), descriptor: method, serializer: ProtobufSerializer<Request>(),
                deserializer: ProtobufDeserializer<Response>(), options: options, onResponse: { try $0.message })
        } catch {
            throw DeviceFailure(Self.words(error))
        }
    }

    /// Hands every list of devices over until the plugin ends the stream or goes away.
    func watch(_ body: @Sendable @escaping ([String: DeviceLedger.Device]) async -> Void) async throws {
        var options = CallOptions.defaults
        options.waitForReady = false
        try await client.serverStreaming(
            request: ClientRequest(message: V1beta1_Empty()), descriptor: .listAndWatch, serializer: ProtobufSerializer<V1beta1_Empty>(),
            deserializer: ProtobufDeserializer<V1beta1_ListAndWatchResponse>(), options: options
        ) { response in
            for try await message in response.messages {
                await body(Dictionary(message.devices.map { ($0.id, DeviceLedger.Device($0)) }, uniquingKeysWith: { $1 }))
            }
        }
    }

    /// As Go's gRPC prints an error: users know these words from the kubelet.
    private static func words(_ error: any Error) -> String {
        guard let error = error as? RPCError else { return "\(error)" }
        let code = "\(error.code)"
        return "rpc error: code = \(code.prefix(1).uppercased())\(code.dropFirst()) desc = \(error.message)"
    }
}

extension MethodDescriptor {
    private static func plugin(_ name: String) -> MethodDescriptor {
        MethodDescriptor(service: ServiceDescriptor(package: "v1beta1", service: "DevicePlugin"), method: name)
    }
    private static func registration(_ name: String) -> MethodDescriptor {
        MethodDescriptor(service: ServiceDescriptor(package: "pluginregistration", service: "Registration"), method: name)
    }

    static let register = MethodDescriptor(service: ServiceDescriptor(package: "v1beta1", service: "Registration"), method: "Register")
    static let options = plugin("GetDevicePluginOptions")
    static let listAndWatch = plugin("ListAndWatch")
    static let preferredAllocation = plugin("GetPreferredAllocation")
    static let allocate = plugin("Allocate")
    static let preStart = plugin("PreStartContainer")
    static let information = registration("GetInfo")
    static let notification = registration("NotifyRegistrationStatus")
}

import GRPCCore
import GRPCNIOTransportHTTP2Posix
import GRPCProtobuf
package import Logging
package import NIOCore
package import PodCore
import Primitives
import SwiftProtobuf

/// A container runtime that speaks CRI v1 over a unix socket (`spec/05 §6`), such as containerd.
///
/// Calls work while `run()` runs. A runtime that goes away is connected to again (after 100 ms, later 3 s); calls in between fail at once
/// with `unavailable`. Answers of more than 16 MiB are refused.
package struct CRIRuntime: Sendable {
    typealias Client = GRPCClient<HTTP2ClientTransport.Posix>

    let client: Client
    let limits: CallLimits
    private let meter: any KubeletMeter
    private let logger: Logger

    /// - Parameters:
    ///   - endpoint: `unix:///path` or a path.
    ///   - group: Where the connection lives; one thread is enough.
    ///   - requestTimeout: `runtimeRequestTimeout`; other deadlines are derived from it (`spec/05 §6.4`).
    ///   - meter: Takes the duration of every call.
    package init(
        endpoint: String, group: any EventLoopGroup, requestTimeout: Duration = .seconds(120), meter: any KubeletMeter = NoMeter(), logger: Logger
    ) throws(RuntimeFailure) {
        guard let path = Self.path(of: endpoint) else {
            throw RuntimeFailure(
                code: .failed,
                message: "container runtime endpoint \"\(endpoint)\" is no unix socket: give it as unix:///run/containerd/containerd.sock")
        }
        var configuration = HTTP2ClientTransport.Posix.Config.defaults
        configuration.backoff = .init(initial: .milliseconds(100), max: .seconds(3), multiplier: 1.6, jitter: 0.2)
        configuration.connection.maxIdleTime = nil
        configuration.http2.authority = "localhost"
        configuration.http2.targetWindowSize = 1 << 20
        configuration.channelDebuggingCallbacks.onCreateTCPConnection = { channel in
            channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(BandwidthPingFilter(), position: .first) }
        }
        do {
            let transport = try HTTP2ClientTransport.Posix(
                target: .unixDomainSocket(path: path), transportSecurity: .plaintext, config: configuration, eventLoopGroup: group)
            client = GRPCClient(transport: transport)
        } catch {
            throw RuntimeFailure(code: .failed, message: "container runtime endpoint \"\(endpoint)\": \(error)")
        }
        limits = CallLimits(request: requestTimeout)
        self.meter = meter
        self.logger = logger
    }

    /// Keeps the connection until the task is cancelled.
    package func run() async throws {
        try await withTaskCancellationHandler {
            try await client.runConnections()
        } onCancel: {
            client.beginGracefulShutdown()
        }
    }

    static func path(of endpoint: String) -> String? {
        if endpoint.hasPrefix("/") { return endpoint }
        guard endpoint.hasPrefix("unix://") else { return nil }
        let path = endpoint.dropFirst("unix://".count)
        return path.hasPrefix("/") ? String(path) : nil
    }
}

/// How long each kind of call may take.
struct CallLimits: Sendable {
    var request: Duration

    var sandboxStart: Duration { request * 2 }
    func stop(grace: Duration) -> Duration { grace + request + .seconds(120) }
    func execution(_ timeout: Duration?) -> Duration? { timeout.map { $0 + .seconds(120) } }
}

extension CRIRuntime {
    /// Calls one method. `timeout` nil: as long as it takes.
    func call<Request: Message, Response: Message>(
        _ method: CRIMethod, _ request: Request, timeout: Duration?, as response: Response.Type = Response.self
    ) async throws -> Response {
        var options = CallOptions.defaults
        options.timeout = timeout
        options.waitForReady = false
        options.maxResponseMessageBytes = 16 * 1024 * 1024
        let begin = ContinuousClock.now
        var hasFailed = true
        defer { meter.record(.runtimeCall(operation: method.operation, duration: ContinuousClock.now - begin, hasFailed: hasFailed)) }
        do {
            let answer = try await client.unary(
                request: ClientRequest(message: request), descriptor: method.descriptor, serializer: ProtobufSerializer<Request>(),
                deserializer: ProtobufDeserializer<Response>(), options: options, onResponse: { try $0.message })
            hasFailed = false
            return answer
        } catch {
            try Task.checkCancellation()
            let failure = RuntimeFailure(error, method: method)
            logger.debug("runtime call failed", metadata: ["method": "\(method.name)", "error": "\(failure)"])
            throw failure
        }
    }

    /// Calls one method with the usual deadline.
    func call<Request: Message, Response: Message>(
        _ method: CRIMethod, _ request: Request, as response: Response.Type = Response.self
    ) async throws -> Response {
        try await call(method, request, timeout: limits.request)
    }
}

/// A method of one of CRI's two services.
struct CRIMethod: Sendable {
    enum Service: String, Sendable { case runtime = "RuntimeService", image = "ImageService" }

    var service: Service
    var name: String

    static func runtime(_ name: String) -> CRIMethod { CRIMethod(service: .runtime, name: name) }
    static func image(_ name: String) -> CRIMethod { CRIMethod(service: .image, name: name) }

    /// The method as the kubelet's metrics name it: `ListPodSandbox` is `list_podsandbox`, `ExecSync` is `exec_sync`.
    var operation: String {
        var words = ""
        for character in name {
            let isSandbox = character == "S" && words.hasSuffix("pod")
            if character.isUppercase, !words.isEmpty, !isSandbox { words += "_" }
            words += character.lowercased()
        }
        return words
    }

    var descriptor: MethodDescriptor {
        MethodDescriptor(service: ServiceDescriptor(package: "runtime.v1", service: service.rawValue), method: name)
    }
}

extension RuntimeFailure {
    init(_ error: any Error, method: CRIMethod) {
        guard let error = error as? RPCError else {
            self.init(code: .unavailable, message: "container runtime did not answer \(method.name): \(error)")
            return
        }
        switch error.code {
        case .notFound: self.init(code: .notFound, message: error.message)
        case .resourceExhausted: self.init(code: .exhausted, message: error.message)
        case .deadlineExceeded: self.init(code: .timedOut, message: "\(method.name) timed out: \(error.message)")
        case .unavailable, .cancelled:
            self.init(code: .unavailable, message: "container runtime is not there (\(method.name)): \(error.message)")
        default: self.init(code: .failed, message: error.message)
        }
    }
}

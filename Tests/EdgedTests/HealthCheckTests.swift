import GRPCCore
import GRPCNIOTransportHTTP2Posix
import NIOPosix
import Primitives
import Testing

@testable import Edged

/// gRPC health checks against a server on 127.0.0.1.
@Suite struct HealthCheckTests {
    /// Bytes as they are.
    private struct Raw: MessageSerializer, MessageDeserializer {
        func serialize<Bytes: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Bytes { Bytes(message) }
        func deserialize<Bytes: GRPCContiguousBytes>(_ message: Bytes) throws -> [UInt8] { message.withUnsafeBytes { Array($0) } }
    }

    /// Answers with the status that the name of the service tells: `NOT` is not serving, `ERROR` an error, `SLEEP` says nothing.
    private func withServer(
        method: String = "Check", _ body: @Sendable @escaping (NIOHandlerNetwork, Int) async throws -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var router = RPCRouter<HTTP2ServerTransport.Posix>()
        router.registerHandler(
            forMethod: MethodDescriptor(service: ServiceDescriptor(package: "grpc.health.v1", service: "Health"), method: method),
            deserializer: Raw(), serializer: Raw()
        ) { request, _ in
            let request = try await ServerRequest(stream: request)
            guard request.metadata[stringValues: "user-agent"].contains("kube-probe/1.28") else {
                throw RPCError(code: .permissionDenied, message: "who asks?")
            }
            let answer: [UInt8]
            switch request.message {
            case []: answer = [0x08, 0x01]
            case [0x0A, 0x03] + "NOT".utf8: answer = [0x08, 0x02]
            case [0x0A, 0x07] + "UNKNOWN".utf8: answer = []
            case [0x0A, 0x05] + "SLEEP".utf8:
                // Until the caller has given up.
                await Signal().wait()
                answer = []
            default: throw RPCError(code: .notFound, message: "unknown service")
            }
            return StreamingServerResponse(single: ServerResponse(message: answer))
        }
        let transport = HTTP2ServerTransport.Posix(
            address: .ipv4(host: "127.0.0.1", port: 0), transportSecurity: .plaintext, eventLoopGroup: group)
        let server = GRPCServer(transport: transport, router: router)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try? await server.serve() }
            let port = try #require(try await transport.listeningAddress.ipv4?.port)
            try await body(NIOHandlerNetwork(group: group), port)
            tasks.cancelAll()
        }
        try await group.shutdownGracefully()
    }

    private func outcome(_ network: NIOHandlerNetwork, _ port: Int, _ service: String, timeout: Duration = .seconds(50)) async -> String {
        do {
            try await network.checkHealth(host: "127.0.0.1", port: port, service: service, timeout: timeout)
            return "serving"
        } catch { return "\(error)" }
    }

    @Test func `a service is healthy when it says so`() async throws {
        try await withServer { network, port in
            #expect(await outcome(network, port, "") == "serving")
            #expect(await outcome(network, port, "NOT") == "service unhealthy (responded with \"NOT_SERVING\")")
            #expect(await outcome(network, port, "UNKNOWN") == "service unhealthy (responded with \"UNKNOWN\")")
            #expect(await outcome(network, port, "other").hasPrefix("error: health rpc probe failed: "))
            #expect(await outcome(network, port, "SLEEP", timeout: .seconds(1)) == "timeout: health rpc did not complete within 1s")
        }
    }

    @Test func `what does not know the protocol, or is not there, is not healthy`() async throws {
        try await withServer(method: "Other") { network, port in
            #expect(
                await outcome(network, port, "").hasPrefix(
                    "error: this server does not implement the grpc health protocol (grpc.health.v1.Health)"))
            #expect(await outcome(network, 1, "", timeout: .seconds(5)).hasPrefix("timeout: failed to connect service \"127.0.0.1:1\" within 5s"))
        }
    }

    @Test func `a port that takes connections and says nothing ends with the timeout`() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server = try await ServerBootstrap(group: group).bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(server.localAddress?.port)
        let clock = ContinuousClock()
        let start = clock.now
        #expect(await outcome(NIOHandlerNetwork(group: group), port, "", timeout: .seconds(1)).hasPrefix("timeout: "))
        #expect(clock.now - start < .seconds(30))
        try await server.close()
        try await group.shutdownGracefully()
    }
}

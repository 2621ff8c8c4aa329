import GRPCCore
import GRPCNIOTransportHTTP2Posix
import NIOPosix
import Primitives

extension NIOHandlerNetwork {
    /// Plain-text gRPC on a connection of its own (`spec/05 §16.7`). Throws `EdgedFailure` unless the answer is SERVING.
    package func checkHealth(host: String, port: Int, service: String, timeout: Duration) async throws {
        func failure(_ message: String) -> EdgedFailure { EdgedFailure(code: .network, message: message) }
        let status: Int
        do {
            status = try await health(host, port, service, timeout)
        } catch let error as RPCError {
            try Task.checkCancellation()
            switch error.code {
            case .unimplemented:
                throw failure("error: this server does not implement the grpc health protocol (grpc.health.v1.Health): \(error.message)")
            case .deadlineExceeded: throw failure("timeout: health rpc did not complete within \(timeout.goText)")
            case .unavailable: throw failure("timeout: failed to connect service \"\(host):\(port)\" within \(timeout.goText): \(error.message)")
            default: throw failure("error: health rpc probe failed: \(error)")
            }
        }
        guard status == 1 else {
            let name = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"]
            throw failure("service unhealthy (responded with \"\(name.indices.contains(status) ? name[status] : String(status))\")")
        }
    }

    private func health(_ host: String, _ port: Int, _ service: String, _ timeout: Duration) async throws -> Int {
        var configuration = HTTP2ClientTransport.Posix.Config.defaults
        configuration.http2.authority = "\(host.contains(":") ? "[\(host)]" : host):\(port)"
        let transport = try HTTP2ClientTransport.Posix(
            target: host.contains(":") ? .ipv6(address: host, port: port) : .ipv4(address: host, port: port), transportSecurity: .plaintext,
            config: configuration, eventLoopGroup: group)
        let client = GRPCClient(transport: transport)
        var options = CallOptions.defaults
        options.timeout = timeout
        options.waitForReady = false
        return try await withThrowingTaskGroup(of: Int?.self) { [options] tasks in
            tasks.addTask {
                try await client.runConnections()
                return nil
            }
            tasks.addTask {
                try await client.unary(
                    request: ClientRequest(message: service, metadata: ["user-agent": "kube-probe/1.28"]),
                    descriptor: MethodDescriptor(
                        service: ServiceDescriptor(package: "grpc.health.v1", service: "Health"), method: "Check"),
                    serializer: HealthRequest(), deserializer: HealthResponse(), options: options, onResponse: { try $0.message })
            }
            // Whatever the answer is, the connection ends with it.
            defer { tasks.cancelAll() }
            while let result = try await tasks.next() { if let result { return result } }
            throw RPCError(code: .unavailable, message: "the connection was closed before there was an answer")
        }
    }
}

/// `HealthCheckRequest`: `service` as field 1.
private struct HealthRequest: MessageSerializer {
    func serialize<Bytes: GRPCContiguousBytes>(_ service: String) throws -> Bytes {
        guard !service.isEmpty else { return Bytes([]) }
        var bytes: [UInt8] = [0x0A]
        var length = UInt64(service.utf8.count)
        while length >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: length) | 0x80)
            length >>= 7
        }
        bytes.append(UInt8(length))
        return Bytes(bytes + Array(service.utf8))
    }
}

/// `HealthCheckResponse`: the enum `status` as field 1, a varint; absent it is 0.
private struct HealthResponse: MessageDeserializer {
    func deserialize<Bytes: GRPCContiguousBytes>(_ message: Bytes) throws -> Int {
        try message.withUnsafeBytes { bytes throws(RPCError) in
            if bytes.isEmpty { return 0 }
            guard bytes.count >= 2, bytes[0] == 0x08, bytes[1] < 0x80 else {
                throw RPCError(code: .internalError, message: "the answer is no HealthCheckResponse")
            }
            return Int(bytes[1])
        }
    }
}

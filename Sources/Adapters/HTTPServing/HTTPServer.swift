import Glibc
package import Logging
import NIOCore
import NIOPosix
import Synchronization

/// An HTTP/1.1 server, plain or over TLS, for everything in the house that listens.
///
///     let server = HTTPServer(HTTPServerConfiguration(host: "127.0.0.1", port: 0), logger: logger) { request in
///         .text(200, "you asked for \(request.target)")
///     }
///     async let serving: Void = server.run()
///     let port = try await server.boundPort()
///
/// One request of a connection is answered at a time. The handler runs in a task of `run()`; the task is cancelled when the client goes away, except
/// that WebSockets and raw streams end by themselves. What the handler throws becomes an answer: `HTTPServingError` its own, anything else 500.
package struct HTTPServer: Sendable {
    /// Answers one request.
    package typealias Handler = @Sendable (HTTPRequest) async throws -> HTTPResponse

    private let configuration: HTTPServerConfiguration
    private let logger: Logger
    private let handler: Handler
    private let port = Signal<Int>()
    private let connections = ConnectionCount()

    package init(_ configuration: HTTPServerConfiguration, logger: Logger, handler: @escaping Handler) {
        self.configuration = configuration
        self.logger = logger
        self.handler = handler
    }

    /// The port, once the server listens; throws what `run()` throws where it cannot.
    package func boundPort() async throws -> Int { try await port.value() }

    /// Listens and serves until the task is cancelled. Then handlers are cancelled, what they still return is written, and connections are closed.
    ///
    /// Throws `HTTPServingError` where the address or the certificate cannot be used. To be called once.
    package func run() async throws {
        let listener: NIOAsyncChannel<HTTPConnection, Never>
        do {
            listener = try await listen()
        } catch {
            port.resolve(.failure(error))
            throw error
        }
        port.resolve(.success(listener.channel.localAddress?.port ?? configuration.port))
        logger.info("http server is listening", metadata: ["address": "\(configuration.host):\(listener.channel.localAddress?.port ?? 0)"])
        do {
            try await listener.executeThenClose { inbound in
                try await withThrowingDiscardingTaskGroup { group in
                    for try await connection in inbound {
                        guard connections.add(limit: configuration.limits.connections) else {
                            logger.warning(
                                "connection refused: too many are open", metadata: ["limit": "\(configuration.limits.connections)"])
                            await connection.close()
                            continue
                        }
                        group.addTask {
                            // Not cancelled when the client goes: it ends at the end of its stream, so that nothing that came before is lost.
                            if let serve = await answer(on: connection) { await serve() }
                            connections.remove()
                        }
                    }
                    group.cancelAll()
                }
            }
        } catch is CancellationError {}
    }

    private func listen() async throws -> NIOAsyncChannel<HTTPConnection, Never> {
        let contexts = configuration.tls.map(TLSServerContexts.init)
        // A certificate that cannot be used is better known now than at the first connection.
        _ = try contexts?.makeHandler()
        do {
            return try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .serverChannelOption(.backlog, value: 1024)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .serverChannelInitializer { [logger] channel in
                    channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(AcceptErrors(logger: logger)) }
                }
                .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
                .bind(host: configuration.host.isEmpty ? "0.0.0.0" : configuration.host, port: configuration.port) {
                    [configuration, logger] channel in
                    channel.eventLoop.makeCompletedFuture {
                        do {
                            return try HTTPConnection(channel: channel, tls: try contexts?.makeHandler(), limits: configuration.limits)
                        } catch {
                            logger.error("connection refused: no tls", metadata: ["error": "\(error)"])
                            throw error
                        }
                    }
                }
        } catch let error as HTTPServingError {
            throw error
        } catch {
            throw Self.explain(error, configuration)
        }
    }

    private static func explain(_ error: any Error, _ configuration: HTTPServerConfiguration) -> HTTPServingError {
        let place = "port \(configuration.port) on \(configuration.host.isEmpty ? "every address" : configuration.host)"
        let code = (error as? IOError)?.errnoCode
        return switch code {
        case EADDRINUSE:
            HTTPServingError(
                code: .addressInUse,
                message: "\(place) is already in use: stop the program that listens there "
                    + "(`ss -ltnp 'sport = :\(configuration.port)'` names it) or configure another port")
        case EACCES:
            HTTPServingError(
                code: .addressUnavailable, message: "\(place) needs more rights: run as root or configure a port above 1023")
        case EADDRNOTAVAIL:
            HTTPServingError(
                code: .addressUnavailable, message: "\(place) cannot be used: the machine has no such address; configure one that `ip address` shows")
        default: HTTPServingError(code: .addressUnavailable, message: "\(place) cannot be used: \(error)")
        }
    }

    // MARK: - One connection

    /// Answers requests until the connection is used up or upgraded; then what is to be served on is returned, and nothing of HTTP is held.
    private func answer(on connection: HTTPConnection) async -> (@Sendable () async -> Void)? {
        for await exchange in connection.exchanges {
            switch await connection.whileOpen({ await answer(exchange, on: connection) }) {
            case .nextRequest: continue
            case .end: break
            case .upgraded(let serve): return serve
            }
            break
        }
        await connection.close()
        return nil
    }

    private func answer(_ exchange: HTTPExchange, on connection: HTTPConnection) async -> HTTPConnection.AfterAnswer {
        let response: HTTPResponse
        do {
            response = try await handler(exchange.request)
        } catch let error as HTTPServingError {
            response = error.response
        } catch is CancellationError {
            response = .text(503, "the server is stopping")
        } catch {
            logger.error(
                "request handler failed",
                metadata: ["method": "\(exchange.request.method)", "path": "\(exchange.request.path)", "error": "\(error)"])
            response = .text(500, "internal error")
        }
        do {
            return try await connection.answer(response, to: exchange)
        } catch {
            logger.debug(
                "answer was cut off",
                metadata: ["remote": "\(exchange.request.remoteAddress)", "path": "\(exchange.request.path)", "error": "\(error)"])
            return .end
        }
    }
}

private final class ConnectionCount: Sendable {
    private let open = Mutex(0)

    func add(limit: Int) -> Bool {
        open.withLock { open in
            guard open < limit else { return false }
            open += 1
            return true
        }
    }

    func remove() { open.withLock { $0 -= 1 } }
}

/// Keeps the listener alive when accepting fails for want of file descriptors or because a client has left already.
private final class AcceptErrors: ChannelInboundHandler {
    typealias InboundIn = any Channel
    private let logger: Logger

    init(logger: Logger) { self.logger = logger }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        logger.warning("connection could not be accepted", metadata: ["error": "\(error)"])
    }
}

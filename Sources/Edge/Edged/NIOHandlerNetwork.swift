package import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Primitives

/// Hooks and probes over real sockets: one short connection each, closed without lingering.
package struct NIOHandlerNetwork: HandlerNetwork {
    private let group: any EventLoopGroup

    /// - Parameter group: Where connections live; one thread is enough.
    package init(group: any EventLoopGroup) { self.group = group }

    package func connect(host: String, port: Int, timeout: Duration) async throws {
        let channel: any Channel
        do {
            channel = try await bootstrap(timeout).connect(host: host, port: port).get()
        } catch {
            throw EdgedFailure(code: .network, message: "dial tcp \(host):\(port): \(Self.words(error))")
        }
        // Whether closing works out says nothing about the peer.
        channel.close(promise: nil)
    }

    package func get(_ request: HandlerRequest, timeout: Duration) async throws -> HandlerAnswer {
        let loop = group.next()
        let answer = loop.makePromise(of: HandlerAnswer.self)
        let url = "\(request.usesTLS ? "https" : "http")://\(request.host):\(request.port)\(request.path)"
        let limit = loop.scheduleTask(in: TimeAmount(timeout)) {
            answer.fail(EdgedFailure(code: .network, message: "Get \"\(url)\": deadline exceeded (\(timeout)) while waiting for the answer"))
        }
        ClientBootstrap(group: loop)
            .connectTimeout(TimeAmount(timeout))
            .channelInitializer { channel in
                Self.setLinger(channel)
                return channel.eventLoop.makeCompletedFuture {
                    if request.usesTLS { try channel.pipeline.syncOperations.addHandler(try Self.tls()) }
                    try channel.pipeline.syncOperations.addHTTPClientHandlers(leftOverBytesStrategy: .dropBytes)
                    try channel.pipeline.syncOperations.addHandler(AnswerReader(request: request, answer: answer))
                }
            }
            .connect(host: request.host, port: request.port)
            .whenComplete { result in
                switch result {
                case .failure(let error): answer.fail(error)
                case .success(let channel):
                    answer.futureResult.whenComplete { _ in channel.close(promise: nil) }
                }
            }
        defer { limit.cancel() }
        do {
            return try await withTaskCancellationHandler {
                try await answer.futureResult.get()
            } onCancel: {
                answer.fail(CancellationError())
            }
        } catch let failure as EdgedFailure {
            throw failure
        } catch let error as CancellationError {
            throw error
        } catch {
            throw EdgedFailure(code: .network, message: "Get \"\(url)\": \(Self.words(error))")
        }
    }

    private func bootstrap(_ timeout: Duration) -> ClientBootstrap {
        ClientBootstrap(group: group)
            .connectTimeout(TimeAmount(timeout))
            .channelInitializer { channel in
                Self.setLinger(channel)
                return channel.eventLoop.makeSucceededVoidFuture()
            }
    }

    /// Many short connections must not pile up in TIME_WAIT (`spec/05 §16.8`).
    private static func setLinger(_ channel: any Channel) {
        _ = (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 1))
    }

    private static func tls() throws -> NIOSSLClientHandler {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        return try NIOSSLClientHandler(context: NIOSSLContext(configuration: configuration), serverHostname: nil)
    }

    private static func words(_ error: any Error) -> String {
        if let error = error as? NIOConnectionError, let first = error.connectionErrors.first { return "\(first.error)" }
        return "\(error)"
    }
}

/// Sends one request and gives the head of the answer to a promise.
private final class AnswerReader: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let request: HandlerRequest
    private let answer: EventLoopPromise<HandlerAnswer>

    init(request: HandlerRequest, answer: EventLoopPromise<HandlerAnswer>) {
        self.request = request
        self.answer = answer
    }

    func channelActive(context: ChannelHandlerContext) {
        var headers = HTTPHeaders()
        let hasHost = request.headers.keys.contains { $0.lowercased() == "host" }
        if !hasHost { headers.add(name: "Host", value: "\(request.host):\(request.port)") }
        for (name, value) in request.headers.sorted(by: { $0.key < $1.key }) where !(name == "Accept" && value.isEmpty) {
            headers.replaceOrAdd(name: name, value: value)
        }
        headers.add(name: "Connection", value: "close")
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: request.path, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(let head) = unwrapInboundIn(data) else { return }
        answer.succeed(HandlerAnswer(status: Int(head.status.code), location: head.headers.first(name: "location")))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        answer.fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        answer.fail(EdgedFailure(code: .network, message: "the connection was closed before there was an answer"))
        context.fireChannelInactive()
    }
}

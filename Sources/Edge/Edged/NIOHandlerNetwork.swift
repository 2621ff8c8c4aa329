import NIOCore
import NIOHTTP1
package import NIOPosix
import NIOSSL
import Primitives

/// Hooks and probes over real sockets: one short connection each, closed without lingering.
package struct NIOHandlerNetwork: HandlerNetwork {
    /// What is read of an answer's body before it is good enough.
    static let bodyLimit = 10 << 10
    static let redirectLimit = 10

    let group: MultiThreadedEventLoopGroup

    /// - Parameter group: Where connections live; one thread is enough.
    package init(group: MultiThreadedEventLoopGroup) { self.group = group }

    package func connect(host: String, port: Int, timeout: Duration) async throws {
        let channel: any Channel
        do {
            channel = try await ClientBootstrap(group: group)
                .connectTimeout(TimeAmount(timeout))
                .channelInitializer { channel in
                    Self.setLinger(channel)
                    return channel.eventLoop.makeSucceededVoidFuture()
                }
                .connect(host: host, port: port).get()
        } catch {
            throw EdgedFailure(code: .network, message: "dial tcp \(host.contains(":") ? "[\(host)]" : host):\(port): \(Self.words(error))")
        }
        // Whether closing works out says nothing about the peer.
        channel.close(promise: nil)
    }

    package func get(_ request: HandlerRequest, timeout: Duration) async throws -> HandlerAnswer {
        let deadline = NIODeadline.now() + TimeAmount(timeout)
        var request = request
        var answer = try await ask(request, deadline, timeout)
        for _ in 0..<Self.redirectLimit {
            guard [301, 302, 303, 307, 308].contains(answer.status), let location = answer.location,
                let next = request.redirected(to: location)
            else { return answer }
            request = next
            answer = try await ask(request, deadline, timeout)
        }
        guard [301, 302, 303, 307, 308].contains(answer.status), let location = answer.location, request.redirected(to: location) != nil else {
            return answer
        }
        throw EdgedFailure(code: .network, message: "Get \"\(location)\": stopped after \(Self.redirectLimit) redirects")
    }

    /// One request and its answer, without following anything.
    private func ask(_ request: HandlerRequest, _ deadline: NIODeadline, _ timeout: Duration) async throws -> HandlerAnswer {
        let loop = group.next()
        let answer = loop.makePromise(of: HandlerAnswer.self)
        ClientBootstrap(group: loop)
            .connectTimeout(max(deadline - NIODeadline.now(), .milliseconds(1)))
            .channelInitializer { channel in
                Self.setLinger(channel)
                return channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    let reader = AnswerReader(request: request, answer: answer, deadline: deadline, timeout: timeout)
                    if request.usesTLS { try pipeline.addHandlers([PlainAnswerDetector(reader), try Self.tls(request.host)]) }
                    try pipeline.addHTTPClientHandlers(leftOverBytesStrategy: .dropBytes)
                    try pipeline.addHandler(reader)
                }
            }
            .connect(host: request.host, port: request.port)
            .whenComplete { result in
                switch result {
                case .failure(let error):
                    let cause = "dial tcp \(request.authority): \(Self.words(error))"
                    answer.fail(EdgedFailure(code: .network, message: "Get \"\(request.url)\": \(cause)"))
                case .success(let channel):
                    answer.futureResult.whenComplete { _ in channel.close(promise: nil) }
                }
            }
        return try await withTaskCancellationHandler {
            try await answer.futureResult.get()
        } onCancel: {
            answer.fail(CancellationError())
        }
    }

    /// Many short connections must not pile up in TIME_WAIT (`spec/05 §16.8`).
    private static func setLinger(_ channel: any Channel) {
        _ = (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 1))
    }

    private static func tls(_ host: String) throws -> NIOSSLClientHandler {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        configuration.minimumTLSVersion = .tlsv12
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        return try NIOSSLClientHandler(context: NIOSSLContext(configuration: configuration), serverHostname: isAddress ? nil : host)
    }

    static func words(_ error: any Error) -> String {
        if let error = error as? NIOConnectionError, let first = error.connectionErrors.first { return "\(first.error)" }
        return "\(error)"
    }
}

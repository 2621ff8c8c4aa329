package import HTTPServing
import NIOCore
import NIOHTTP1

/// One HTTPS request on a connection of its own: what an edge needs to get its certificates.
package struct HTTPSExchange: Sendable {
    package var address: PeerAddress
    package var method = "GET"
    package var headers: HTTPFields = [:]
    /// Sent with any method, a GET too (`spec/01 §2.5`).
    package var body: [UInt8] = []
    package var trust: ServerTrust
    package var identity: ClientIdentity?
    /// For the whole exchange.
    package var time: Duration = .seconds(30)
    /// The longest answer in bytes.
    package var answerBytes = 1024 * 1024

    package init(to address: PeerAddress, trust: ServerTrust, identity: ClientIdentity? = nil) {
        self.address = address
        self.trust = trust
        self.identity = identity
    }

    /// What the server said.
    package struct Answer: Sendable {
        package var status: Int
        package var headers: HTTPFields
        package var body: [UInt8]

        /// The body as one line for an error message.
        package var text: String {
            String(decoding: body.prefix(1024), as: UTF8.self).split(whereSeparator: \.isNewline).joined(separator: " ")
        }
    }

    /// Sends the request and returns the whole answer, whatever its status. Throws `TransportError`.
    package func send() async throws -> Answer {
        let tls = try ClientTLS(address: address, trust: trust, identity: identity)
        return try await ConnectionAttempt<Answer>(address: address).run(within: time) { channel, promise in
            try channel.pipeline.syncOperations.addHandlers(
                [
                    try tls.makeHandler(), HTTPRequestEncoder(), ByteToMessageHandler(HTTPResponseDecoder()), ExchangeHandler(self, promise),
                ] as [any ChannelHandler])
        }
    }
}

private final class ExchangeHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let exchange: HTTPSExchange
    private let promise: EventLoopPromise<HTTPSExchange.Answer>
    private var answer: HTTPSExchange.Answer?

    init(_ exchange: HTTPSExchange, _ promise: EventLoopPromise<HTTPSExchange.Answer>) {
        self.exchange = exchange
        self.promise = promise
    }

    func channelActive(context: ChannelHandlerContext) {
        var headers = HTTPHeaders([("Host", exchange.address.authority)])
        for field in exchange.headers { headers.add(name: field.name, value: field.value) }
        if !exchange.body.isEmpty { headers.replaceOrAdd(name: "Content-Length", value: String(exchange.body.count)) }
        headers.replaceOrAdd(name: "Connection", value: "close")
        let head = HTTPRequestHead(version: .http1_1, method: .RAW(value: exchange.method), uri: exchange.address.path, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if !exchange.body.isEmpty { context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: exchange.body)))), promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            answer = HTTPSExchange.Answer(
                status: Int(head.status.code), headers: HTTPFields(head.headers.map { ($0.name, $0.value) }), body: [])
            // No need to take what is known to be too much.
            let length = head.headers.first(name: "Content-Length").flatMap { Int($0) } ?? 0
            if length > exchange.answerBytes, exchange.method != "HEAD" { refuse(context) }
        case .body(let bytes):
            answer?.body.append(contentsOf: bytes.readableBytesView)
            if let count = answer?.body.count, count > exchange.answerBytes { refuse(context) }
        case .end:
            if let answer { promise.succeed(answer) }
            context.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { fail(context, ClientTLS.explain(error, exchange.address)) }

    func channelInactive(context: ChannelHandlerContext) {
        promise.fail(TransportError(code: .closed, message: "\(exchange.address.authority) closed the connection before its answer was whole"))
        context.fireChannelInactive()
    }

    private func refuse(_ context: ChannelHandlerContext) {
        fail(
            context,
            TransportError(code: .messageTooLarge, message: "the answer of \(exchange.address) is larger than \(exchange.answerBytes) bytes"))
    }

    /// What still comes while the connection closes is dropped.
    private func fail(_ context: ChannelHandlerContext, _ error: TransportError) {
        answer = nil
        promise.fail(error)
        context.close(promise: nil)
    }
}

import NIOCore
import NIOHTTP1

/// Sends one request and gives the answer to a promise once its body has ended, or been read as far as anyone cares.
final class AnswerReader: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    let answer: EventLoopPromise<HandlerAnswer>
    private let request: HandlerRequest
    private let deadline: NIODeadline
    private let timeout: Duration
    private var limit: Scheduled<Void>?
    private var head: HandlerAnswer?
    private var length = 0

    /// - Parameters:
    ///   - deadline: When the whole answer has to be there.
    ///   - timeout: The time that was given for it, for the message.
    init(request: HandlerRequest, answer: EventLoopPromise<HandlerAnswer>, deadline: NIODeadline, timeout: Duration) {
        self.request = request
        self.answer = answer
        self.deadline = deadline
        self.timeout = timeout
    }

    func handlerAdded(context: ChannelHandlerContext) {
        limit = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.fail(.network, "Get \"\(self.request.url)\": deadline exceeded (\(self.timeout)) while waiting for the answer")
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { limit?.cancel() }

    /// The answer will not come. Where it has begun already its rest is what is missing.
    func fail(_ code: EdgedFailure.Code, _ message: String) {
        answer.fail(EdgedFailure(code: head == nil ? code : .unreadableAnswer, message: message))
    }

    func channelActive(context: ChannelHandlerContext) {
        var headers = HTTPHeaders()
        let host = request.headers.first { $0.name.lowercased() == "host" && !$0.value.isEmpty }?.value
        headers.add(name: "Host", value: host ?? request.authority)
        for header in request.headers where header.name.lowercased() != "host" { headers.add(name: header.name, value: header.value) }
        headers.replaceOrAdd(name: "Connection", value: "close")
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: request.path, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            // What comes before the answer proper (100, 103) is none.
            guard head.status.code >= 200 || head.status.code == 101 else { return }
            self.head = HandlerAnswer(status: Int(head.status.code), location: head.headers.first(name: "location"))
        case .body(let bytes):
            length += bytes.readableBytes
            if let head, head.location != nil { self.head?.body += String(buffer: bytes) }
            if length >= NIOHandlerNetwork.bodyLimit { finish() }
        case .end: finish()
        }
    }

    private func finish() { if let head { answer.succeed(head) } }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(.network, "Get \"\(request.url)\": \(NIOHandlerNetwork.words(error))")
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(.network, "Get \"\(request.url)\": the connection was closed before there was an answer")
        context.fireChannelInactive()
    }
}

/// Notices a server that speaks plain HTTP where TLS was expected.
final class PlainAnswerDetector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let reader: AnswerReader
    private var isFirst = true

    init(_ reader: AnswerReader) { self.reader = reader }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isFirst {
            isFirst = false
            let bytes = unwrapInboundIn(data)
            if bytes.getString(at: bytes.readerIndex, length: min(5, bytes.readableBytes)) == "HTTP/" {
                reader.fail(.plainAnswer, "http: server gave HTTP response to HTTPS client")
                context.close(promise: nil)
                return
            }
        }
        context.fireChannelRead(data)
    }
}

import NIOCore
import NIOHTTP1
import NIOSSL

/// The server side of one HTTP/1.1 connection on its event loop.
///
///     head ──▶ body ──▶ answering ──▶ head …        one request at a time; early ones wait in `pending`
///       │        │          ├──▶ draining ──▶ closed   answered before the body had come
///       └────────┴──────────┴──▶ closed                a bad request, a timeout, the client gone
///
/// Requests go out through `exchanges`; the task that answers them calls back on the event loop.
final class HTTPConnectionHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    enum Phase { case head, body, answering, draining, closed }

    let limits: HTTPServerLimits
    let exchanges: AsyncStream<HTTPExchange>.Continuation
    /// Resolved when the client is gone.
    let closed = Signal<Void>()
    var phase = Phase.head
    var context: ChannelHandlerContext?
    private var pending: [HTTPServerRequestPart] = []
    private var pendingBytes = 0
    private var body: BoundedInbox<[UInt8]>?
    private var bodyBytes = 0
    /// What came of the body with its framing, and with some of the head.
    private var framedBytes = 0
    private var isBodyPaused = false
    private var isReadWanted = false
    private var timer: Scheduled<Void>?
    private var hasHeadBegun = false
    private var headBytes = 0
    private var lastProgress = NIODeadline.now()
    private var bodyDeadline = NIODeadline.now()
    private var peerCertificate: [UInt8]?
    private var isPeerKnown = false
    private var isSecure = false
    private var drained = 0
    private var isUpgradeAsked = false

    init(limits: HTTPServerLimits, exchanges: AsyncStream<HTTPExchange>.Continuation) {
        self.limits = limits
        self.exchanges = exchanges
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        arm(after: limits.headerTime) { $0.headerTimeIsOver() }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        exchanges.finish()
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        phase = .closed
        timer?.cancel()
        closed.resolve(.success(()))
        body?.finish(throwing: HTTPServingError(code: .connectionClosed, message: "the client closed the connection within the request body"))
        exchanges.finish()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case let error as HTTPParserError where phase == .head || phase == .body:
            let isTooLarge = error == .headerOverflow
            refuse(
                isTooLarge
                    ? HTTPServingError(code: .headerTooLarge, message: "the request header is larger than \(limits.headerBytes) bytes")
                    : HTTPServingError(code: .badRequest, message: "malformed HTTP request"))
        // What comes behind an answer that is out is not looked at.
        case is HTTPParserError where phase == .draining: break
        // The decoder has said what is wrong before; what still comes must not cut off the answer.
        case ByteToMessageDecoderError.dataReceivedInErrorState where phase == .body || phase == .draining: break
        case NIOSSLError.uncleanShutdown: break
        default: context.close(promise: nil)
        }
    }

    // MARK: - What comes in

    /// Bytes of the socket that the decoder has just seen.
    func didReceive(bytes: Int) {
        // Behind an upgrade request the decoder keeps what comes for the next protocol.
        if phase == .answering, isUpgradeAsked { pendingBytes += bytes }
        switch phase {
        case .head: didReceiveHead(bytes)
        case .body:
            framedBytes += bytes
            // Chunks of one byte have six with their framing; the parameters of a chunk may have no end.
            guard framedBytes - bodyBytes > 2 * limits.headerBytes + 16 * bodyBytes else { return }
            stopBody(HTTPServingError(code: .badRequest, message: "the request body is all framing"))
        case .draining:
            drained += bytes
            if drained > 1 << 20 { close() }
        case .answering, .closed: break
        }
    }

    private func didReceiveHead(_ bytes: Int) {
        if !hasHeadBegun {
            hasHeadBegun = true
            headBytes = 0
            arm(after: limits.headerTime) { $0.headerTimeIsOver() }
        }
        headBytes += bytes
        if headBytes > limits.headerBytes {
            refuse(HTTPServingError(code: .headerTooLarge, message: "the request header is larger than \(limits.headerBytes) bytes"))
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        switch phase {
        case .head, .body: process(part)
        case .answering:
            pending.append(part)
            if case .body(let bytes) = part { pendingBytes += bytes.readableBytes } else { pendingBytes += 512 }
        case .draining: drain(part)
        case .closed: break
        }
    }

    func read(context: ChannelHandlerContext) {
        if isBodyPaused || pendingBytes > limits.headerBytes { isReadWanted = true } else { context.read() }
    }

    private func resumeReading() {
        lastProgress = .now()
        guard isReadWanted, !isBodyPaused, pendingBytes <= limits.headerBytes else { return }
        isReadWanted = false
        context?.read()
    }

    private func process(_ part: HTTPServerRequestPart) {
        switch part {
        case .head(let head): begin(head)
        case .body(let bytes): take(bytes)
        case .end:
            guard phase == .body else { return }
            timer?.cancel()
            isBodyPaused = false
            body?.finish()
            body = nil
            phase = .answering
        }
    }

    private func begin(_ head: HTTPRequestHead) {
        guard let context else { return }
        hasHeadBegun = false
        if let refusal = RequestHeadRules.refusal(of: head, limits: limits) { return refuse(refusal) }
        let hasBody = head.headers.contains(name: "Transfer-Encoding") || (head.headers.first(name: "Content-Length") ?? "0") != "0"
        let isWaitingForContinue = head.headers.first(name: "Expect")?.lowercased() == "100-continue"
        isUpgradeAsked = head.headers.contains(name: "Upgrade")
        phase = .body
        (bodyBytes, framedBytes) = (0, 0)
        timer?.cancel()
        if hasBody {
            let loop = NIOLoopBound(self, eventLoop: context.eventLoop)
            let eventLoop = context.eventLoop
            body = BoundedInbox(limit: 256 * 1024) { eventLoop.execute { loop.value.bodyIsWanted() } }
            lastProgress = .now()
            bodyDeadline = lastProgress + TimeAmount(limits.bodyTime)
            watchBody(after: bodyStep)
            if isWaitingForContinue {
                context.writeAndFlush(wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .continue))), promise: nil)
            }
        }
        let request = HTTPRequest(
            method: head.method.rawValue, target: head.uri, headers: HTTPFields(head.headers.map { ($0.name, $0.value) }),
            peerCertificate: certificateOfPeer(context), remoteAddress: Self.text(context.remoteAddress), isSecure: isSecure,
            body: body.map { HTTPBody($0) } ?? .empty)
        exchanges.yield(HTTPExchange(request: request, version: head.version, isKeptAlive: head.isKeepAlive && !isUpgradeAsked))
    }

    private func take(_ bytes: ByteBuffer) {
        bodyBytes += bytes.readableBytes
        lastProgress = .now()
        if bodyBytes > limits.bodyBytes {
            return stopBody(HTTPServingError(code: .bodyTooLarge, message: "the request body is larger than \(limits.bodyBytes) bytes"))
        }
        if body?.offer(Array(buffer: bytes), cost: bytes.readableBytes) == false { isBodyPaused = true }
    }

    /// The handler hears why; nothing more is read until it has answered.
    private func stopBody(_ error: HTTPServingError) {
        body?.finish(throwing: error)
        isBodyPaused = true
    }

    private func bodyIsWanted() {
        isBodyPaused = false
        resumeReading()
    }

    private func certificateOfPeer(_ context: ChannelHandlerContext) -> [UInt8]? {
        if !isPeerKnown, let handler = try? context.pipeline.syncOperations.handler(type: NIOSSLServerHandler.self) {
            peerCertificate = try? handler.peerCertificate?.toDERBytes()
            isSecure = true
        }
        isPeerKnown = true
        return peerCertificate
    }

    static func text(_ address: SocketAddress?) -> String {
        guard let host = address?.ipAddress, let port = address?.port else { return "" }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    // MARK: - Time

    private func arm(after time: Duration, _ act: @escaping @Sendable (HTTPConnectionHandler) -> Void) {
        timer?.cancel()
        guard let context else { return }
        let loop = NIOLoopBound(self, eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(in: TimeAmount(time)) { act(loop.value) }
    }

    private func headerTimeIsOver() {
        guard phase == .head else { return }
        guard hasHeadBegun else { return close() }
        refuse(HTTPServingError(code: .timedOut, message: "the request header took longer than \(limits.headerTime)"))
    }

    private var bodyStep: Duration { min(limits.bodyPause, limits.bodyTime) }

    private func watchBody(after time: Duration) {
        arm(after: time) { handler in
            guard handler.phase == .body else { return }
            let step = handler.bodyStep
            guard !handler.isBodyPaused else {
                // The client waits for the handler here, not the other way round.
                handler.bodyDeadline = handler.bodyDeadline + TimeAmount(step)
                return handler.watchBody(after: step)
            }
            let now = NIODeadline.now()
            let pauseLeft = TimeAmount(handler.limits.bodyPause) - (now - handler.lastProgress)
            let left = min(pauseLeft, handler.bodyDeadline - now)
            if left > .zero { return handler.watchBody(after: .nanoseconds(left.nanoseconds)) }
            let cause =
                pauseLeft > .zero
                ? "the request body took longer than \(handler.limits.bodyTime)" : "no byte of the request body came for \(handler.limits.bodyPause)"
            handler.body?.finish(throwing: HTTPServingError(code: .timedOut, message: cause))
        }
    }

    // MARK: - Ends

    /// Answers a request that never reached a handler, and closes.
    private func refuse(_ error: HTTPServingError) {
        guard let context, phase == .head || phase == .body else { return }
        guard body == nil else {
            body?.finish(throwing: error)
            return
        }
        let answer = error.response
        phase = .draining
        guard case .bytes(let bytes) = answer.content else { return close() }
        var head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: answer.status))
        for field in answer.headers { head.headers.add(name: field.name, value: field.value) }
        head.headers.add(name: "Content-Length", value: String(bytes.count))
        head.headers.add(name: "Connection", value: "close")
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: bytes)))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        linger()
    }

    /// The answer is written; on to the next request, or out.
    func finishExchange(isKeptAlive: Bool) {
        switch phase {
        case .body:
            phase = .draining
            isBodyPaused = false
            body?.finish()
            body = nil
            linger()
            resumeReading()
        case .answering where isKeptAlive:
            phase = .head
            hasHeadBegun = false
            arm(after: limits.idleTime) { $0.headerTimeIsOver() }
            let parts = pending
            pending = []
            pendingBytes = 0
            for (index, part) in parts.enumerated() {
                guard phase == .head || phase == .body else {
                    pending = Array(parts[index...]) + pending
                    break
                }
                process(part)
            }
            resumeReading()
        default: close()
        }
    }

    /// Lets the client read the answer before the connection closes, as closing over unread bytes would destroy it.
    private func linger() {
        context?.close(mode: .output, promise: nil)
        arm(after: .seconds(2)) { $0.close() }
    }

    private func drain(_ part: HTTPServerRequestPart) {
        if case .end = part { close() }
    }

    func close() {
        guard phase != .closed else { return }
        phase = .closed
        timer?.cancel()
        body?.finish(throwing: HTTPServingError(code: .connectionClosed, message: "the connection was closed"))
        context?.close(promise: nil)
    }
}

import NIOCore
import NIOWebSocket
import Synchronization

/// A sum that one side adds to and others read.
final class ByteCount: Sendable {
    private let sum = Atomic<Int>(0)

    var value: Int { sum.load(ordering: .relaxed) }

    func add(_ count: Int) { sum.wrappingAdd(count, ordering: .relaxed) }
}

/// Notes when bytes come, ahead of the frame decoder: a large frame on a slow link is no silence.
final class ActivityWatch: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    /// How often the connection was looked at since the last bytes. Counting looks instead of time forgives a loop that was held up itself.
    private(set) var silentLooks = 0
    let received = ByteCount()

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        silentLooks = 0
        let bytes = unwrapInboundIn(data)
        received.add(bytes.readableBytes)
        context.fireChannelRead(wrapInboundOut(bytes.compact(context.channel.allocator)))
    }

    func look() { silentLooks += 1 }

    func reset() { silentLooks = 0 }
}

/// Joins fragments, answers pings and closes, and keeps the limits of one WebSocket on its event loop.
final class WebSocketHandler: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    let inbox: BoundedInbox<[UInt8]>
    var activity: ActivityWatch?
    private let side: WebSocketConnection.Side
    private let configuration: WebSocketConnection.Configuration
    private var context: ChannelHandlerContext?
    private var message: ByteBuffer?
    private var isPaused = false
    private var isReadWanted = false
    private var isCloseSent = false
    private var timers: [Scheduled<Void>] = []
    private var liveness: RepeatedTask?
    private var silentLookLimit = Int.max
    /// Who waits for the pong of a numbered ping; a pong answers all pings before it.
    private var roundTrips: [(number: UInt64, done: EventLoopPromise<Void>)] = []
    private var lastRoundTrip: UInt64 = 0

    init(side: WebSocketConnection.Side, configuration: WebSocketConnection.Configuration) {
        self.side = side
        self.configuration = configuration
        inbox = BoundedInbox(limit: configuration.inboundBytes)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let loop = NIOLoopBound(self, eventLoop: context.eventLoop)
        let eventLoop = context.eventLoop
        inbox.setDemandHandler { eventLoop.execute { loop.value.resume() } }
        let times = [configuration.pingInterval, configuration.readTime.map { $0 / 3 }].compactMap { $0 }
        guard let interval = times.min() else { return }
        if let limit = configuration.readTime { silentLookLimit = max(2, Int((limit / interval).rounded(.up))) }
        liveness = eventLoop.scheduleRepeatedTask(initialDelay: TimeAmount(interval), delay: TimeAmount(interval)) { _ in
            loop.value.checkLiveness()
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        liveness?.cancel()
        for timer in timers { timer.cancel() }
        failRoundTrips()
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        inbox.finish(throwing: HTTPServingError(code: .connectionClosed, message: "the connection was lost without a close frame"))
        failRoundTrips()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case NIOWebSocketError.invalidFrameLength:
            fail(.messageTooLarge, .messageTooLarge, "a frame is larger than \(configuration.messageBytes) bytes")
        case let error as NIOWebSocketError: fail(.protocolError, .protocolViolation, "malformed frame: \(error)")
        default:
            inbox.finish(throwing: HTTPServingError(code: .connectionClosed, message: "the connection broke: \(error)"))
            context.close(promise: nil)
        }
    }

    func read(context: ChannelHandlerContext) {
        if isPaused { isReadWanted = true } else { context.read() }
    }

    // MARK: - Frames

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        guard (frame.maskKey != nil) == (side == .server) else {
            return fail(.protocolError, .protocolViolation, "frames of a client are masked, those of a server are not")
        }
        guard !frame.rsv1, !frame.rsv2, !frame.rsv3 else { return fail(.protocolError, .protocolViolation, "reserved bits without an extension") }
        switch frame.opcode {
        case .text, .binary:
            guard message == nil else { return fail(.protocolError, .protocolViolation, "a new message began within another") }
            add(frame)
        case .continuation:
            guard message != nil else { return fail(.protocolError, .protocolViolation, "a continuation of no message") }
            add(frame)
        case .ping:
            // A peer that pings without reading gets no pongs instead of our memory.
            guard context.channel.isWritable, !isCloseSent else { return }
            context.writeAndFlush(wrapOutboundOut(control(.pong, frame.unmaskedData)), promise: nil)
        case .pong: answered(frame)
        case .connectionClose: peerCloses(frame)
        default: fail(.protocolError, .protocolViolation, "unknown frame type")
        }
    }

    private func add(_ frame: WebSocketFrame) {
        var data = frame.unmaskedData
        var whole = message ?? ByteBuffer()
        message = nil
        guard whole.readableBytes + data.readableBytes <= configuration.messageBytes else {
            return fail(.messageTooLarge, .messageTooLarge, "a message is larger than \(configuration.messageBytes) bytes")
        }
        if whole.readableBytes == 0 { whole = data } else { whole.writeBuffer(&data) }
        guard frame.fin else {
            message = whole
            return
        }
        if !isCloseSent, !inbox.offer(Array(buffer: whole), cost: whole.readableBytes + 64) { isPaused = true }
    }

    private func control(_ opcode: WebSocketOpcode, _ data: ByteBuffer) -> WebSocketFrame {
        WebSocketFrame(fin: true, opcode: opcode, maskKey: side == .client ? .random() : nil, data: data)
    }

    private func resume() {
        activity?.reset()
        isPaused = false
        guard isReadWanted else { return }
        isReadWanted = false
        context?.read()
    }

    private func checkLiveness() {
        guard let context, let activity else { return }
        if isPaused { activity.reset() } else { activity.look() }
        if let limit = configuration.readTime, activity.silentLooks > silentLookLimit {
            inbox.finish(throwing: HTTPServingError(code: .timedOut, message: "nothing came from the peer for \(limit)"))
            context.close(promise: nil)
        } else if configuration.pingInterval != nil, !isCloseSent, context.channel.isWritable {
            context.writeAndFlush(wrapOutboundOut(control(.ping, ByteBuffer())), promise: nil)
        }
    }

    // MARK: - Round trips

    /// Sends a numbered ping; `done` succeeds when its pong comes and fails with the connection.
    func beginRoundTrip(_ done: EventLoopPromise<Void>) {
        guard let context, !isCloseSent else { return done.fail(Self.closed) }
        lastRoundTrip += 1
        roundTrips.append((lastRoundTrip, done))
        var data = context.channel.allocator.buffer(capacity: 8)
        data.writeInteger(lastRoundTrip)
        context.writeAndFlush(wrapOutboundOut(control(.ping, data)), promise: nil)
    }

    private func answered(_ pong: WebSocketFrame) {
        var data = pong.unmaskedData
        guard data.readableBytes == 8, let number = data.readInteger(as: UInt64.self), number <= lastRoundTrip else { return }
        let answered = roundTrips.prefix { $0.number <= number }
        roundTrips.removeFirst(answered.count)
        for trip in answered { trip.done.succeed() }
    }

    private func failRoundTrips() {
        for trip in roundTrips { trip.done.fail(Self.closed) }
        roundTrips = []
    }

    private static var closed: HTTPServingError { HTTPServingError(code: .connectionClosed, message: "the connection is closed") }

    // MARK: - The end

    private func peerCloses(_ frame: WebSocketFrame) {
        guard let context else { return }
        var data = frame.unmaskedData
        let code = data.readInteger(as: UInt16.self) ?? 1005
        let reason = data.readString(length: min(data.readableBytes, 123)) ?? ""
        if [1000, 1001, 1005].contains(code) {
            inbox.finish()
        } else {
            inbox.finish(
                throwing: HTTPServingError(
                    code: .connectionClosed, message: "the peer closed with code \(code)\(reason.isEmpty ? "" : ": \(reason)")"))
        }
        guard !isCloseSent else {
            context.close(promise: nil)
            return
        }
        sendClose(code == 1005 ? .normalClosure : WebSocketErrorCode(codeNumber: Int(code)), "")
    }

    /// Closes because of what the peer did; the reader gets the cause.
    private func fail(_ close: WebSocketErrorCode, _ code: HTTPServingError.Code, _ cause: String) {
        inbox.finish(throwing: HTTPServingError(code: code, message: cause))
        message = nil
        beginClose(code: close, reason: cause)
    }

    /// Sends a close frame once and makes sure that the connection ends.
    func beginClose(code: WebSocketErrorCode, reason: String) {
        guard let context, !isCloseSent else { return }
        inbox.finish()
        let loop = NIOLoopBound(self, eventLoop: context.eventLoop)
        timers.append(
            context.eventLoop.scheduleTask(in: TimeAmount(configuration.closeTime)) { loop.value.context?.close(promise: nil) })
        isPaused = false
        sendClose(code, reason, thenCloses: false)
        resume()
    }

    private func sendClose(_ code: WebSocketErrorCode, _ reason: String, thenCloses: Bool = true) {
        guard let context, !isCloseSent else { return }
        isCloseSent = true
        var data = context.channel.allocator.buffer(capacity: 125)
        data.write(webSocketErrorCode: code)
        data.writeBytes(reason.utf8.prefix(123))
        let done = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(control(.connectionClose, data)), promise: done)
        guard thenCloses else { return }
        let channel = context.channel
        done.futureResult.whenComplete { _ in channel.close(promise: nil) }
        let loop = NIOLoopBound(self, eventLoop: context.eventLoop)
        timers.append(context.eventLoop.scheduleTask(in: TimeAmount(configuration.closeTime)) { loop.value.context?.close(promise: nil) })
    }
}

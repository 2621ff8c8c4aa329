import NIOCore

/// A connection byte by byte in both directions: after an upgrade, or opened by `connect`.
///
/// A peer that has sent its last byte may still read: `receive` then returns nil while `send` goes on. Over TLS both ends go together.
package final class DuplexByteStream: Sendable {
    private let channel: any Channel
    private let inbox: BoundedInbox<[UInt8]>
    private let writeTime: Duration

    /// Adds the last handler to a channel whose HTTP handlers are about to go; on its event loop.
    init(channel: any Channel, writeTime: Duration, allowsHalfClosure: Bool) throws {
        let handler = DuplexByteHandler()
        if allowsHalfClosure { try channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true) }
        try channel.pipeline.syncOperations.addHandler(handler)
        self.channel = channel
        self.writeTime = writeTime
        inbox = handler.inbox
    }

    /// The next bytes, nil once the peer has closed; throws `HTTPServingError` when the connection broke. For one reader at a time.
    package func receive() async throws -> [UInt8]? { try await inbox.next() }

    /// Sends bytes; returns when the socket has taken them.
    package func send(_ bytes: [UInt8]) async throws {
        try await channel.deadline(writeTime, for: channel.writeAndFlush(ByteBuffer(bytes: bytes)))
    }

    /// Tells the peer that no more bytes come; what it still sends can be received.
    package func finishSending() async { try? await channel.close(mode: .output) }

    /// Closes the connection. Safe to call more than once.
    package func close() async { try? await channel.close() }
}

private final class DuplexByteHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let inbox = BoundedInbox<[UInt8]>(limit: 256 * 1024)
    private var context: ChannelHandlerContext?
    private var isPaused = false
    private var isReadWanted = false

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let loop = NIOLoopBound(self, eventLoop: context.eventLoop)
        let eventLoop = context.eventLoop
        inbox.setDemandHandler { eventLoop.execute { loop.value.resume() } }
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        if !inbox.offer(Array(buffer: bytes), cost: bytes.readableBytes) { isPaused = true }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { inbox.finish() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        inbox.finish()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        inbox.finish(throwing: HTTPServingError(code: .connectionClosed, message: "the connection broke: \(error)"))
        context.close(promise: nil)
    }

    func read(context: ChannelHandlerContext) {
        if isPaused { isReadWanted = true } else { context.read() }
    }

    private func resume() {
        isPaused = false
        guard isReadWanted else { return }
        isReadWanted = false
        context?.read()
    }
}

package import NIOCore
import NIOWebSocket

/// One open WebSocket, client or server side (RFC 6455): whole messages in and out, in order.
///
/// Incoming text is not checked for UTF-8, as the log tunnel sends arbitrary bytes in text frames (`spec/01 App. C.1`).
package final class WebSocketConnection: Sendable {
    /// Limits and times of one connection.
    package struct Configuration: Sendable {
        /// The largest incoming message, its fragments joined; a larger one closes the connection with 1009.
        package var messageBytes = 16 * 1024 * 1024
        /// How much waits for a slow reader before the socket is no longer read.
        package var inboundBytes = 1024 * 1024
        /// How long the peer may take nothing of a message; then the connection is closed. A large one on a slow link may last longer.
        package var writeTime: Duration = .seconds(15)
        /// The distance of pings; nil sends none.
        package var pingInterval: Duration?
        /// The longest silence of the peer, its pongs counted; nil waits for ever. Needs a shorter `pingInterval`.
        package var readTime: Duration?
        /// How long the peer has to answer a close.
        package var closeTime: Duration = .seconds(2)

        package init() {}
    }

    package enum Side: Sendable { case client, server }

    private let channel: any Channel
    private let handler: NIOLoopBound<WebSocketHandler>
    private let configuration: Configuration
    private let side: Side

    /// Adds the frame handlers to a channel whose HTTP handlers are about to go; on its event loop.
    package init(channel: any Channel, side: Side, configuration: Configuration) throws {
        let handler = WebSocketHandler(side: side, configuration: configuration)
        let watch = ActivityWatch()
        handler.activity = watch
        try channel.pipeline.syncOperations.addHandlers(
            [
                watch,
                WebSocketFrameEncoder(),
                ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: min(configuration.messageBytes, Int(UInt32.max)))),
                handler,
            ] as [any ChannelHandler])
        self.channel = channel
        self.handler = NIOLoopBound(handler, eventLoop: channel.eventLoop)
        self.configuration = configuration
        self.side = side
        inbox = handler.inbox
        received = watch.received
    }

    private let inbox: BoundedInbox<[UInt8]>
    private let received: ByteCount

    /// All bytes that have come so far, those of an unfinished message too.
    package var receivedBytes: Int { received.value }

    /// The address of the peer, `192.0.2.7:41234`.
    package var remoteAddress: String { HTTPConnectionHandler.text(channel.remoteAddress) }

    /// The next message, nil after the peer has closed in the proper way. For one reader at a time.
    ///
    /// Throws `HTTPServingError` when the connection broke, timed out or broke the protocol. Not reading stops the peer.
    package func receive() async throws -> [UInt8]? { try await inbox.next() }

    /// Sends one message in one frame; returns when the socket has taken it. Throws `HTTPServingError`.
    package func send(_ payload: [UInt8], isBinary: Bool = false) async throws {
        let frame = WebSocketFrame(
            fin: true, opcode: isBinary ? .binary : .text, maskKey: side == .client ? .random() : nil, data: ByteBuffer(bytes: payload))
        // What the reader finds is the cause, not the closed socket that follows from it.
        try await channel.deadline(configuration.writeTime, for: channel.writeAndFlush(frame), slowest: Self.slowestWrite) { [inbox, configuration] in
            inbox.finish(throwing: HTTPServingError.tookNothing(for: configuration.writeTime))
        }
    }

    /// The bytes of a message that a peer has to take in `writeTime`: fewer are nothing.
    private static let slowestWrite = 4096

    /// Returns once the peer has read everything that was sent before: its pong to a ping has come. Throws `HTTPServingError`:
    /// `timedOut`, with the connection left open, or `connectionClosed`.
    package func roundTrip(within time: Duration) async throws {
        let handler = handler
        let done = channel.eventLoop.makePromise(of: Void.self)
        let limit = channel.eventLoop.scheduleTask(in: TimeAmount(time)) {
            done.fail(HTTPServingError(code: .timedOut, message: "the peer has not answered a ping within \(time)"))
        }
        channel.eventLoop.execute { handler.value.beginRoundTrip(done) }
        defer { limit.cancel() }
        try await done.futureResult.get()
    }

    /// Closes with a code and a reason, waits for the peer's answer for `closeTime` at most. Safe to call more than once.
    package func close(code: UInt16 = 1000, reason: String = "") async {
        let handler = handler
        channel.eventLoop.execute { handler.value.beginClose(code: WebSocketErrorCode(codeNumber: Int(code)), reason: reason) }
        try? await channel.closeFuture.get()
    }
}

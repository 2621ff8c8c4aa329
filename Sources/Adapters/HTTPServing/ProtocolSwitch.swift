package import NIOCore

/// Exchanges the HTTP handlers of a connection for those of another protocol, without losing the bytes that came early.
package enum ProtocolSwitch {
    /// Removes the handlers and the decoder, then runs `install`, which adds the new ones; on the event loop.
    ///
    /// Nothing may be written between the call and its result: the decoder leaves the pipeline in a later turn of the loop.
    package static func perform<Connection: Sendable>(
        on channel: any Channel, removing handlers: [any RemovableChannelHandler], decoder: any RemovableChannelHandler,
        _ install: @escaping @Sendable (any Channel) throws -> Connection
    ) -> EventLoopFuture<Connection> {
        let pipeline = channel.pipeline.syncOperations
        let keeper = EarlyBytes()
        do {
            try pipeline.addHandler(keeper)
        } catch {
            return channel.eventLoop.makeFailedFuture(error)
        }
        for handler in handlers { _ = pipeline.removeHandler(handler) }
        let bound = NIOLoopBound(keeper, eventLoop: channel.eventLoop)
        return pipeline.removeHandler(decoder).flatMapThrowing {
            guard channel.isActive else { throw HTTPServingError(code: .connectionClosed, message: "the peer left during the upgrade") }
            let connection = try install(channel)
            _ = channel.pipeline.syncOperations.removeHandler(bound.value)
            channel.read()
            return connection
        }
    }
}

/// Keeps what arrives until the handlers of the new protocol stand behind it.
private final class EarlyBytes: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    private var kept: [ByteBuffer] = []

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { kept.append(unwrapInboundIn(data)) }

    func removeHandler(context: ChannelHandlerContext, removalToken: ChannelHandlerContext.RemovalToken) {
        for bytes in kept { context.fireChannelRead(wrapInboundOut(bytes)) }
        kept = []
        context.fireChannelReadComplete()
        context.leavePipeline(removalToken: removalToken)
    }
}

import NIOCore
import NIOHTTP1

/// One request on its way to a handler.
struct HTTPExchange: Sendable {
    let request: HTTPRequest
    let version: HTTPVersion
    /// Whether the client wants to send another request after this one.
    let isKeptAlive: Bool
}

/// Tells the connection how many bytes came, after the decoder has seen them.
final class ByteWatch: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    private let handler: HTTPConnectionHandler

    init(_ handler: HTTPConnectionHandler) { self.handler = handler }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        context.fireChannelRead(wrapInboundOut(bytes.compact(context.channel.allocator)))
        handler.didReceive(bytes: bytes.readableBytes)
    }
}

extension ByteBuffer {
    /// The same bytes in a buffer of their size, where this one is far larger: decoders hold what they are given, and TLS would need another
    /// 32 KB for each connection then.
    func compact(_ allocator: ByteBufferAllocator) -> ByteBuffer {
        guard storageCapacity > 2 * readableBytes else { return self }
        var copy = allocator.buffer(capacity: readableBytes)
        copy.writeImmutableBuffer(self)
        return copy
    }
}

/// One connection as the task that answers its requests holds it.
final class HTTPConnection: Sendable {
    let exchanges: AsyncStream<HTTPExchange>
    private let closed: Signal<Void>
    private let channel: any Channel
    /// nil once the connection speaks another protocol.
    private let handlers: NIOLoopBoundBox<Handlers?>
    private let limits: HTTPServerLimits

    private struct Handlers {
        let http: HTTPConnectionHandler
        let decoder: ByteToMessageHandler<HTTPRequestDecoder>
        let codec: [any RemovableChannelHandler]
    }

    /// Fills the pipeline of a fresh channel; on its event loop.
    init(channel: any Channel, tls: (any ChannelHandler)?, limits: HTTPServerLimits) throws {
        channel.eventLoop.preconditionInEventLoop()
        let (stream, continuation) = AsyncStream.makeStream(of: HTTPExchange.self, bufferingPolicy: .bufferingOldest(1))
        let handler = HTTPConnectionHandler(limits: limits, exchanges: continuation)
        var decoderLimits = NIOHTTPDecoderLimitConfiguration()
        decoderLimits.maxHeaderFieldSize = limits.headerBytes
        decoderLimits.maxHeaderListSize = limits.headerBytes
        let decoder = ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: decoderLimits))
        let watch = ByteWatch(handler)
        let encoder = HTTPResponseEncoder()
        let pipeline = channel.pipeline.syncOperations
        if let tls { try pipeline.addHandler(tls) }
        try pipeline.addHandlers([watch, encoder, decoder, handler] as [any ChannelHandler])
        exchanges = stream
        closed = handler.closed
        self.channel = channel
        self.limits = limits
        handlers = NIOLoopBoundBox(Handlers(http: handler, decoder: decoder, codec: [watch, encoder]), eventLoop: channel.eventLoop)
    }

    var remoteAddress: String { HTTPConnectionHandler.text(channel.remoteAddress) }

    func close() async { try? await channel.close() }

    /// Runs the answering of one exchange, and cancels it when the connection closes.
    func whileOpen(_ answer: @escaping @Sendable () async -> AfterAnswer) async -> AfterAnswer {
        await withTaskGroup(of: AfterAnswer?.self) { group in
            group.addTask { await answer() }
            group.addTask { [closed] in
                try? await closed.value()
                return nil
            }
            // The watch says nothing, the answer always something.
            for await next in group {
                group.cancelAll()
                if let next { return next }
            }
            return .end
        }
    }

    // MARK: - Answers

    enum AfterAnswer: Sendable {
        case nextRequest
        /// The connection is used up.
        case end
        /// The connection speaks another protocol now; to be served until its end.
        case upgraded(@Sendable () async -> Void)
    }

    /// Writes the whole answer to an exchange.
    func answer(_ response: HTTPResponse, to exchange: HTTPExchange) async throws -> AfterAnswer {
        switch response.content {
        case .bytes(let bytes):
            try await write(response, bytes, to: exchange)
            return .nextRequest
        case .stream(let produce):
            try await stream(response, produce, to: exchange)
            return .nextRequest
        case .webSocket(let configuration, let serve):
            switch WebSocketHandshake.answer(to: exchange.request) {
            case .refuse(let refusal):
                guard case .bytes(let bytes) = refusal.content else { return .end }
                try await write(refusal, bytes, to: exchange)
                return .nextRequest
            case .accept(let fields):
                let connection = try await switchProtocols(fields: fields, extra: response.headers) { channel in
                    try WebSocketConnection(channel: channel, side: .server, configuration: configuration)
                }
                return .upgraded {
                    await serve(connection)
                    await connection.close()
                }
            }
        case .duplex(let serve):
            let isPlain = !exchange.request.isSecure
            let stream = try await switchProtocols(fields: [:], extra: response.headers) { [limits] channel in
                try DuplexByteStream(channel: channel, writeTime: limits.writeTime, allowsHalfClosure: isPlain)
            }
            return .upgraded {
                await serve(stream)
                await stream.close()
            }
        }
    }

    private func head(_ response: HTTPResponse, for exchange: HTTPExchange, length: Int?) -> (HTTPResponseHead, isKeptAlive: Bool) {
        var head = HTTPResponseHead(version: exchange.version, status: .init(statusCode: response.status))
        let isHead = exchange.request.method == "HEAD"
        for field in response.headers where !["transfer-encoding", "connection"].contains(field.name.lowercased()) {
            if field.name.lowercased() == "content-length", !isHead { continue }
            head.headers.add(name: field.name, value: field.value)
        }
        if let length, !head.headers.contains(name: "Content-Length") { head.headers.add(name: "Content-Length", value: String(length)) }
        let isFramed = length != nil || exchange.version.minor >= 1 || isHead
        let isKeptAlive = exchange.isKeptAlive && handlers.value?.http.phase == .answering && isFramed
        if !isKeptAlive {
            head.headers.add(name: "Connection", value: "close")
        } else if exchange.version.minor < 1 {
            head.headers.add(name: "Connection", value: "keep-alive")
        }
        return (head, isKeptAlive)
    }

    private func write(_ response: HTTPResponse, _ bytes: [UInt8], to exchange: HTTPExchange) async throws {
        let isBodiless = exchange.request.method == "HEAD" || response.status == 204 || response.status == 304
        let written = channel.eventLoop.flatSubmit { [self] in
            let (head, isKeptAlive) = head(response, for: exchange, length: response.status == 204 ? nil : bytes.count)
            channel.write(HTTPServerResponsePart.head(head), promise: nil)
            if !isBodiless, !bytes.isEmpty {
                channel.write(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(bytes: bytes))), promise: nil)
            }
            return channel.writeAndFlush(HTTPServerResponsePart.end(nil)).map { isKeptAlive }
        }
        let isKeptAlive = try await channel.deadline(limits.writeTime, for: written)
        try await finish(isKeptAlive: isKeptAlive)
    }

    private func stream(
        _ response: HTTPResponse, _ produce: @Sendable (HTTPBodyWriter) async throws -> Void, to exchange: HTTPExchange
    ) async throws {
        let isBodiless = exchange.request.method == "HEAD" || response.status == 204 || response.status == 304
        let begun = channel.eventLoop.flatSubmit { [self] in
            let (head, isKeptAlive) = head(response, for: exchange, length: nil)
            return channel.writeAndFlush(HTTPServerResponsePart.head(head)).map { isKeptAlive }
        }
        let isKeptAlive = try await channel.deadline(limits.writeTime, for: begun)
        if !isBodiless {
            try await produce(
                HTTPBodyWriter { [channel, limits] bytes in
                    guard !bytes.isEmpty else { return }
                    let part = HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(bytes: bytes)))
                    try await channel.deadline(limits.writeTime, for: channel.writeAndFlush(part))
                })
        }
        try await channel.deadline(limits.writeTime, for: channel.writeAndFlush(HTTPServerResponsePart.end(nil)))
        try await finish(isKeptAlive: isKeptAlive)
    }

    private func finish(isKeptAlive: Bool) async throws {
        try await channel.eventLoop.submit { [handlers] in handlers.value?.http.finishExchange(isKeptAlive: isKeptAlive) }.get()
    }

    /// Writes the 101 and exchanges the HTTP handlers for those of another protocol.
    private func switchProtocols<Connection: Sendable>(
        fields: HTTPFields, extra: HTTPFields, _ install: @escaping @Sendable (any Channel) throws -> Connection
    ) async throws -> Connection {
        try await channel.eventLoop.flatSubmit { [self] in
            guard channel.isActive, let old = handlers.value else {
                return channel.eventLoop.makeFailedFuture(
                    HTTPServingError(code: .connectionClosed, message: "the client left before the upgrade"))
            }
            var head = HTTPResponseHead(version: .http1_1, status: .switchingProtocols)
            for field in fields { head.headers.add(name: field.name, value: field.value) }
            for field in extra { head.headers.add(name: field.name, value: field.value) }
            channel.writeAndFlush(HTTPServerResponsePart.head(head), promise: nil)
            handlers.value = nil
            return ProtocolSwitch.perform(on: channel, removing: [old.http] + old.codec, decoder: old.decoder, install)
        }.get()
    }
}

extension Channel {
    /// Waits for a write; calls `onLate`, closes the channel and throws `timedOut` when the peer does not take it within `time`.
    ///
    /// With `slowest` the time begins anew where the peer has taken at least so many bytes in it.
    func deadline<Value: Sendable>(
        _ time: Duration, for future: EventLoopFuture<Value>, slowest: Int? = nil, onLate: (@Sendable () -> Void)? = nil
    ) async throws -> Value {
        let channel = self
        let isLate = Flag()
        let isDone = Flag()
        let timer = NIOLoopBoundBox.makeEmptyBox(valueType: Scheduled<Void>.self, eventLoop: eventLoop)
        @Sendable func look(again unsent: Int) {
            timer.value = channel.eventLoop.scheduleTask(in: TimeAmount(time)) {
                // A loop that is behind may have taken the timer up already when the write ends.
                if isDone.isSet { return }
                let left = channel.unsentBytes
                if let slowest, unsent - left >= slowest { return look(again: left) }
                isLate.set()
                onLate?()
                channel.close(promise: nil)
            }
        }
        // After the write, which most often is done by then.
        eventLoop.execute { if !isDone.isSet { look(again: channel.unsentBytes) } }
        // On the loop, so that the timer cannot strike between a write that succeeded and the task that hears of it.
        future.whenComplete { _ in
            isDone.set()
            timer.value?.cancel()
        }
        do {
            return try await future.get()
        } catch {
            if isLate.isSet { throw HTTPServingError.tookNothing(for: time) }
            throw HTTPServingError(code: .connectionClosed, message: "the peer closed the connection")
        }
    }

    /// What waits for the socket; on the event loop.
    private var unsentBytes: Int { (try? syncOptions?.getOption(.bufferedWritableBytes)) ?? 0 }
}

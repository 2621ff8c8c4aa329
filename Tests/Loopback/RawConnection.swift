import NIOCore
import NIOPosix
import NIOSSL
import Trust

/// A connection to the loopback on which exactly the bytes of a test are sent, plain or over TLS.
final class RawConnection: Sendable {
    private let channel: any Channel
    private let inbound: AsyncStream<[UInt8]>

    private init(_ channel: any Channel, _ inbound: AsyncStream<[UInt8]>) {
        self.channel = channel
        self.inbound = inbound
    }

    static func open(_ port: Int, over tls: NIOSSLContext? = nil) async throws -> RawConnection {
        let (inbound, feed) = AsyncStream.makeStream(of: [UInt8].self)
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(try NIOSSLClientHandler(context: tls, serverHostname: nil)) }
                    try channel.pipeline.syncOperations.addHandler(Collector(feed))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return RawConnection(channel, inbound)
    }

    /// TLS that believes every server, with or without a certificate of its own.
    static func tls(as identity: KeyPair? = nil) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        if let identity {
            configuration.certificateChain = [.certificate(try NIOSSLCertificate(bytes: identity.certificate, format: .der))]
            configuration.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: identity.key.der.exposed, format: .der))
        }
        return try NIOSSLContext(configuration: configuration)
    }

    func send(_ text: String) async throws { try await send(Array(text.utf8)) }

    /// Returns when the socket has taken the bytes; throws once the connection is closed.
    func send(_ bytes: [UInt8]) async throws { try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get() }

    /// Sends a piece again and again until the server closes or `limit` bytes are gone; returns how many were sent.
    func flood(_ piece: [UInt8], upTo limit: Int) async -> Int {
        var sent = 0
        while sent < limit {
            do { try await send(piece) } catch { break }
            sent += piece.count
        }
        return sent
    }

    /// Everything until the server closes.
    func readToEnd() async -> String {
        var whole: [UInt8] = []
        for await bytes in inbound { whole += bytes }
        return String(decoding: whole, as: UTF8.self)
    }

    /// Reads until there are so many bytes; fewer at the end of the connection.
    func read(atLeast count: Int) async -> [UInt8] {
        var whole: [UInt8] = []
        var iterator = inbound.makeAsyncIterator()
        while whole.count < count, let bytes = await iterator.next() { whole += bytes }
        return whole
    }

    /// Reads until the text has come; less at the end of the connection.
    func read(until text: String) async -> String {
        var whole = ""
        var iterator = inbound.makeAsyncIterator()
        while !whole.contains(text), let bytes = await iterator.next() { whole += String(decoding: bytes, as: UTF8.self) }
        return whole
    }

    func close() async { try? await channel.close().get() }

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let feed: AsyncStream<[UInt8]>.Continuation

        init(_ feed: AsyncStream<[UInt8]>.Continuation) { self.feed = feed }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { feed.yield(Array(buffer: unwrapInboundIn(data))) }

        func channelInactive(context: ChannelHandlerContext) {
            feed.finish()
            context.fireChannelInactive()
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}

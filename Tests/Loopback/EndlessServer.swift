import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import Trust

/// A TLS server that answers whatever it is asked with a beginning and then the same piece without end.
final class EndlessServer: Sendable {
    /// Where it gives up: nobody takes so much who has a limit.
    static let limit = 64 << 20

    let authority: CertificateAuthority
    let port: Int
    private let listener: any Channel
    private let counter: Counter

    /// What all connections together took.
    var sent: Int { counter.value.withLock { $0 } }

    private init(_ authority: CertificateAuthority, _ listener: any Channel, _ counter: Counter) {
        self.authority = authority
        self.listener = listener
        self.counter = counter
        port = listener.localAddress?.port ?? 0
    }

    static func run(_ beginning: String, piece: [UInt8], _ body: (EndlessServer) async throws -> Void) async throws {
        let (authority, pair) = try TestCredentials.server()
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: [.certificate(try NIOSSLCertificate(bytes: pair.certificate, format: .der))],
            privateKey: .privateKey(try NIOSSLPrivateKey(bytes: pair.key.der.exposed, format: .der)))
        configuration.shutdownTimeout = .milliseconds(100)
        let context = try NIOSSLContext(configuration: configuration)
        let counter = Counter()
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        [NIOSSLServerHandler(context: context), Talker(Array(beginning.utf8), piece, counter)] as [any ChannelHandler])
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        do {
            try await body(EndlessServer(authority, listener, counter))
        } catch {
            try? await listener.close()
            throw error
        }
        try await listener.close()
    }

    private final class Counter: Sendable { let value = Mutex(0) }

    private final class Talker: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let beginning: [UInt8]
        private let piece: [UInt8]
        private let counter: Counter
        private var hasBegun = false

        init(_ beginning: [UInt8], _ piece: [UInt8], _ counter: Counter) {
            self.beginning = beginning
            self.piece = piece
            self.counter = counter
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard !hasBegun else { return }
            hasBegun = true
            context.write(wrapOutboundOut(ByteBuffer(bytes: beginning)), promise: nil)
            talk(context)
        }

        private func talk(_ context: ChannelHandlerContext) {
            let isOver = counter.value.withLock { sent in
                sent += piece.count
                return sent > EndlessServer.limit
            }
            guard !isOver else { return context.close(promise: nil) }
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: piece))).whenSuccess {
                // In a later turn of the loop, so that others of the same thread have theirs.
                bound.value.1.eventLoop.execute { bound.value.0.talk(bound.value.1) }
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}

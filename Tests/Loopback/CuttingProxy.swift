import NIOCore
import NIOPosix
import Synchronization

/// Stands between two ends of TCP connections and breaks each connection after so many bytes, of both directions together.
final class CuttingProxy: Sendable {
    private let cuts = Mutex<(next: [Int], done: Int)>(([], 0))
    /// What the newest connection may still pass on.
    private let newest = Mutex<Budget?>(nil)
    private let listener: any Channel

    static func open(to port: Int) async throws -> CuttingProxy {
        let state = Pending()
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { edge in
                let budget = Budget(state.proxy.withLock { $0 }?.nextCut())
                state.proxy.withLock { $0 }?.newest.withLock { $0 = budget }
                return ClientBootstrap(group: edge.eventLoop)
                    .connect(host: "127.0.0.1", port: port)
                    .flatMap { cloud in
                        edge.eventLoop.makeCompletedFuture {
                            try edge.pipeline.syncOperations.addHandler(Relay(to: cloud, budget))
                            try cloud.pipeline.syncOperations.addHandler(Relay(to: edge, budget))
                            edge.setOption(.autoRead, value: true).whenComplete { _ in }
                        }
                    }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let proxy = CuttingProxy(listener)
        state.proxy.withLock { $0 = proxy }
        return proxy
    }

    private final class Pending: Sendable {
        let proxy = Mutex<CuttingProxy?>(nil)
    }

    private init(_ listener: any Channel) { self.listener = listener }

    var port: Int { listener.localAddress?.port ?? 0 }

    /// The bytes that the next connections last, one after the other; those after them last for ever.
    func cut(_ lengths: [Int]) { cuts.withLock { $0.next = lengths } }

    /// Connections that have been begun with a cut before them.
    var count: Int { cuts.withLock(\.done) }

    /// The bytes that have passed over the newest connection.
    var passed: Int { newest.withLock { $0 }?.passed ?? 0 }

    func close() async { try? await listener.close() }

    private func nextCut() -> Int? {
        cuts.withLock { cuts in
            guard !cuts.next.isEmpty else { return nil }
            cuts.done += 1
            return cuts.next.removeFirst()
        }
    }
}

/// What may still pass over one connection.
private final class Budget: Sendable {
    private let limit: Int?
    private let sum = Mutex(0)

    init(_ limit: Int?) { self.limit = limit }

    var passed: Int { sum.withLock { $0 } }

    /// How many of the bytes may pass, and whether nothing may after them.
    func take(_ count: Int) -> (passing: Int, isOver: Bool) {
        sum.withLock { sum in
            let passing = min(count, (limit ?? .max) - sum)
            sum += passing
            return (passing, sum == limit)
        }
    }
}

/// Hands on what comes from one end to the other while the budget lasts.
private final class Relay: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private let other: any Channel
    private let budget: Budget

    init(to other: any Channel, _ budget: Budget) {
        self.other = other
        self.budget = budget
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        let (passing, isOver) = budget.take(bytes.readableBytes)
        let part = bytes.getSlice(at: bytes.readerIndex, length: passing) ?? ByteBuffer()
        let own = context.channel
        let other = other
        other.writeAndFlush(part).whenComplete { _ in
            guard isOver else { return }
            other.close(promise: nil)
            own.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        other.close(promise: nil)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

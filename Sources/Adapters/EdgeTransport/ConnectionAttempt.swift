import NIOCore
import NIOPosix
import Synchronization

/// One try to open a connection and get a result out of it, within a time and cancellable at every point.
final class ConnectionAttempt<Result: Sendable>: Sendable {
    private let address: PeerAddress
    private let open = Mutex<(channel: (any Channel)?, isCancelled: Bool)>((nil, false))

    init(address: PeerAddress) { self.address = address }

    /// `configure` fills the pipeline on the event loop; who keeps the promise ends the attempt.
    func run(
        within time: Duration, _ configure: @escaping @Sendable (any Channel, EventLoopPromise<Result>) throws -> Void
    ) async throws -> Result {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let promise = eventLoop.makePromise(of: Result.self)
        let address = address
        let timer = eventLoop.scheduleTask(in: TimeAmount(time)) { [self] in
            promise.fail(
                TransportError(code: .timedOut, message: "\(address.authority) did not answer within \(time): check the address and the firewall"))
            abandon()
        }
        promise.futureResult.whenComplete { _ in timer.cancel() }
        let connecting = ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(time))
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { [self] channel in
                keep(channel)
                return channel.eventLoop.makeCompletedFuture { try configure(channel, promise) }
            }
            .connect(host: address.host, port: address.port)
        connecting.whenFailure { promise.fail(ClientTLS.explain($0, address)) }
        return try await withTaskCancellationHandler {
            do {
                return try await promise.futureResult.get()
            } catch {
                abandon()
                if Task.isCancelled { throw CancellationError() }
                throw ClientTLS.explain(error, address)
            }
        } onCancel: {
            promise.fail(CancellationError())
            abandon()
        }
    }

    private func keep(_ channel: any Channel) {
        let isLate = open.withLock { open in
            open.channel = channel
            return open.isCancelled
        }
        if isLate { channel.close(promise: nil) }
    }

    private func abandon() {
        let channel = open.withLock { open in
            open.isCancelled = true
            return open.channel
        }
        channel?.close(promise: nil)
    }
}

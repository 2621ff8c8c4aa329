import Glibc
import NIOCore
import NIOPosix

/// Tells when entries of a directory come and go. At rest it costs one descriptor.
enum DirectoryWatcher {
    /// Runs `body` whenever something may have changed, several changes at once counting as one; the first time right away.
    static func follow(_ directory: String, group: any EventLoopGroup, _ body: @Sendable () async throws -> Void) async throws {
        let descriptor = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        guard descriptor >= 0 else { throw DeviceFailure("cannot watch \(directory): \(String(cString: strerror(errno)))") }
        let mask = UInt32(IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM)
        guard inotify_add_watch(descriptor, directory, mask) >= 0 else {
            let reason = String(cString: strerror(errno))
            close(descriptor)
            throw DeviceFailure("cannot watch \(directory): \(reason)")
        }
        let (changes, change) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let channel: any Channel
        do {
            channel = try await NIOPipeBootstrap(group: group)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(EventReader(change)) }
                }
                .takingOwnershipOfDescriptor(input: descriptor).get()
        } catch {
            close(descriptor)
            throw error
        }
        defer { channel.close(promise: nil) }
        try await body()
        for await _ in changes { try await body() }
        try Task.checkCancellation()
        throw DeviceFailure("\(directory) cannot be watched any more")
    }

    /// What happened is of no interest, only that something did.
    private final class EventReader: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let change: AsyncStream<Void>.Continuation

        init(_ change: AsyncStream<Void>.Continuation) { self.change = change }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { change.yield() }
        func channelInactive(context: ChannelHandlerContext) { change.finish() }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}

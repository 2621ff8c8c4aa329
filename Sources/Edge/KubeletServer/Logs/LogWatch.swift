import Glibc
import NIOCore
import NIOPosix
import Primitives
import Synchronization

/// Tells one reader that something happened to the files of a directory (inotify). Without a watch of the kernel's, only time passes.
final class LogWatch: Sendable {
    struct Changes: OptionSet, Sendable {
        let rawValue: UInt8
        static let written = Changes(rawValue: 1)
        /// A writer has closed a file: it was rotated, or its container has ended.
        static let closed = Changes(rawValue: 2)
        static let created = Changes(rawValue: 4)
    }

    private let pending = Mutex<Changes>([])
    private let signal = Signal()
    private let channel = Mutex<(any Channel)?>(nil)

    private init() {}

    /// Begins to watch; changes from now on are told.
    static func open(_ directory: String) async -> LogWatch {
        let watch = LogWatch()
        let descriptor = inotify_init1(O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { return watch }
        let mask = UInt32(IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE)
        guard inotify_add_watch(descriptor, directory, mask) >= 0 else {
            Glibc.close(descriptor)
            return watch
        }
        do {
            let channel = try await NIOPipeBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                // The kernel gives events only to who has room for the longest name.
                .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 4096))
                .takingOwnershipOfDescriptor(input: descriptor) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(NotificationReader(watch))
                        return channel
                    }
                }
            watch.channel.withLock { $0 = channel }
        } catch {
            Glibc.close(descriptor)
        }
        return watch
    }

    /// Returns with what has changed since the last call, once something has, or `deadline` (uptime) has come.
    func changes(until deadline: Duration, clock: any MomentSource) async -> Changes {
        let before = take()
        guard before.isEmpty else { return before }
        await signal.wait(until: deadline, clock: clock)
        return take()
    }

    func close() async {
        let channel = channel.withLock { channel in
            defer { channel = nil }
            return channel
        }
        try? await channel?.close()
    }

    fileprivate func add(_ changes: Changes) {
        pending.withLock { $0.formUnion(changes) }
        signal.set()
    }

    private func take() -> Changes {
        pending.withLock { pending in
            defer { pending = [] }
            return pending
        }
    }
}

/// Reads the kernel's events: watch, mask, cookie, length of the name (32 bits each) and the name.
private final class NotificationReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let watch: LogWatch

    init(_ watch: LogWatch) { self.watch = watch }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        var changes: LogWatch.Changes = []
        while let (_, mask, _, length) = bytes.readMultipleIntegers(endianness: .host, as: (Int32, UInt32, UInt32, UInt32).self) {
            if mask & UInt32(IN_MODIFY) != 0 { changes.insert(.written) }
            if mask & UInt32(IN_CLOSE_WRITE) != 0 { changes.insert(.closed) }
            if mask & UInt32(IN_CREATE | IN_MOVED_TO) != 0 { changes.insert(.created) }
            bytes.moveReaderIndex(forwardBy: min(Int(length), bytes.readableBytes))
        }
        if !changes.isEmpty { watch.add(changes) }
    }
}

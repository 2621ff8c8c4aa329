import EdgeTransport
import Synchronization

/// One end of a connection inside the process: what one end sends the other receives, in order.
package final class PipeChannel: MessageChannel {
    private let incoming: AsyncThrowingStream<[UInt8], any Error>
    private let outgoing: AsyncThrowingStream<[UInt8], any Error>.Continuation
    private let own: AsyncThrowingStream<[UInt8], any Error>.Continuation
    private let closeReason = Mutex<String?>(nil)
    /// Whether the connection is broken, for both ends.
    private let isBroken: Shared
    package let capabilities: Set<String>

    private final class Shared: Sendable {
        let value = Mutex(false)
    }

    private init(
        incoming: AsyncThrowingStream<[UInt8], any Error>, own: AsyncThrowingStream<[UInt8], any Error>.Continuation,
        outgoing: AsyncThrowingStream<[UInt8], any Error>.Continuation, isBroken: Shared, capabilities: Set<String>
    ) {
        self.incoming = incoming
        self.own = own
        self.outgoing = outgoing
        self.isBroken = isBroken
        self.capabilities = capabilities
    }

    /// A new connection; each direction holds up to 4096 messages, more break it. Each end is given what the other announces.
    package static func pair(_ first: Set<String> = [], _ second: Set<String> = []) -> (PipeChannel, PipeChannel) {
        let (oneStream, one) = AsyncThrowingStream<[UInt8], any Error>.makeStream(bufferingPolicy: .bufferingOldest(4096))
        let (otherStream, other) = AsyncThrowingStream<[UInt8], any Error>.makeStream(bufferingPolicy: .bufferingOldest(4096))
        let isBroken = Shared()
        return (
            PipeChannel(incoming: oneStream, own: one, outgoing: other, isBroken: isBroken, capabilities: second),
            PipeChannel(incoming: otherStream, own: other, outgoing: one, isBroken: isBroken, capabilities: first)
        )
    }

    /// Why this end was closed; nil while it was not.
    package var reason: String? { closeReason.withLock { $0 } }

    package func send(_ payload: [UInt8]) async throws {
        switch outgoing.yield(payload) {
        case .enqueued: break
        default: throw TransportError(code: .closed, message: "the connection is closed")
        }
    }

    package func messages() -> AsyncThrowingStream<[UInt8], any Error> { incoming }

    package func close(_ reason: String) async {
        closeReason.withLock { if $0 == nil { $0 = reason } }
        isBroken.value.withLock { $0 = true }
        own.finish()
        outgoing.finish()
    }

    /// Succeeds while the connection stands.
    package func roundTrip(within time: Duration) async throws {
        guard isBroken.value.withLock({ $0 }) else { return }
        throw TransportError(code: .closed, message: "the connection is closed")
    }

    /// Breaks the connection for both ends, without a word.
    package func cut() {
        let error = TransportError(code: .closed, message: "the connection broke")
        isBroken.value.withLock { $0 = true }
        own.finish(throwing: error)
        outgoing.finish(throwing: error)
    }
}

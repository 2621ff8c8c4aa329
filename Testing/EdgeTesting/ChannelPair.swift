import EdgeTransport
import Synchronization

/// One end of a connection inside the process: what one end sends the other receives, in order.
package final class PipeChannel: MessageChannel {
    private let incoming: AsyncThrowingStream<[UInt8], any Error>
    private let outgoing: AsyncThrowingStream<[UInt8], any Error>.Continuation
    private let own: AsyncThrowingStream<[UInt8], any Error>.Continuation
    private let closeReason = Mutex<String?>(nil)

    private init(
        incoming: AsyncThrowingStream<[UInt8], any Error>, own: AsyncThrowingStream<[UInt8], any Error>.Continuation,
        outgoing: AsyncThrowingStream<[UInt8], any Error>.Continuation
    ) {
        self.incoming = incoming
        self.own = own
        self.outgoing = outgoing
    }

    /// A new connection; each direction holds up to 4096 messages, more break it.
    package static func pair() -> (PipeChannel, PipeChannel) {
        let (oneStream, one) = AsyncThrowingStream<[UInt8], any Error>.makeStream(bufferingPolicy: .bufferingOldest(4096))
        let (otherStream, other) = AsyncThrowingStream<[UInt8], any Error>.makeStream(bufferingPolicy: .bufferingOldest(4096))
        return (
            PipeChannel(incoming: oneStream, own: one, outgoing: other), PipeChannel(incoming: otherStream, own: other, outgoing: one)
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
        own.finish()
        outgoing.finish()
    }

    /// Breaks the connection for both ends, without a word.
    package func cut() {
        let error = TransportError(code: .closed, message: "the connection broke")
        own.finish(throwing: error)
        outgoing.finish(throwing: error)
    }
}

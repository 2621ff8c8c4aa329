/// One open WebSocket as its user sees it: whole messages in and out, in order (`spec/01 §3.2`).
package protocol MessageChannel: Sendable {
    /// Sends one text message; returns when the socket has taken it, which is the backpressure.
    ///
    /// Throws `TransportError`: `timedOut` where the peer takes nothing, however long a message may last that goes slowly.
    func send(_ payload: [UInt8]) async throws

    /// Whole messages (fragments joined), text or binary; ends when the connection does, with `TransportError` where it broke.
    ///
    /// To be iterated once.
    func messages() -> AsyncThrowingStream<[UInt8], any Error>

    /// Closes with a reason for the peer. Safe to call more than once.
    func close(_ reason: String) async

    /// Returns once the peer has read everything that was sent before: a ping goes after it, and its pong has come back.
    ///
    /// Go peers answer pings where they read, so this holds for them too. Throws `TransportError`: `timedOut`, or `closed`.
    func roundTrip(within time: Duration) async throws

    /// All bytes that have come so far, those of an unfinished message too.
    var receivedBytes: Int { get }

    /// What the peer announced in the upgrade, a server in its answer, a client in its request: the words of the header
    /// `Kubeedge-Capabilities`. Go peers announce nothing and ignore it.
    var capabilities: Set<String> { get }
}

extension MessageChannel {
    package var receivedBytes: Int { 0 }
    package var capabilities: Set<String> { [] }
}

/// The header by which a peer says what it can do; the words are separated by commas.
enum CapabilityHeader {
    static let name = "Kubeedge-Capabilities"

    static func read(_ text: String) -> Set<String> {
        Set(text.split(whereSeparator: { $0 == "," || $0 == " " }).map { $0.lowercased() })
    }
}

/// Why a connection could not be made or was lost.
package struct TransportError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable { case unreachable, tls, handshake, timedOut, messageTooLarge, closed, protocolViolation }

    package var code: Code
    package var message: String

    package init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
    package var isRetryable: Bool { code != .tls }
}

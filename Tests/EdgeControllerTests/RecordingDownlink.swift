import DeliveryCore
import EdgeMessages
import Logging
import Primitives

/// A downlink that keeps what it is given and lets a test wait for it.
actor RecordingDownlink: NodeDownlink {
    private(set) var lines: [String] = []
    private(set) var messages: [EdgeMessage] = []
    private var signals: [AsyncStream<Void>.Continuation] = []

    func deliver(_ message: EdgeMessage, to node: String) {
        messages.append(message)
        note("\(message.route.operation) \(message.route.resource)@\(node)")
    }

    func connectedNodes() -> [String] { [] }
    func stores() -> [String: StoreIdentity] { [:] }

    func disconnect(_ node: String) { note("disconnect \(node)") }

    private func note(_ line: String) {
        lines.append(line)
        for signal in signals { signal.yield() }
    }

    /// Waits until a line was noted.
    func wait(for line: String) async throws {
        if lines.contains(line) { return }
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        signals.append(continuation)
        for await _ in stream where lines.contains(line) { return }
        throw CancellationError()
    }
}

let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

/// A clock whose waits end at once: delays between attempts cost no time.
struct HastyClock: MomentSource {
    func now() -> Moment { SystemClock().now() }
    func wait(until deadline: Duration) async throws { try Task.checkCancellation() }
}

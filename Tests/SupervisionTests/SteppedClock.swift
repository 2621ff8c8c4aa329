import Primitives
import Synchronization

/// A clock whose waits end at once and move the time to their deadline; every wait is recorded.
final class SteppedClock: MomentSource {
    private let state = Mutex<(uptime: Duration, waits: [Duration])>((.zero, []))

    func now() -> Moment { state.withLock { Moment(wall: Timestamp(seconds: 0), uptime: $0.uptime) } }

    func wait(until deadline: Duration) async throws {
        try Task.checkCancellation()
        state.withLock { state in
            state.waits.append(deadline - state.uptime)
            state.uptime = max(state.uptime, deadline)
        }
    }

    /// Time that passes without a wait.
    func advance(by duration: Duration) { state.withLock { $0.uptime += duration } }

    var waits: [Duration] { state.withLock { $0.waits } }
}

/// A clock that stands still: its waits end with cancellation only.
struct StandingClock: MomentSource {
    func now() -> Moment { Moment(wall: Timestamp(seconds: 0), uptime: .zero) }

    func wait(until deadline: Duration) async throws {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        defer { continuation.finish() }
        for await _ in stream {}
        try Task.checkCancellation()
    }
}

/// What happened, in order.
final class Journal: Sendable {
    private let lines = Mutex<[String]>([])

    func note(_ line: String) { lines.withLock { $0.append(line) } }
    var all: [String] { lines.withLock { $0 } }
}

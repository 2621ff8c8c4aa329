package import Primitives
import Synchronization

/// A clock that stands still until a test moves it.
package final class ManualClock: MomentSource {
    private struct State {
        var moment: Moment
        var sleepers: [Int: (deadline: Duration, continuation: CheckedContinuation<Void, any Error>)] = [:]
        var last = 0
    }

    private let state: Mutex<State>

    /// Begins at a wall time of 2024 and an uptime of 1000 s, unless told otherwise.
    package init(_ moment: Moment = Moment(wall: Timestamp(seconds: 1_717_000_000), uptime: .seconds(1000))) {
        state = Mutex(State(moment: moment))
    }

    package func now() -> Moment { state.withLock(\.moment) }

    /// Moves both clocks on and wakes whoever waits for a time up to then.
    package func advance(by duration: Duration) {
        let due = state.withLock { state in
            state.moment.wall = state.moment.wall + duration
            state.moment.uptime += duration
            let due = state.sleepers.filter { $0.value.deadline <= state.moment.uptime }
            for number in due.keys { state.sleepers[number] = nil }
            return due.values.sorted { $0.deadline < $1.deadline }.map(\.continuation)
        }
        for continuation in due { continuation.resume() }
    }

    /// Returns once as many tasks wait for a time.
    package func waitForSleepers(_ count: Int) async {
        while state.withLock({ $0.sleepers.count < count }) { await Task.yield() }
    }

    /// Sets the wall clock alone, as an operator or NTP does.
    package func setWall(_ wall: Timestamp) { state.withLock { $0.moment.wall = wall } }

    package func wait(until deadline: Duration) async throws {
        let number = state.withLock { state in
            state.last += 1
            return state.last
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let outcome = state.withLock { state -> Result<Void, any Error>? in
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if state.moment.uptime >= deadline { return .success(()) }
                    state.sleepers[number] = (deadline, continuation)
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            state.withLock { $0.sleepers.removeValue(forKey: number) }?.continuation.resume(throwing: CancellationError())
        }
    }
}

internal import Synchronization

/// Lets a few tasks at a time through to something that is slower the more use it at once; the others wait in the order in which they came.
///
/// What takes longer than `patience` no longer counts: something that hangs never keeps the others waiting for long.
package final class Turnstile: Sendable {
    private struct Waiter {
        let number: Int
        let isUrgent: Bool
        let continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var free: Int
        var nextNumber = 0
        var waiters: [Waiter] = []
        /// Who is through and counts.
        var inside: Set<Int> = []
    }

    private let patience: Duration
    private let clock: any MomentSource
    private let state: Mutex<State>

    package init(places: Int, patience: Duration, clock: any MomentSource) {
        self.patience = patience
        self.clock = clock
        state = Mutex(State(free: places))
    }

    /// Runs `body` once there is a place; what is urgent goes before what is not. A cancelled task does not wait: its body runs at once.
    package func pass<Result: Sendable>(isUrgent: Bool = false, _ body: @Sendable () async throws -> Result) async throws -> Result {
        let number = state.withLock { state in
            state.nextNumber += 1
            return state.nextNumber
        }
        await enter(number, isUrgent)
        defer { leave(number) }
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { [self] in
                try await clock.wait(until: clock.now().uptime + patience)
                leave(number)
            }
            defer { tasks.cancelAll() }
            return try await body()
        }
    }

    private func enter(_ number: Int, _ isUrgent: Bool) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isThrough = state.withLock { state in
                    if state.free > 0 {
                        state.free -= 1
                        state.inside.insert(number)
                        return true
                    }
                    if Task.isCancelled { return true }
                    let waiter = Waiter(number: number, isUrgent: isUrgent, continuation: continuation)
                    let place = isUrgent ? state.waiters.firstIndex { !$0.isUrgent } : nil
                    state.waiters.insert(waiter, at: place ?? state.waiters.endIndex)
                    return false
                }
                if isThrough { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.waiters.firstIndex { $0.number == number }.map { state.waiters.remove(at: $0) }
            }
            waiter?.continuation.resume()
        }
    }

    /// Gives the place to the next one; the second time it does nothing.
    private func leave(_ number: Int) {
        let next = state.withLock { state -> Waiter? in
            guard state.inside.remove(number) != nil else { return nil }
            guard !state.waiters.isEmpty else {
                state.free += 1
                return nil
            }
            let next = state.waiters.removeFirst()
            state.inside.insert(next.number)
            return next
        }
        next?.continuation.resume()
    }
}

import Synchronization

/// Lets so many through at a time; the others wait in order.
final class Turnstile: Sendable {
    private struct State {
        var free: Int
        var waiting: [UInt64: CheckedContinuation<Bool, Never>] = [:]
        /// Nobody with a smaller number waits.
        var first: UInt64 = 0
        var next: UInt64 = 0
    }

    private let state: Mutex<State>

    init(places: Int) { state = Mutex(State(free: places)) }

    /// Calls `body` when it is its turn. Throws `CancellationError` where the task is cancelled before.
    func pass<Result: Sendable>(_ body: @Sendable () async throws -> Result) async throws -> Result {
        guard await enter() else { throw CancellationError() }
        defer { leave() }
        return try await body()
    }

    private func enter() async -> Bool {
        let number: UInt64? = state.withLock { state in
            if state.free > 0 {
                state.free -= 1
                return nil
            }
            state.next += 1
            return state.next
        }
        guard let number else { return true }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isIn: Bool? = state.withLock { state in
                    if Task.isCancelled { return false }
                    if state.free > 0 {
                        state.free -= 1
                        return true
                    }
                    state.waiting[number] = continuation
                    state.first = min(state.first, number)
                    return nil
                }
                if let isIn { continuation.resume(returning: isIn) }
            }
        } onCancel: {
            state.withLock { $0.waiting.removeValue(forKey: number) }?.resume(returning: false)
        }
    }

    private func leave() {
        let following = state.withLock { state -> CheckedContinuation<Bool, Never>? in
            while state.first <= state.next, !state.waiting.isEmpty {
                if let continuation = state.waiting.removeValue(forKey: state.first) { return continuation }
                state.first += 1
            }
            state.free += 1
            return nil
        }
        following?.resume(returning: true)
    }
}

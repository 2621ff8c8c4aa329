internal import Synchronization

/// Lets so many tasks at a time through to something that is slower the more use it at once; the others wait in the order in which they came.
package final class Turnstile: Sendable {
    /// After how long somebody inside no longer counts, so that what hangs never keeps the others waiting for long.
    package struct Patience: Sendable {
        let duration: Duration
        let clock: any MomentSource

        package init(_ duration: Duration, clock: any MomentSource) {
            self.duration = duration
            self.clock = clock
        }
    }

    /// Those who wait, by the number of their coming.
    private struct Queue {
        private var waiting: [UInt64: CheckedContinuation<Bool, Never>] = [:]
        /// Nobody with a smaller number waits.
        private var first = UInt64.max

        mutating func append(_ number: UInt64, _ continuation: CheckedContinuation<Bool, Never>) {
            first = waiting.isEmpty ? number : min(first, number)
            waiting[number] = continuation
        }

        mutating func remove(_ number: UInt64) -> CheckedContinuation<Bool, Never>? { waiting.removeValue(forKey: number) }

        mutating func removeFirst() -> (number: UInt64, continuation: CheckedContinuation<Bool, Never>)? {
            guard !waiting.isEmpty else { return nil }
            while true {
                let number = first
                first += 1
                if let continuation = waiting.removeValue(forKey: number) { return (number, continuation) }
            }
        }
    }

    private struct State {
        var free: Int
        var next: UInt64 = 0
        /// Who is through and counts.
        var inside: Set<UInt64> = []
        var urgent = Queue()
        var others = Queue()
    }

    private let patience: Patience?
    private let state: Mutex<State>

    package init(places: Int, patience: Patience? = nil) {
        self.patience = patience
        state = Mutex(State(free: places))
    }

    /// Calls `body` when it is its turn; what is urgent goes before what is not. Throws `CancellationError` where the task is cancelled before.
    package func pass<Result: Sendable>(isUrgent: Bool = false, _ body: @Sendable () async throws -> Result) async throws -> Result {
        let number = state.withLock { state in
            state.next += 1
            return state.next
        }
        guard await enter(number, isUrgent) else { throw CancellationError() }
        defer { leave(number) }
        guard let patience else { return try await body() }
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { [self] in
                try await patience.clock.wait(until: patience.clock.now().uptime + patience.duration)
                leave(number)
            }
            defer { tasks.cancelAll() }
            return try await body()
        }
    }

    private func enter(_ number: UInt64, _ isUrgent: Bool) async -> Bool {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isIn: Bool? = state.withLock { state in
                    if Task.isCancelled { return false }
                    if state.free > 0 {
                        state.free -= 1
                        state.inside.insert(number)
                        return true
                    }
                    if isUrgent { state.urgent.append(number, continuation) } else { state.others.append(number, continuation) }
                    return nil
                }
                if let isIn { continuation.resume(returning: isIn) }
            }
        } onCancel: {
            state.withLock { $0.urgent.remove(number) ?? $0.others.remove(number) }?.resume(returning: false)
        }
    }

    /// Gives the place to the next one; the second time it does nothing.
    private func leave(_ number: UInt64) {
        let next = state.withLock { state -> CheckedContinuation<Bool, Never>? in
            guard state.inside.remove(number) != nil else { return nil }
            guard let next = state.urgent.removeFirst() ?? state.others.removeFirst() else {
                state.free += 1
                return nil
            }
            state.inside.insert(next.number)
            return next.continuation
        }
        next?.resume(returning: true)
    }
}

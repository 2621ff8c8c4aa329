import Synchronization

/// A queue from one event loop to one reader that never drops and never grows without limit.
///
/// The producer learns from `offer` when to stop reading its socket, and from `onDemand` when to go on.
final class BoundedInbox<Element: Sendable>: Sendable {
    private struct State {
        var queue: [(element: Element, cost: Int)] = []
        var head = 0
        var cost = 0
        var isPaused = false
        var end: Result<Void, any Error>?
        var reader: CheckedContinuation<Element?, any Error>?
        var onDemand: (@Sendable () -> Void)?
    }

    private enum Step {
        case give(Element?, demand: (@Sendable () -> Void)?)
        case fail(any Error)
        case wait
    }

    private let state: Mutex<State>
    private let limit: Int

    /// `limit` is in units of the costs that `offer` is told; one element is always taken, however large.
    init(limit: Int, onDemand: (@Sendable () -> Void)? = nil) {
        self.limit = limit
        state = Mutex(State(onDemand: onDemand))
    }

    func setDemandHandler(_ handler: @escaping @Sendable () -> Void) { state.withLock { $0.onDemand = handler } }

    /// Queues an element; false means that the producer has to pause until it is asked for more.
    func offer(_ element: Element, cost: Int) -> Bool {
        let (reader, goOn) = state.withLock { state -> (CheckedContinuation<Element?, any Error>?, Bool) in
            guard state.end == nil else { return (nil, true) }
            if let reader = state.reader {
                state.reader = nil
                return (reader, true)
            }
            state.queue.append((element, cost))
            state.cost += cost
            state.isPaused = state.cost >= limit
            return (nil, !state.isPaused)
        }
        reader?.resume(returning: element)
        return goOn
    }

    /// No more elements will come; the reader first gets what is queued. Only the first call counts.
    func finish(throwing error: (any Error)? = nil) {
        let reader = state.withLock { state -> CheckedContinuation<Element?, any Error>? in
            guard state.end == nil else { return nil }
            state.end = error.map { .failure($0) } ?? .success(())
            state.onDemand = nil
            defer { state.reader = nil }
            return state.reader
        }
        if let error { reader?.resume(throwing: error) } else { reader?.resume(returning: nil) }
    }

    /// The next element, nil at the end; throws what `finish` was given, `CancellationError` when the reading task is cancelled.
    func next() async throws -> Element? {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let step = state.withLock { state in
                    let step = Self.take(&state, limit: limit)
                    if case .wait = step {
                        if Task.isCancelled { return Step.fail(CancellationError()) }
                        precondition(state.reader == nil, "an inbox has one reader at a time")
                        state.reader = continuation
                    }
                    return step
                }
                switch step {
                case .give(let element, let demand):
                    continuation.resume(returning: element)
                    demand?()
                case .fail(let error): continuation.resume(throwing: error)
                case .wait: break
                }
            }
        } onCancel: {
            let reader = state.withLock { state in
                defer { state.reader = nil }
                return state.reader
            }
            reader?.resume(throwing: CancellationError())
        }
    }

    private static func take(_ state: inout State, limit: Int) -> Step {
        if state.head < state.queue.count {
            let (element, cost) = state.queue[state.head]
            state.head += 1
            state.cost -= cost
            if state.head == state.queue.count {
                state.queue.removeAll(keepingCapacity: state.head <= 64)
                state.head = 0
            } else if state.head >= 256 {
                state.queue.removeFirst(state.head)
                state.head = 0
            }
            guard state.isPaused, state.cost <= limit / 2 else { return .give(element, demand: nil) }
            state.isPaused = false
            return .give(element, demand: state.onDemand)
        }
        switch state.end {
        case .success: return .give(nil, demand: nil)
        case .failure(let error): return .fail(error)
        case nil: return .wait
        }
    }
}

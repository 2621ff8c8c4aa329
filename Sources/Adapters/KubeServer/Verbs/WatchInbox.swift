import KubeMachinery
import Synchronization

/// A place for one input of a watch: whoever puts waits until there is room, so that nothing piles up here.
final class WatchInbox: Sendable {
    enum Input: Sendable { case event(StorageEvent), bookmark, end }

    private struct State {
        var slot: Input?
        var taker: CheckedContinuation<Input?, Never>?
        var putters: [(input: Input, continuation: CheckedContinuation<Void, Never>)] = []
        var isClosed = false
    }

    private let state = Mutex(State())

    // Nobody is woken under the lock: waking takes a lock of the task, which its cancellation holds when it comes here.

    /// Returns once the input has its place, or at once where the inbox is closed.
    func put(_ input: Input) async {
        await withCheckedContinuation { continuation in
            let (isPut, taker) = state.withLock { state -> (Bool, CheckedContinuation<Input?, Never>?) in
                if state.isClosed { return (true, nil) }
                if let taker = state.taker {
                    state.taker = nil
                    return (true, taker)
                }
                if state.slot == nil {
                    state.slot = input
                    return (true, nil)
                }
                state.putters.append((input, continuation))
                return (false, nil)
            }
            taker?.resume(returning: input)
            if isPut { continuation.resume() }
        }
    }

    /// The next input; nil once the inbox is closed. For one taker.
    func next() async -> Input? {
        await withCheckedContinuation { continuation in
            let (isAnswered, input, putter) = state.withLock { state -> (Bool, Input?, CheckedContinuation<Void, Never>?) in
                if state.isClosed { return (true, nil, nil) }
                guard let input = state.slot else {
                    state.taker = continuation
                    return (false, nil, nil)
                }
                state.slot = nil
                guard !state.putters.isEmpty else { return (true, input, nil) }
                let first = state.putters.removeFirst()
                state.slot = first.input
                return (true, input, first.continuation)
            }
            putter?.resume()
            if isAnswered { continuation.resume(returning: input) }
        }
    }

    /// Lets everybody go; from now on nothing is put and nothing is taken.
    func close() {
        let (taker, putters) = state.withLock { state in
            defer {
                state.isClosed = true
                state.slot = nil
                state.taker = nil
                state.putters = []
            }
            return (state.taker, state.putters)
        }
        taker?.resume(returning: nil)
        for putter in putters { putter.continuation.resume() }
    }
}

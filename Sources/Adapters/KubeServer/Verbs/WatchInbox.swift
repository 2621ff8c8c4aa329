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

    /// Returns once the input has its place, or at once where the inbox is closed.
    func put(_ input: Input) async {
        await withCheckedContinuation { continuation in
            state.withLock { state in
                if state.isClosed {
                    continuation.resume()
                } else if let taker = state.taker {
                    state.taker = nil
                    taker.resume(returning: input)
                    continuation.resume()
                } else if state.slot == nil {
                    state.slot = input
                    continuation.resume()
                } else {
                    state.putters.append((input, continuation))
                }
            }
        }
    }

    /// The next input; nil once the inbox is closed. For one taker.
    func next() async -> Input? {
        await withCheckedContinuation { continuation in
            state.withLock { state in
                if state.isClosed {
                    continuation.resume(returning: nil)
                } else if let input = state.slot {
                    state.slot = nil
                    if !state.putters.isEmpty {
                        let first = state.putters.removeFirst()
                        state.slot = first.input
                        first.continuation.resume()
                    }
                    continuation.resume(returning: input)
                } else {
                    state.taker = continuation
                }
            }
        }
    }

    /// Lets everybody go; from now on nothing is put and nothing is taken.
    func close() {
        state.withLock { state in
            state.isClosed = true
            state.slot = nil
            state.taker?.resume(returning: nil)
            state.taker = nil
            for putter in state.putters { putter.continuation.resume() }
            state.putters = []
        }
    }
}

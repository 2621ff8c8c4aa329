import Synchronization

/// Everybody who wants to know whether the cloud is there.
final class ConnectivityObservers: Sendable {
    private struct State {
        var continuations: [Int: AsyncStream<Bool>.Continuation] = [:]
        var last = 0
    }

    private let state = Mutex(State())

    /// The state now, then the newest change.
    func stream(now: Bool) -> AsyncStream<Bool> {
        let (stream, continuation) = AsyncStream<Bool>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let number = state.withLock { state in
            state.last += 1
            state.continuations[state.last] = continuation
            return state.last
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { $0.continuations[number] = nil }
        }
        continuation.yield(now)
        return stream
    }

    func tell(_ isOnline: Bool) {
        for continuation in state.withLock({ Array($0.continuations.values) }) { continuation.yield(isOnline) }
    }

    func finish() {
        for continuation in state.withLock({ Array($0.continuations.values) }) { continuation.finish() }
    }
}

/// Ids of requests that nobody waits for any more, until the hub takes them.
final class AbandonedRequests: Sendable {
    private let ids = Mutex<[String]>([])

    func insert(_ id: String) { ids.withLock { $0.append(id) } }

    func take() -> [String] {
        ids.withLock { ids in
            defer { ids = [] }
            return ids
        }
    }
}

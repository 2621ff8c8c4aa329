import DeliveryCore
import EdgeMessages
import KubeMachinery
import Primitives
import Synchronization

@testable import MetaManager

/// A cloud that takes reports, or does not.
final class ReportCloud: ReportUplink {
    struct State {
        var isConnected = false
        var confirms = true
        /// What it says to each report; nil for a connection that breaks before the answer.
        var answer: @Sendable (EdgeMessage) -> JSONValue? = { _ in "OK" }
        var taken: [(message: EdgeMessage, proof: ReportProof)] = []
        var followers: [AsyncStream<Bool>.Continuation] = []
    }

    let state = Mutex(State())

    func report(_ message: EdgeMessage, proof: ReportProof, timeout: Duration) async throws -> EdgeMessage {
        try state.withLock { state in
            guard state.isConnected else { throw UplinkError.notConnected }
            state.taken.append((message, proof))
            guard let content = state.answer(message) else { throw UplinkError.connectionLost }
            return proof == .answer ? message.response(content) : message
        }
    }

    func request(_ message: EdgeMessage, timeout: Duration) async throws -> EdgeMessage { throw UplinkError.notConnected }
    func post(_ message: EdgeMessage) async {}
    func isConnected() async -> Bool { state.withLock { $0.isConnected } }
    func offers(_ capability: PeerCapability) async -> Bool { state.withLock { $0.isConnected && $0.confirms && capability == .confirmations } }

    func connectivity() async -> AsyncStream<Bool> {
        let (stream, continuation) = AsyncStream.makeStream(of: Bool.self)
        state.withLock {
            $0.followers.append(continuation)
            continuation.yield($0.isConnected)
        }
        return stream
    }

    func connect(_ isConnected: Bool = true) {
        state.withLock { state in
            state.isConnected = isConnected
            for follower in state.followers { follower.yield(isConnected) }
        }
    }

    /// The ids of what it was sent, in order.
    var ids: [String] { state.withLock { $0.taken.map(\.message.header.id) } }
}

/// A shelf that the edge dies at, that waits, or that counts.
final class TroubledShelf: OutboxShelf {
    struct Dead: Error {}

    enum Death: Sendable, Hashable { case before, after }

    private struct State {
        var commits: [OutboxBatch] = []
        var isDead = false
    }

    private let shelf: StoredOutbox
    private let death: (commit: Int, Death)?
    private let gate: Signal?
    private let state = Mutex(State())

    /// Dies at a commit (the first is 0), before or after it is on the disk; with a gate each commit waits for it.
    init(_ shelf: StoredOutbox, death: (commit: Int, Death)? = nil, gate: Signal? = nil) {
        self.shelf = shelf
        self.death = death
        self.gate = gate
    }

    var commits: [OutboxBatch] { state.withLock { $0.commits } }
    var isDead: Bool { state.withLock { $0.isDead } }

    func summaries() async throws -> [OutboxSummary] { try await shelf.summaries() }

    func commit(_ batch: OutboxBatch) async throws {
        let number = state.withLock { state in
            state.commits.append(batch)
            return state.commits.count - 1
        }
        await gate?.wait()
        if state.withLock({ $0.isDead }) { throw Dead() }
        guard let death, death.commit == number else { return try await shelf.commit(batch) }
        if death.1 == .after { try await shelf.commit(batch) }
        state.withLock { $0.isDead = true }
        throw Dead()
    }

    func row(_ number: UInt64) async throws -> OutboxRow? {
        if state.withLock({ $0.isDead }) { throw Dead() }
        return try await shelf.row(number)
    }
}

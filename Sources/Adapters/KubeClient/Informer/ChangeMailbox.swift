import KubeMachinery
import Synchronization

/// Changes on their way to one reader, at most one step for each object.
///
/// A reader that is slow finds the changes of an object joined (an update over an addition stays an addition, an object that came and
/// went is not told at all), so that what waits is bounded by the objects that are there and those that were there when it last read.
final class ChangeMailbox: Sendable {
    fileprivate struct State {
        var pending: [ObjectKey: [InformerChange]] = [:]
        /// Keys in the order in which they became pending; keys without a pending change are skipped.
        var order: [ObjectKey] = []
        var head = 0
        var waiter: CheckedContinuation<InformerChange?, Never>?
        var isClosed = false
    }

    private let state = Mutex(State())

    func post(_ change: InformerChange) {
        let handover = state.withLock { state -> (CheckedContinuation<InformerChange?, Never>, InformerChange)? in
            guard !state.isClosed else { return nil }
            if let waiter = state.waiter {
                state.waiter = nil
                return (waiter, change)
            }
            state.add(change)
            return nil
        }
        if let (waiter, change) = handover { waiter.resume(returning: change) }
    }

    /// How many places are kept for what waits.
    var room: Int { state.withLock { $0.order.count } }

    /// Ends the reader's sequence; what waits is dropped.
    func close() {
        let waiter = state.withLock { state in
            state.isClosed = true
            state.pending = [:]
            state.order = []
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: nil)
    }

    /// The next change; nil once the mailbox is closed or the reader's task cancelled. One reader at a time.
    func next() async -> InformerChange? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                enum Answer { case now(InformerChange?), later }
                let answer = state.withLock { state -> Answer in
                    if state.isClosed || state.waiter != nil { return .now(nil) }
                    if let change = state.take() { return .now(change) }
                    state.waiter = continuation
                    return .later
                }
                if case .now(let change) = answer { continuation.resume(returning: change) }
            }
        } onCancel: {
            close()
        }
    }
}

extension ChangeMailbox.State {
    mutating func add(_ change: InformerChange) {
        let key = change.object.key
        guard let waiting = pending[key] else {
            pending[key] = [change]
            order.append(key)
            if order.count > 2 * pending.count + 64 { compact() }
            return
        }
        let joined = Self.join(waiting, change)
        pending[key] = joined.isEmpty ? nil : joined
    }

    mutating func take() -> InformerChange? {
        while head < order.count {
            let key = order[head]
            guard var changes = pending[key], !changes.isEmpty else {
                head += 1
                continue
            }
            let change = changes.removeFirst()
            if changes.isEmpty {
                pending[key] = nil
                head += 1
            } else {
                pending[key] = changes
            }
            return change
        }
        order = []
        head = 0
        return nil
    }

    private mutating func compact() {
        var seen: Set<ObjectKey> = []
        order = order[head...].filter { pending[$0] != nil && seen.insert($0).inserted }
        head = 0
    }

    /// What is left to tell of one object once `change` has followed `waiting`: never more than a deletion and an addition.
    private static func join(_ waiting: [InformerChange], _ change: InformerChange) -> [InformerChange] {
        guard let last = waiting.last else { return [change] }
        let before = waiting.dropLast()
        switch (last, change) {
        case (.added, .updated(_, let new)), (.added, .added(let new)): return before + [.added(new)]
        case (.updated(let old, _), .updated(_, let new)), (.updated(let old, _), .added(let new)): return before + [.updated(old: old, new: new)]
        case (.added, .deleted): return Array(before)
        case (.updated, .deleted(let gone)), (.deleted, .deleted(let gone)): return before + [.deleted(gone)]
        case (.deleted(let old), .added(let new)), (.deleted(let old), .updated(_, let new)):
            return old.uid == new.uid ? before + [.updated(old: old, new: new)] : waiting + [.added(new)]
        }
    }
}

import DequeModule
internal import EdgeMessages
package import Primitives

/// A transaction under way: what changes in the index once it is on the disk, and who waits for it.
struct OutboxPlan: Sendable {
    /// Rows to be written, in order.
    var rows: [OutboxRow] = []
    var posts: [OutboxPost] = []
    /// States on the disk whose rows are written anew or removed; nobody sends them meanwhile.
    var replaced: [UInt64] = []
    /// Those of `replaced` whose successor has a row of its own.
    var obsolete: [UInt64] = []
    /// Events that make room.
    var dropped: [UInt64] = []
    /// How many of the rows that are done with are removed too.
    var removalCount = 0
    var bytes: Int
    var count: Int
}

extension OutboxCore {
    /// Whether `nextWrite` would give a batch now.
    package var hasWrite: Bool { isRestored && writing == nil && (!unwritten.isEmpty || areRemovalsDue) }

    /// The next transaction; the shell performs it and calls `writeFinished`. nil where there is none, or one is under way.
    ///
    /// The directives are for reports that found no room.
    package mutating func nextWrite() -> (batch: OutboxBatch?, directives: [OutboxDirective]) {
        guard hasWrite else { return (nil, []) }
        var plan = OutboxPlan(bytes: bytes, count: entries.count)
        var directives: [OutboxDirective] = []
        while plan.posts.count < configuration.batchLimit, let post = unwritten.popFirst() {
            unwrittenBytes -= post.size
            if !add(post, to: &plan) { directives.append(refuse(post)) }
        }
        plan.removalCount = removals.count
        let batch = OutboxBatch(puts: plan.rows, removals: removals + plan.obsolete + plan.dropped)
        guard !batch.puts.isEmpty || !batch.removals.isEmpty else { return (nil, directives) }
        writing = plan
        (removalDue, areRemovalsDue) = (nil, false)
        return (batch, directives)
    }

    /// Adds a report to a transaction; false where there is no room for it.
    private mutating func add(_ post: OutboxPost, to plan: inout OutboxPlan) -> Bool {
        let lane = post.message.lane
        var place = Place.end
        if case .state(let key) = post.kind { place = placeOfState(OutboxStateKey(lane: lane, key: key), in: plan) }
        var freed = 0
        switch place {
        case .end: break
        case .row(let index): freed = plan.rows[index].size
        case .disk(let number), .diskThenEnd(let number): freed = entries[number]?.size ?? 0
        }
        guard makeRoom(bytes: post.size - freed, count: place == .end ? 1 : 0, in: &plan) else { return false }
        plan.posts.append(post)
        switch place {
        case .end: break
        case .row(let index):
            let number = plan.rows[index].number
            let isLast = !plan.rows[(index + 1)...].contains { $0.kind.isEvent && $0.lane == lane }
            if isLast {
                plan.rows[index] = OutboxRow(number: number, kind: post.kind, message: post.message, size: post.size)
                return true
            }
            plan.rows.remove(at: index)
            // It may have stood in the place of one on the disk, which is obsolete then.
            if entries[number] != nil { plan.obsolete.append(number) }
        case .disk(let number):
            hold(number, in: &plan)
            plan.rows.append(OutboxRow(number: number, kind: post.kind, message: post.message, size: post.size))
            return true
        case .diskThenEnd(let number):
            hold(number, in: &plan)
            plan.obsolete.append(number)
        }
        lastNumber += 1
        plan.rows.append(OutboxRow(number: lastNumber, kind: post.kind, message: post.message, size: post.size))
        return true
    }

    private enum Place: Equatable {
        case end
        /// In the place of a row of the same transaction, or behind the lane's events after it.
        case row(Int)
        /// In the place of one on the disk.
        case disk(UInt64)
        /// At the end, and one on the disk goes.
        case diskThenEnd(UInt64)
    }

    private func placeOfState(_ state: OutboxStateKey, in plan: OutboxPlan) -> Place {
        let kind = ReportKind.state(key: state.key)
        if let index = plan.rows.lastIndex(where: { $0.kind == kind && $0.lane == state.lane }) { return .row(index) }
        guard let number = states[state], entries[number]?.phase == .waiting else { return .end }
        let isBehindEvent = (lanes[state.lane]?.lastEvent ?? 0) > number || plan.rows.contains { $0.kind.isEvent && $0.lane == state.lane }
        return isBehindEvent ? .diskThenEnd(number) : .disk(number)
    }

    private mutating func hold(_ number: UInt64, in plan: inout OutboxPlan) {
        entries[number]?.phase = .held
        plan.replaced.append(number)
    }

    /// Drops events that wait, the oldest first, until so much more fits; changes nothing where it never would.
    private mutating func makeRoom(bytes more: Int, count one: Int, in plan: inout OutboxPlan) -> Bool {
        var (bytes, count) = (plan.bytes + more, plan.count + one)
        var dropped: [UInt64] = []
        var index = events.startIndex
        while bytes > configuration.byteLimit || count > configuration.countLimit {
            guard index < events.endIndex else { return false }
            let number = events[index]
            index += 1
            guard let entry = entries[number], entry.phase == .waiting else { continue }
            dropped.append(number)
            bytes -= entry.size
            count -= 1
        }
        for number in dropped { entries[number]?.phase = .held }
        while let first = events.first, entries[first] == nil { events.removeFirst() }
        plan.dropped += dropped
        (plan.bytes, plan.count) = (bytes, count)
        return true
    }

    /// Says that the transaction of `nextWrite` is on the disk, or that nothing of it is.
    package mutating func writeFinished(failure: String? = nil, now: Moment) -> [OutboxDirective] {
        guard let plan = writing else { preconditionFailure("a write of the outbox ended that was not under way") }
        writing = nil
        guard let failure else { return written(plan, now: now) }
        for number in plan.replaced + plan.dropped {
            entries[number]?.phase = .waiting
            if let lane = entries[number]?.lane { offer(lane) }
        }
        if !removals.isEmpty { removalDue = now.uptime + writeBackoff.next() }
        let error = OutboxError(code: .notWritten, message: "the report is not kept: \(failure)")
        return plan.posts.map { .resume(ticket: $0.ticket, error) } + [.note(.notWritten(cause: failure))]
    }

    private mutating func written(_ plan: OutboxPlan, now: Moment) -> [OutboxDirective] {
        writeBackoff.reset()
        removals.removeFirst(plan.removalCount)
        var directives: [OutboxDirective] = []
        if let last = plan.dropped.last, let lane = entries[last]?.lane {
            droppedEvents += UInt64(plan.dropped.count)
            directives.append(.note(.dropped(count: plan.dropped.count, lane: lane)))
        }
        for number in plan.obsolete + plan.dropped { erase(number) }
        for row in plan.rows {
            // What became obsolete by this transaction is removed in it: only one that came back from the wire meanwhile is left.
            if let older = integrate(row.summary) { forget(older, now: now) }
        }
        return plan.posts.map { .resume(ticket: $0.ticket, nil) } + directives
    }
}

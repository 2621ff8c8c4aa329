import DequeModule
package import Primitives

extension OutboxCore {
    /// The cloud is there.
    package mutating func connected(now: Moment) {
        line += 1
        isConnected = true
        pausedUntil = nil
        for lane in delayed.sorted() { resume(lane) }
    }

    /// The cloud is gone. Reports that are out come back one by one, with `finished`.
    package mutating func disconnected() { isConnected = false }

    /// The next report to be sent; call until nil. Every one that is given ends in `finished`.
    package mutating func nextTurn(now: Moment) -> OutboxTurn? {
        guard isRestored, isConnected, outCount < configuration.window, pausedUntil.map({ $0 <= now.uptime }) ?? true else { return nil }
        while let lane = turns.popFirst() {
            queued.remove(lane)
            guard mayGo(lane), let number = lanes[lane]?.numbers.first else { continue }
            entries[number]?.phase = .out
            outCount += 1
            return OutboxTurn(number: number, lane: lane, line: line)
        }
        return nil
    }

    /// Whether `nextTurn` may give one now.
    package func hasTurn(now: Moment) -> Bool {
        isRestored && isConnected && outCount < configuration.window && !turns.isEmpty && pausedUntil.map { $0 <= now.uptime } ?? true
    }

    private func mayGo(_ lane: String) -> Bool {
        guard let state = lanes[lane], state.retryAt == nil, let first = state.numbers.first else { return false }
        return entries[first]?.phase == .waiting
    }

    /// Gives a lane its turn where its first report may go.
    mutating func offer(_ lane: String) {
        guard mayGo(lane), queued.insert(lane).inserted else { return }
        turns.append(lane)
        guard turns.count > 2 * lanes.count + 64 else { return }
        turns.removeAll { lanes[$0] == nil }
        queued = Set(turns)
    }

    /// Says what became of a report that `nextTurn` gave.
    package mutating func finished(_ turn: OutboxTurn, _ outcome: OutboxOutcome, now: Moment) -> [OutboxDirective] {
        guard entries[turn.number]?.phase == .out else { preconditionFailure("the report \(turn.number) was not out") }
        outCount -= 1
        entries[turn.number]?.phase = .waiting
        switch outcome {
        case .confirmed:
            lanes[turn.lane]?.backoff.reset()
            lineBackoff.reset()
            forget(turn.number, now: now)
            return []
        case .refused(let cause):
            forget(turn.number, now: now)
            return [.note(.refused(lane: turn.lane, cause: cause))]
        case .unreadable(let cause):
            forget(turn.number, now: now)
            return [.note(.unreadable(lane: turn.lane, cause: cause))]
        case .later(let cause):
            if let pause = lanes[turn.lane]?.backoff.next() { delay(turn.lane, until: now.uptime + pause) }
            comeBack(turn, now: now)
            return [.note(.putOff(lane: turn.lane, cause: cause))]
        case .lost:
            // With the connection gone the next one begins anew. That it is not gone after all ends with the pause.
            if turn.line == line { pausedUntil = max(pausedUntil ?? .zero, now.uptime + lineBackoff.next()) }
            comeBack(turn, now: now)
            return []
        }
    }

    /// A report is to be sent again, unless a newer state has come meanwhile.
    private mutating func comeBack(_ turn: OutboxTurn, now: Moment) {
        if let entry = entries[turn.number], case .state(let key) = entry.kind,
            let newest = states[OutboxStateKey(lane: entry.lane, key: key)], newest != turn.number
        {
            return forget(turn.number, now: now)
        }
        offer(turn.lane)
    }

    private mutating func delay(_ lane: String, until time: Duration) {
        lanes[lane]?.retryAt = time
        delayed.insert(lane)
    }

    private mutating func resume(_ lane: String) {
        lanes[lane]?.retryAt = nil
        delayed.remove(lane)
        offer(lane)
    }

    /// When `timerFired` has to be called at the latest.
    package var nextDeadline: Duration? {
        var deadlines = delayed.compactMap { lanes[$0]?.retryAt }
        if let pausedUntil, isConnected { deadlines.append(pausedUntil) }
        if let removalDue, isRestored { deadlines.append(removalDue) }
        return deadlines.min()
    }

    /// Does what is due; afterwards there may be something to send or to write.
    package mutating func timerFired(now: Moment) {
        if let pausedUntil, pausedUntil <= now.uptime { self.pausedUntil = nil }
        if let removalDue, removalDue <= now.uptime, isRestored { (self.removalDue, areRemovalsDue) = (nil, true) }
        for lane in delayed.sorted() { if let time = lanes[lane]?.retryAt, time <= now.uptime { resume(lane) } }
    }
}

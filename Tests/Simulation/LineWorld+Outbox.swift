import EdgeMessages
import EdgeTesting
import Primitives

@testable import DeliveryCore

/// The disk of the outbox, and a transaction that is being synced.
struct ModelOutboxDisk {
    var rows: [UInt64: OutboxRow] = [:]
    var writing: OutboxBatch?

    mutating func commit(_ batch: OutboxBatch) {
        for number in batch.removals { rows[number] = nil }
        for row in batch.puts { rows[row.number] = row }
        writing = nil
    }
}

extension LineWorld {
    /// Small outboxes drop, large ones do not.
    static func outboxConfiguration(using generator: inout SeededGenerator) -> OutboxCore.Configuration {
        var configuration = OutboxCore.Configuration()
        configuration.countLimit = [6, 20, 400].randomElement(using: &generator) ?? 20
        configuration.byteLimit = [3000, 200_000].randomElement(using: &generator) ?? 3000
        configuration.reportLimit = 600
        configuration.window = Int.random(in: 1...6, using: &generator)
        configuration.batchLimit = Int.random(in: 1...8, using: &generator)
        return configuration
    }

    // MARK: - Callers

    mutating func postReports() {
        guard !isCalm else { return }
        queue.schedule(at: after(0.1...3), .post)
        let burst = chance(0.1) ? 12 : Int.random(in: 1...3, using: &generator)
        for _ in 0..<burst where isEdgeUp { postReport() }
    }

    private mutating func postReport() {
        let device = "device/default/d\(Int.random(in: 0...1, using: &generator))"
        let (group, operation, resource, kind): (String, String, String, ReportKind) =
            switch Int.random(in: 0..<6, using: &generator) {
            case 0, 1: (EdgeGroup.resource, EdgeOperation.update, "\(device)/twin/edge_updated", .state(key: "twin"))
            case 2: (EdgeGroup.resource, EdgeOperation.update, "\(device)/state/update", .state(key: "state"))
            case 3: (EdgeGroup.user, EdgeOperation.upload, "\(device)/alarm", .event)
            default: (EdgeGroup.user, EdgeOperation.upload, "topic/\(Int.random(in: 0...2, using: &generator))", .event)
            }
        let isTwin = group == EdgeGroup.resource
        let text = String(repeating: "x", count: Int.random(in: 0...300, using: &generator))
        let message = EdgeMessage(
            source: isTwin ? EdgeSource.twin : EdgeSource.bus, group: group, operation: operation, resource: resource, content: .string(text),
            id: freshID(), now: now.wall)
        reports.posted(message, kind)
        let (ticket, directives) = outbox.post(message, as: kind)
        tickets[ticket] = message.header.id
        perform(directives)
    }

    private mutating func answered(_ ticket: UInt64, _ error: OutboxError?) {
        guard let id = tickets.removeValue(forKey: ticket), let report = reports[id] else { return violate("a caller was answered twice") }
        guard error == nil else {
            if report.firstApplied != nil { violate("report \(report.number) was refused after the cloud had it") }
            return reports.refused(id)
        }
        reports.acknowledged(id)
        let isKept = outboxDisk.rows.values.contains { row in
            guard row.message.header.id != id else { return true }
            guard !report.kind.isEvent, row.kind == report.kind, row.lane == report.lane else { return false }
            return (reports[row.message.header.id]?.number ?? 0) > report.number
        }
        if !isKept { violate("report \(report.number) was acknowledged and is not on the disk") }
    }

    // MARK: - The shell

    /// Whether the edge is killed right here.
    private mutating func edgeIsStruck() -> Bool {
        guard !isCalm, isEdgeUp, chance(0.0005) else { return false }
        edgeStops()
        return true
    }

    mutating func perform(_ directives: [OutboxDirective]) {
        for directive in directives {
            if edgeIsStruck() { return }
            switch directive {
            case .resume(let ticket, let error): answered(ticket, error)
            case .note: break
            }
        }
        pumpOutbox()
    }

    mutating func pumpOutbox() {
        guard isEdgeUp else { return }
        let (batch, directives) = outbox.nextWrite()
        if let batch {
            outboxDisk.writing = batch
            late.removeAll()
            if edgeIsStruck() { return }
            let isSlow = !isCalm && chance(0.05)
            queue.schedule(at: after(isSlow ? 1...5 : 0.001...0.03), .outboxWritten(life: edgeLife))
        }
        if !directives.isEmpty { return perform(directives) }
        while let turn = outbox.nextTurn(now: now) {
            guard let row = outboxDisk.rows[turn.number] else { return violate("report \(turn.number) is to be sent before it is on the disk") }
            if edgeIsStruck() { return }
            var message = row.message
            message.wantsAnswer = isConfirming
            guard turnsOut.updateValue(turn, forKey: message.header.id) == nil else { return violate("a report is out twice") }
            if turnsOut.values.count(where: { $0.lane == turn.lane }) > 1 { violate("two reports of \(turn.lane) are out at once") }
            let life = edgeLife
            perform(edge.report(message, proof: message.proof(isConfirmed: isConfirming), timeout: reportTimeout, now: now))
            guard life == edgeLife, isEdgeUp else { return }
        }
        armOutbox()
    }

    private mutating func armOutbox() {
        guard let deadline = outbox.nextDeadline else { return }
        if let outboxTimer, outboxTimer <= deadline { return }
        outboxTimer = deadline
        queue.schedule(at: deadline, .outboxTimer(life: edgeLife))
    }

    mutating func outboxTimerFires() {
        outboxTimer = nil
        outbox.timerFired(now: now)
        pumpOutbox()
    }

    mutating func outboxWritten() {
        guard let batch = outboxDisk.writing else { return violate("a write ended that was not under way") }
        guard !chance(applyFailureRate) else {
            outboxDisk.writing = nil
            return perform(outbox.writeFinished(failure: "the disk is full", now: now))
        }
        checkDrops(batch)
        outboxDisk.commit(batch)
        if outboxDisk.rows.count > outbox.configuration.countLimit { violate("\(outboxDisk.rows.count) reports are on the disk") }
        let bytes = outboxDisk.rows.values.reduce(0) { $0 + $1.size }
        if bytes > outbox.configuration.byteLimit { violate("reports of \(bytes) bytes are on the disk") }
        if edgeIsStruck() { return }
        perform(outbox.writeFinished(now: now))
    }

    /// Only events are dropped, none before an older one that waits, and only where room is wanted.
    private mutating func checkDrops(_ batch: OutboxBatch) {
        let removed = Set(batch.removals)
        let dropped = removed.filter { number in
            guard let row = outboxDisk.rows[number], row.kind.isEvent else { return false }
            return !confirmed.contains(row.message.header.id)
        }
        for number in removed.subtracting(dropped) {
            guard let row = outboxDisk.rows[number], !row.kind.isEvent, !confirmed.contains(row.message.header.id) else { continue }
            let isReplaced = (Array(outboxDisk.rows.values) + batch.puts).contains {
                $0.number > number && $0.kind == row.kind && $0.lane == row.lane
            }
            if !isReplaced { violate("the state \(number) of \(row.lane) was dropped") }
        }
        guard let last = dropped.max() else { return }
        for (number, row) in outboxDisk.rows where number < last && row.kind.isEvent && !removed.contains(number) {
            if !turnsOut.values.contains(where: { $0.number == number }) && !confirmed.contains(row.message.header.id) && !late.contains(number) {
                violate("the event \(last) was dropped before \(number), which is older")
            }
        }
        let kept = outboxDisk.rows.filter { !removed.contains($0.key) || dropped.contains($0.key) }
        let added = batch.puts.filter { kept[$0.number] == nil }.count
        let bytes = kept.filter { row in !batch.puts.contains { $0.number == row.key } }.values.reduce(0) { $0 + $1.size }
        let isNeeded =
            kept.count + added > outbox.configuration.countLimit
            || bytes + batch.puts.reduce(outbox.configuration.reportLimit) { $0 + $1.size } > outbox.configuration.byteLimit
        if !isNeeded { violate("events were dropped though there was room") }
        for number in dropped { if let row = outboxDisk.rows[number] { reports.dropped(row.message.header.id) } }
    }

    /// What became of a report that was sent; false where the id is none of a report.
    mutating func reportEnded(_ id: String, _ result: Result<EdgeMessage, UplinkError>) -> Bool {
        guard let turn = turnsOut.removeValue(forKey: id) else { return false }
        var outcome = OutboxOutcome.confirmed
        switch result {
        case .success(let answer): if answer.header.id != id, let refusal = answer.refusal { outcome = .later("\(refusal)") }
        case .failure(.timedOut): outcome = .later("no answer")
        case .failure: outcome = .lost
        }
        if outcome == .confirmed {
            confirmed.insert(id)
            if reports[id]?.firstApplied == nil { violate("a report was confirmed that the cloud does not have") }
        }
        if outboxDisk.writing != nil { late.insert(turn.number) }
        perform(outbox.finished(turn, outcome, now: now))
        return true
    }

    mutating func tellOutbox(_ isOnline: Bool) {
        connectivityTime = max(connectivityTime, queue.now) + .seconds(Double.random(in: 0...0.05, using: &generator))
        queue.schedule(at: connectivityTime, .outboxConnectivity(isOnline, life: edgeLife))
    }

    // MARK: - Life

    /// A crash: a transaction under way is on the disk whole, or not at all.
    mutating func outboxStops() {
        if let batch = outboxDisk.writing, chance(0.5) {
            checkDrops(batch)
            outboxDisk.commit(batch)
        }
        outboxDisk.writing = nil
        outboxTimer = nil
        tickets.removeAll()
        turnsOut.removeAll()
        outbox = OutboxCore(configuration: outbox.configuration)
    }

    mutating func outboxRestores() {
        late.removeAll()
        outbox.restore(outboxDisk.rows.values.map(\.summary), now: now)
        pumpOutbox()
    }
}

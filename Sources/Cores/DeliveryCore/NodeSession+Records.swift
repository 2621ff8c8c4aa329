package import Primitives

/// What the sync record of an object should say, and what is being done about it.
struct RecordSlot: Sendable {
    enum Goal: Sendable, Hashable {
        case open
        case version(UInt64)
        case removal
    }

    var key: SyncRecordKey
    var goal: Goal
    /// What the command under way was for.
    var running: Goal?
    var backoff = Backoff(initial: .seconds(1), limit: .seconds(60))
    /// When to try again after a failure.
    var retryAt: Duration?
    var isQueued = false
}

extension NodeSession {
    /// Sets the goal for a record; commands for one record never overlap.
    mutating func want(_ goal: RecordSlot.Goal, _ key: SyncRecordKey) -> [NodeSessionDirective] {
        if records[key.uid] == nil {
            records[key.uid] = RecordSlot(key: key, goal: goal)
        } else {
            records[key.uid]?.goal = goal
            if !key.objectKind.isEmpty { records[key.uid]?.key = key }
        }
        enqueueRecord(key.uid)
        return startRecords()
    }

    /// Takes the outcome of a record command.
    package mutating func recordDone(uid: String, _ outcome: SyncRecordOutcome, now: Moment) -> [NodeSessionDirective] {
        guard ending == nil, let record = records[uid], let running = record.running else { return [] }
        recordsRunning -= 1
        records[uid]?.running = nil
        var directives: [NodeSessionDirective] = []
        switch outcome {
        case .done(let version):
            // A write makes the record as well, should opening it have failed.
            if running != .removal { opened(record.key, version: version) }
            if record.goal == running {
                records[uid] = nil
            } else {
                enqueueRecord(uid)
            }
        case .failed:
            directives.append(.note(.recordFailed(name: record.key.name)))
            // An object never leaves before its record stands: if it were deleted after a restart, nobody would know that the edge has it.
            if let delay = records[uid]?.backoff.next() { records[uid]?.retryAt = now.uptime + delay }
        }
        return directives + takeDeferred() + startRecords()
    }

    mutating func retryRecords(now: Duration) -> [NodeSessionDirective] {
        for uid in records.keys.sorted() {
            guard let time = records[uid]?.retryAt, time <= now else { continue }
            records[uid]?.retryAt = nil
            enqueueRecord(uid)
        }
        return startRecords()
    }

    private mutating func enqueueRecord(_ uid: String) {
        guard let record = records[uid], record.running == nil, record.retryAt == nil, !record.isQueued else { return }
        records[uid]?.isQueued = true
        recordQueue.append(uid)
    }

    private mutating func startRecords() -> [NodeSessionDirective] {
        var directives: [NodeSessionDirective] = []
        while recordsRunning < configuration.recordConcurrency, let uid = recordQueue.popFirst() {
            guard let record = records[uid] else { continue }
            records[uid]?.isQueued = false
            records[uid]?.running = record.goal
            recordsRunning += 1
            switch record.goal {
            case .open: directives.append(.record(.open(record.key)))
            case .version(let version): directives.append(.record(.write(record.key, version: version)))
            case .removal: directives.append(.record(.remove(record.key)))
            }
        }
        return directives
    }

    /// The record is there: what waits for it goes out where it is newer than what the edge holds.
    private mutating func opened(_ record: SyncRecordKey, version: UInt64) {
        guard !deleted.contains(record.uid) else { return }
        delivered[record.uid] = max(version, delivered[record.uid] ?? 0)
        let key = SlotKey.object(uid: record.uid)
        guard let slot = slots[key] else { return }
        if version > 0 { owners[slot.path] = record.uid }
        guard slot.state == .openingRecord else { return }
        if slot.message.isDeleteLike || slot.message.objectVersion > version {
            release(key)
        } else {
            drop(key)
        }
    }
}

package import EdgeMessages
package import Primitives

extension NodeSession {
    /// Takes a message for the node, its resource in wire form.
    package mutating func deliver(_ message: EdgeMessage, now: Moment) -> [NodeSessionDirective] {
        guard ending == nil else { return [] }
        guard message.deliveryClass == .acknowledged else { return enqueueOnce(message) }
        guard slots.count < configuration.objectLimit else { return finish(.overloaded) }
        if message.route.operation == EdgeOperation.response {
            add(ObjectSlot(message: message, state: .ready), .reply(message.header.id))
            // The node keeps what it asked for, so there has to be a record; the answer does not wait for it.
            guard let record = SyncRecordKey(message, node: node), delivered[record.uid] == nil, !deleted.contains(record.uid) else { return [] }
            return want(.open, record)
        }
        guard message.isDeleteLike || message.header.resourceVersion != nil else {
            return [.note(.withoutVersion(resource: message.route.resource))]
        }
        guard let uid = message.objectUID else {
            offer(message, to: .path(message.route.resource))
            return []
        }
        return enqueue(message, uid: uid)
    }

    private mutating func enqueueOnce(_ message: EdgeMessage) -> [NodeSessionDirective] {
        var directives: [NodeSessionDirective] = []
        if once.count >= configuration.onceLimit, let dropped = once.popFirst() {
            directives.append(.note(.onceOverflow(dropped: dropped.route.resource)))
        }
        once.append(message)
        return directives
    }

    private mutating func enqueue(_ message: EdgeMessage, uid: String) -> [NodeSessionDirective] {
        let key = SlotKey.object(uid: uid)
        if slots[key] != nil {
            offer(message, to: key)
            return takeDeferred()
        }
        // A UID never comes back.
        guard !deleted.contains(uid) else { return [] }
        if message.route.operation == EdgeOperation.delete {
            if isReplaced(uid: uid, message) {
                return forget(uid: uid, message)
            }
            add(ObjectSlot(message: message, state: .ready), key)
            return []
        }
        if let version = delivered[uid] {
            if message.objectVersion > version || (message.isDeleteLike && message.objectVersion == 0) {
                add(ObjectSlot(message: message, state: .ready), key)
            }
            return []
        }
        guard let record = SyncRecordKey(message, node: node) else {
            add(ObjectSlot(message: message, state: .ready), key)
            return []
        }
        add(ObjectSlot(message: message, state: .openingRecord), key)
        return want(.open, record)
    }

    /// Replaces what waits in a slot by a newer version; a delete is final.
    private mutating func offer(_ message: EdgeMessage, to key: SlotKey) {
        guard let slot = slots[key] else {
            add(ObjectSlot(message: message, state: .ready), key)
            return
        }
        guard !slot.isDelete else { return }
        let isDelete = message.route.operation == EdgeOperation.delete
        let isNewer = message.objectVersion > slot.message.objectVersion
        guard isDelete || isNewer || (message.isDeleteLike && !slot.message.isDeleteLike) else { return }
        slots[key]?.message = message
        // A delete needs no record, and what was put off is worth a try again.
        if isDelete, slot.state == .openingRecord { release(key) }
        if case .delayed = slot.state { release(key) }
    }

    /// Whether the edge holds another object in the place of this one: a late delete would remove that.
    ///
    /// Pods are told apart by UID at every edge; other objects only by path at a Go edge.
    private func isReplaced(uid: String, _ message: EdgeMessage) -> Bool {
        guard let path = message.resource.path, path.type != EdgeType.pod, let owner = owners[message.route.resource] else { return false }
        return owner != uid
    }

    /// Ends an object without a word to the edge.
    private mutating func forget(uid: String, _ message: EdgeMessage) -> [NodeSessionDirective] {
        deleted.insert(uid)
        delivered[uid] = nil
        return SyncRecordKey(message, node: node).map { want(.removal, $0) } ?? []
    }

    private mutating func add(_ slot: ObjectSlot, _ key: SlotKey) {
        slots[key] = slot
        if case .reply = key {
            ready.append(key)
            return
        }
        queues[slot.path, default: []].append(key)
        if slot.state == .ready { release(key) }
    }

    /// Makes a slot ready where it is the first of its path.
    mutating func release(_ key: SlotKey) {
        guard let slot = slots[key] else { return }
        timed.remove(key)
        if case .reply = key {
        } else if queues[slot.path]?.first != key {
            slots[key]?.state = .behind
            return
        }
        if case .object(let uid) = key, slot.isDelete, isReplaced(uid: uid, slot.message) {
            deferred += forget(uid: uid, slot.message)
            drop(key)
            return
        }
        slots[key]?.state = .ready
        ready.append(key)
    }

    /// What became due while slots were moved.
    mutating func takeDeferred() -> [NodeSessionDirective] {
        defer { deferred = [] }
        return deferred
    }

    /// Takes a slot away and lets the next of its path go.
    mutating func drop(_ key: SlotKey) {
        guard let slot = slots.removeValue(forKey: key) else { return }
        timed.remove(key)
        if case .reply = key { return }
        queues[slot.path]?.removeAll { $0 == key }
        guard let next = queues[slot.path]?.first else {
            queues[slot.path] = nil
            return
        }
        if slots[next]?.state == .behind { release(next) }
    }
}

// MARK: - Sending

extension NodeSession {
    /// Whether `nextMessage` would give one.
    package var hasMessage: Bool {
        guard ending == nil, !isSending else { return false }
        return !once.isEmpty || !resends.isEmpty || (!ready.isEmpty && inFlight.count < configuration.window)
    }

    /// The next message for the wire; the shell sends it, calls `sendFinished`, and asks again.
    package mutating func nextMessage(now: Moment) -> EdgeMessage? {
        guard ending == nil, !isSending else { return nil }
        isObjectNext.toggle()
        isRepeat = false
        let message = isObjectNext ? nextObject(now: now.uptime) ?? once.popFirst() : once.popFirst() ?? nextObject(now: now.uptime)
        isSending = message != nil
        return message
    }

    /// Says that the message that `nextMessage` gave has gone to the socket.
    ///
    /// From now on the time for its acknowledgement counts: on a slow link twice as long as the sending took, for part of it is still on its way,
    /// and the acknowledgement may have to wait as well.
    package mutating func sendFinished(now: Moment) {
        isSending = false
        guard let key = sendingKey else { return }
        sendingKey = nil
        // It may have been acknowledged already.
        guard case .sent(let begin, nil) = slots[key]?.state else { return }
        slots[key]?.state = .sent(at: begin, resendAt: now.uptime + max(configuration.resendInterval, (now.uptime - begin) * 2))
        timed.insert(key)
    }

    private mutating func nextObject(now: Duration) -> EdgeMessage? {
        while let key = resends.popFirst() {
            if slots[key]?.state == .resending { return send(key, now: now) }
        }
        while inFlight.count < configuration.window, let key = ready.popFirst() {
            if slots[key]?.state == .ready { return send(key, now: now) }
        }
        return nil
    }

    private mutating func send(_ key: SlotKey, now: Duration) -> EdgeMessage? {
        guard let slot = slots[key] else { return nil }
        if let old = slot.sent { inFlight[old.header.id] = nil }
        let message = slot.message
        inFlight[message.header.id] = key
        isRepeat = slot.sends > 0
        slots[key]?.sent = message
        slots[key]?.sends += 1
        slots[key]?.state = .sent(at: now, resendAt: nil)
        sendingKey = key
        return message
    }

    mutating func resendDue(now: Duration) -> [NodeSessionDirective] {
        var directives: [NodeSessionDirective] = []
        // In order of the keys' texts, so that a simulation repeats.
        let due = timed.filter { key in (slots[key]?.deadline).map { $0 <= now } ?? false }
        for key in due.sorted(by: { String(describing: $0) < String(describing: $1) }) {
            timed.remove(key)
            guard let slot = slots[key] else { continue }
            guard case .sent = slot.state else {
                release(key)
                continue
            }
            if slot.sends < configuration.sendsInRound {
                slots[key]?.state = .resending
                resends.append(key)
                continue
            }
            directives.append(.note(.unacknowledged(resource: slot.path)))
            if let sent = slot.sent { inFlight[sent.header.id] = nil }
            slots[key]?.sent = nil
            slots[key]?.sends = 0
            if case .reply = key {
                // Whoever asked has long stopped waiting.
                drop(key)
            } else if let delay = slots[key]?.backoff.next() {
                slots[key]?.state = .delayed(until: now + delay)
                timed.insert(key)
            }
        }
        return directives
    }

    /// Takes an acknowledgement.
    mutating func acknowledged(_ id: String, now: Duration) -> [NodeSessionDirective] {
        guard let key = inFlight.removeValue(forKey: id), let slot = slots[key], let sent = slot.sent else {
            return [.note(.unknownAcknowledgement(of: id))]
        }
        if case .sent(let time, _) = slot.state { acknowledgedAfter = now - time }
        let directives = succeed(sent)
        if slot.message.header.id == sent.header.id {
            drop(key)
        } else {
            slots[key]?.sent = nil
            slots[key]?.sends = 0
            release(key)
        }
        return directives + takeDeferred()
    }

    /// The edge holds what was sent: the record is to say so (`spec/01 §6.4`).
    private mutating func succeed(_ message: EdgeMessage) -> [NodeSessionDirective] {
        guard let uid = message.objectUID else { return [] }
        let record = SyncRecordKey(message, node: node)
        if message.route.operation == EdgeOperation.delete {
            deleted.insert(uid)
            delivered[uid] = nil
            if owners[message.route.resource] == uid { owners[message.route.resource] = nil }
            return record.map { want(.removal, $0) } ?? []
        }
        guard !deleted.contains(uid) else { return [] }
        owners[message.route.resource] = uid
        let version = max(message.objectVersion, delivered[uid] ?? 0)
        if delivered.count >= configuration.objectLimit, delivered[uid] == nil,
            let other = delivered.keys.first(where: { records[$0] == nil })
        {
            delivered[other] = nil
        }
        delivered[uid] = version
        return record.map { want(.version(version), $0) } ?? []
    }
}

import DequeModule
package import EdgeMessages
package import Primitives

extension EdgeSession {
    /// Takes a request with an id of its own; its outcome comes as `.resume` with that id.
    package mutating func request(_ message: EdgeMessage, timeout: Duration, now: Moment) -> [EdgeSessionDirective] {
        let id = message.header.id
        guard isOnline, requests.count < configuration.requestLimit else { return [.resume(id: id, .failure(.notConnected))] }
        precondition(requests[id] == nil, "the request \(id) is open already")
        let isAskedAlready = message.isSharedQuery && openQueries(for: message.route.resource).isEmpty == false
        requests[id] = OpenRequest(message: message, deadline: now.uptime + timeout, order: takeOrder(), rides: isAskedAlready)
        if !isAskedAlready { enqueue(.request(id), message) }
        return []
    }

    /// Takes a report with an id of its own that ends when its proof is there; the outcome comes as `.resume` with that id.
    ///
    /// Where a round trip is the proof, the report itself stands for the answer.
    package mutating func report(_ message: EdgeMessage, proof: ReportProof, timeout: Duration, now: Moment) -> [EdgeSessionDirective] {
        let id = message.header.id
        guard isOnline, requests.count < configuration.requestLimit else { return [.resume(id: id, .failure(.notConnected))] }
        precondition(requests[id] == nil, "the report \(id) is open already")
        requests[id] = OpenRequest(message: message, deadline: now.uptime + timeout, order: takeOrder(), proof: proof)
        background.append(.request(id))
        return []
    }

    mutating func enqueue(_ entry: Outgoing, _ message: EdgeMessage) {
        if message.resource.path?.type == EdgeType.event { background.append(entry) } else { outgoing.append(entry) }
    }

    /// What events leave of the allowance for everything else.
    var reserve: Double { max(min(configuration.messageBurst / 2, configuration.messageBurst - 1), 0) }

    /// Whoever asked does not wait any more.
    package mutating func abandon(_ id: String) {
        guard let request = requests.removeValue(forKey: id) else { return }
        outgoing.removeAll { $0 == .request(id) }
        background.removeAll { $0 == .request(id) }
        // The answer to what was sent serves those that ride on it; what was not sent has to be asked by the next.
        if !request.isSent { askAgain(request.message) }
    }

    /// Takes a report. One that waits for the same operation on the same resource is replaced; those of group `user` all count.
    package mutating func post(_ message: EdgeMessage) -> [EdgeSessionDirective] {
        postCount += 1
        let isEvent = message.route.group == EdgeGroup.user
        let key = PostKey(operation: message.route.operation, resource: message.route.resource, number: isEvent ? postCount : 0)
        if posts.updateValue(message, forKey: key) != nil { return [] }
        enqueue(.post(key), message)
        guard posts.count > configuration.postLimit, let oldest = Self.takePost(from: &background) ?? Self.takePost(from: &outgoing) else {
            return []
        }
        posts[oldest] = nil
        return [.note(.postDropped(resource: oldest.resource))]
    }

    private static func takePost(from queue: inout Deque<Outgoing>) -> PostKey? {
        guard let index = queue.firstIndex(where: { if case .post = $0 { true } else { false } }), case .post(let key) = queue.remove(at: index)
        else { return nil }
        return key
    }

    /// Whether `nextMessage` would give one now.
    package func hasMessage(now: Moment) -> Bool {
        guard isOnline, !isSending else { return false }
        return keepaliveAt <= now.uptime || !acknowledgements.isEmpty
            || (!outgoing.isEmpty && bucket.nextToken(now: now.uptime) <= now.uptime)
            || (!background.isEmpty && bucket.nextToken(leaving: reserve, now: now.uptime) <= now.uptime)
    }

    /// The next message for the wire; the shell sends it, calls `sendFinished`, and asks again.
    ///
    /// Keepalives go first, then acknowledgements, then requests and reports as the rate allows; events only of what is left over.
    package mutating func nextMessage(now: Moment, using generator: inout some RandomNumberGenerator) -> EdgeMessage? {
        guard isOnline, !isSending else { return nil }
        let message =
            nextFree(now: now, using: &generator) ?? nextLimited(\.outgoing, now: now) ?? nextLimited(\.background, leaving: reserve, now: now)
        isSending = message != nil
        return message
    }

    /// Says that the message that `nextMessage` gave has gone to the socket of this connection.
    package mutating func sendFinished(epoch: UInt64) -> [EdgeSessionDirective] {
        guard epoch == self.epoch else { return [] }
        isSending = false
        sending = nil
        if let sent = sendingUnproved { unproved.append(sent) }
        sendingUnproved = nil
        return prove()
    }

    /// One round trip at a time proves everything that was sent before it.
    private mutating func prove() -> [EdgeSessionDirective] {
        guard proving.isEmpty, !unproved.isEmpty else { return [] }
        (proving, unproved) = (unproved, [])
        return [.prove(epoch: epoch)]
    }

    /// Says that the round trip over the connection of this epoch came back, or did not in time.
    package mutating func proved(epoch: UInt64, isProved: Bool) -> [EdgeSessionDirective] {
        guard epoch == self.epoch, isOnline else { return [] }
        let ended = proving
        proving = []
        let outcomes: [EdgeSessionDirective] = ended.compactMap { id in
            requests.removeValue(forKey: id).map { .resume(id: id, isProved ? .success($0.message) : .failure(.timedOut)) }
        }
        return outcomes + prove()
    }

    private mutating func nextFree(now: Moment, using generator: inout some RandomNumberGenerator) -> EdgeMessage? {
        guard keepaliveAt > now.uptime else {
            keepaliveAt = now.uptime + configuration.heartbeat
            return .keepalive(id: UniqueID.next(using: &generator), now: now.wall)
        }
        return acknowledgements.popFirst()
    }

    private mutating func nextLimited(_ queue: WritableKeyPath<EdgeSession, Deque<Outgoing>>, leaving rest: Double = 0, now: Moment) -> EdgeMessage? {
        while let next = self[keyPath: queue].first {
            switch next {
            case .request(let id):
                guard let request = requests[id] else {
                    self[keyPath: queue].removeFirst()
                    continue
                }
                guard bucket.take(leaving: rest, now: now.uptime) else { return nil }
                self[keyPath: queue].removeFirst()
                requests[id]?.isSent = true
                if request.proof == .reading { sendingUnproved = id }
                return request.message
            case .post(let key):
                guard let message = posts[key] else {
                    self[keyPath: queue].removeFirst()
                    continue
                }
                guard bucket.take(leaving: rest, now: now.uptime) else { return nil }
                self[keyPath: queue].removeFirst()
                posts[key] = nil
                sending = (key, message)
                return message
            }
        }
        return nil
    }
}

package import EdgeMessages
package import Primitives

extension EdgeSession {
    /// Takes a request with an id of its own; its outcome comes as `.resume` with that id.
    package mutating func request(_ message: EdgeMessage, timeout: Duration, now: Moment) -> [EdgeSessionDirective] {
        let id = message.header.id
        guard isOnline, requests.count < configuration.requestLimit else { return [.resume(id: id, .failure(.notConnected))] }
        precondition(requests[id] == nil, "the request \(id) is open already")
        requests[id] = OpenRequest(message: message, deadline: now.uptime + timeout)
        outgoing.append(.request(id))
        return []
    }

    /// Whoever asked does not wait any more.
    package mutating func abandon(_ id: String) {
        guard requests.removeValue(forKey: id) != nil else { return }
        outgoing.removeAll { $0 == .request(id) }
    }

    /// Takes a report. One that waits for the same operation on the same resource is replaced; those of group `user` all count.
    package mutating func post(_ message: EdgeMessage) -> [EdgeSessionDirective] {
        postCount += 1
        let isEvent = message.route.group == EdgeGroup.user
        let key = PostKey(operation: message.route.operation, resource: message.route.resource, number: isEvent ? postCount : 0)
        if posts.updateValue(message, forKey: key) != nil { return [] }
        outgoing.append(.post(key))
        guard posts.count > configuration.postLimit else { return [] }
        guard let index = outgoing.firstIndex(where: { if case .post = $0 { true } else { false } }),
            case .post(let oldest) = outgoing.remove(at: index)
        else { return [] }
        posts[oldest] = nil
        return [.note(.postDropped(resource: oldest.resource))]
    }

    /// Whether `nextMessage` would give one now.
    package func hasMessage(now: Moment) -> Bool {
        guard isOnline, !isSending else { return false }
        return keepaliveAt <= now.uptime || !acknowledgements.isEmpty
            || (!outgoing.isEmpty && bucket.nextToken(now: now.uptime) <= now.uptime)
    }

    /// The next message for the wire; the shell sends it, calls `sendFinished`, and asks again.
    ///
    /// Keepalives go first, then acknowledgements, then requests and reports as the rate allows.
    package mutating func nextMessage(now: Moment, using generator: inout some RandomNumberGenerator) -> EdgeMessage? {
        guard isOnline, !isSending else { return nil }
        let message = nextFree(now: now, using: &generator) ?? nextLimited(now: now)
        isSending = message != nil
        return message
    }

    /// Says that the message that `nextMessage` gave has gone to the socket of this connection.
    package mutating func sendFinished(epoch: UInt64) {
        guard epoch == self.epoch else { return }
        isSending = false
        sending = nil
    }

    private mutating func nextFree(now: Moment, using generator: inout some RandomNumberGenerator) -> EdgeMessage? {
        guard keepaliveAt > now.uptime else {
            keepaliveAt = now.uptime + configuration.heartbeat
            return .keepalive(id: UniqueID.next(using: &generator), now: now.wall)
        }
        return acknowledgements.popFirst()
    }

    private mutating func nextLimited(now: Moment) -> EdgeMessage? {
        while let next = outgoing.first {
            switch next {
            case .request(let id):
                guard let request = requests[id] else {
                    outgoing.removeFirst()
                    continue
                }
                guard bucket.take(now: now.uptime) else { return nil }
                outgoing.removeFirst()
                requests[id]?.isSent = true
                return request.message
            case .post(let key):
                guard let message = posts[key] else {
                    outgoing.removeFirst()
                    continue
                }
                guard bucket.take(now: now.uptime) else { return nil }
                outgoing.removeFirst()
                posts[key] = nil
                sending = (key, message)
                return message
            }
        }
        return nil
    }
}

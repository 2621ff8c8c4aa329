package import EdgeMessages
package import Primitives

extension EdgeSession {
    /// Takes a message of the cloud that came over the connection of this epoch.
    package mutating func received(_ message: EdgeMessage, epoch: UInt64, now: Moment) -> [EdgeSessionDirective] {
        guard epoch == self.epoch, isOnline else { return [] }
        let group = message.route.group
        // Twins have answers of their own besides those to reports (`spec/01 §4.4`).
        if let parent = message.header.parentID, group != EdgeGroup.twin || requests[parent] != nil {
            return answered(message, parent: parent, now: now)
        }
        switch group {
        case EdgeGroup.resource, EdgeGroup.function: return apply(message, now: now)
        case EdgeGroup.twin, EdgeGroup.user, EdgeGroup.taskManager: return [.hand(message)]
        default: return [.note(.unknownGroup(group))]
        }
    }

    /// An answer goes to whoever asked and to nobody else (`spec/01 §4.4`); to a query, to everybody who asks for the same object.
    ///
    /// An object that the cloud will record as held here is made durable before anybody sees the answer and before it is acknowledged;
    /// so it is when nobody waits for it any more, for a Go cloud would wait for the acknowledgement.
    private mutating func answered(_ message: EdgeMessage, parent: String, now: Moment) -> [EdgeSessionDirective] {
        let waiters = takeWaiters(parent: parent, message)
        if message.deliveryClass == .acknowledged, case .object = message.answer {
            return apply(message, waiters: waiters, now: now)
        }
        guard !waiters.isEmpty else { return [.note(.lateAnswer(resource: message.route.resource))] }
        if waiters.contains(where: { $0.message.wantsAcknowledgedAnswer }) { acknowledge(message, now: now) }
        return waiters.map { .resume(id: $0.message.header.id, .success(message)) }
    }

    private mutating func apply(_ message: EdgeMessage, waiters asking: [OpenRequest] = [], now: Moment) -> [EdgeSessionDirective] {
        let id = message.header.id
        let waiters = (asking + takeWaiters(change: message)).map(\.message.header.id)
        if applied.contains(id) {
            acknowledge(message, now: now)
            return waiters.map { .resume(id: $0, .success(message)) }
        }
        if applying[id] != nil {
            applying[id]?.epoch = epoch
            applying[id]?.waiters += waiters
            return []
        }
        applying[id] = Pending(message: message, epoch: epoch, waiters: waiters)
        var update = message
        if message.route.operation == EdgeOperation.response {
            update.route.operation = EdgeOperation.update
            update.header.parentID = nil
        }
        return [.apply(id: id, update)]
    }

    /// Says that a message is durable, or why it is not: then the cloud repeats it.
    package mutating func applyFinished(id: String, failure: String? = nil, now: Moment) -> [EdgeSessionDirective] {
        guard let pending = applying.removeValue(forKey: id) else { return [] }
        let message = pending.message
        let answers: [EdgeSessionDirective] = pending.waiters.map { .resume(id: $0, .success(message)) }
        guard let failure else {
            applied.insert(id)
            if pending.epoch == epoch, isOnline { acknowledge(message, now: now) }
            return answers
        }
        if pending.epoch == epoch, isOnline {
            acknowledgements.append(
                EdgeMessage(
                    source: EdgeSource.metaManager, group: EdgeGroup.resource, operation: EdgeOperation.error,
                    resource: message.route.resource, content: .string(failure), now: now.wall))
        }
        return answers + [.note(.applyFailed(resource: message.route.resource, failure))]
    }

    private mutating func acknowledge(_ message: EdgeMessage, now: Moment) {
        // Volume requests are answered, not acknowledged.
        guard isOnline, VolumeOperation(rawValue: message.route.operation) == nil else { return }
        // Bounded by what the cloud has out; a cloud that floods is told less, and repeats.
        if acknowledgements.count >= configuration.memory { acknowledgements.removeFirst() }
        acknowledgements.append(message.acknowledgement(now: now.wall))
    }
}

extension EdgeMessage {
    /// Whether the answer to this request is acknowledged, as Go edges do and Go clouds wait for (`spec/01 §5.5`).
    ///
    /// Everything that is answered by way of the store is, errors too; patches, status reports, node updates and pod deletions are not.
    package var wantsAcknowledgedAnswer: Bool {
        guard route.group == EdgeGroup.meta else { return false }
        guard let path = resource.path else { return resource == .kubernetesCA }
        switch path.type {
        case EdgeType.nodePatch, EdgeType.podPatch, EdgeType.podStatus, EdgeType.nodeStatus: return false
        case EdgeType.node: return route.operation != EdgeOperation.update
        case EdgeType.pod: return route.operation != EdgeOperation.delete
        default: return true
        }
    }
}

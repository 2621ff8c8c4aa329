import DeliveryCore
import EdgeMessages
import EdgeTesting
import KubeMachinery
import Primitives

extension LineWorld {
    mutating func established(_ connection: Int, epoch: UInt64, life: Int) {
        guard life == edgeLife, isEdgeUp, epoch == edge.epoch else { return cut(connection) }
        guard !network.isClosed(at: .edge, connection, now: queue.now) else {
            perform(edge.closed(epoch: epoch, now: now, using: &generator))
            return armEdge()
        }
        note("the edge is connected over \(connection)")
        edgeConnection = connection
        perform(edge.connected(epoch: epoch, now: now))
    }

    mutating func edgeLoses(_ connection: Int) {
        guard connection == edgeConnection else { return }
        note("the edge loses \(connection)")
        edgeConnection = nil
        cut(connection)
        perform(edge.closed(epoch: edge.epoch, now: now, using: &generator))
    }

    mutating func edgeReceives(_ bytes: [UInt8], _ connection: Int) {
        guard connection == edgeConnection, isEdgeUp, network.isHeard(at: .edge, over: connection, now: queue.now) else { return }
        do {
            perform(edge.received(try EdgeMessage(wire: bytes), epoch: edge.epoch, now: now))
        } catch { violate("the cloud sent what cannot be read: \(error)") }
    }

    mutating func edgeTimerFires() {
        edgeTimer = nil
        guard isEdgeUp else { return }
        perform(edge.timerFired(now: now))
    }

    mutating func armEdge() {
        guard isEdgeUp, let deadline = edge.nextDeadline(now: now) else { return }
        if let edgeTimer, edgeTimer <= deadline { return }
        edgeTimer = deadline
        queue.schedule(at: deadline, .edgeTimer)
    }

    mutating func perform(_ directives: [EdgeSessionDirective]) {
        let life = edgeLife
        for directive in directives {
            // It may be killed between any two.
            guard life == edgeLife, isEdgeUp else { return }
            switch directive {
            case .connect(let epoch): queue.schedule(at: after(0.001...0.5), .connect(epoch: epoch, life: edgeLife))
            case .note: break
            case .connectivity(let isOnline): tellOutbox(isOnline)
            case .prove(let epoch): prove(epoch: epoch)
            case .resume(let id, let result): if !reportEnded(id, result) { resumed(id, result) }
            case .apply(let id, let message):
                guard lanes.add(ModelDelivery(id: id, message: message), key: message.route.resource) else {
                    violate("the edge was given more than it has room for")
                    return
                }
                startAppliers()
            // Of twins only: the confirmation of a report that was given up for late.
            case .hand(let message): if message.header.parentID == nil { violate("a message for a module that nobody sent") }
            }
        }
        pumpEdge()
        armEdge()
    }

    mutating func pumpEdge() {
        guard isEdgeUp, let edgeConnection, let message = edge.nextMessage(now: now, using: &generator) else { return }
        if let arrival = network.send(to: .cloud, over: edgeConnection, now: queue.now, using: &generator) {
            queue.schedule(at: arrival, .deliver(connection: edgeConnection, to: .cloud, bytes: message.wire))
        }
        queue.schedule(at: after(0...0.003), .sent(connection: edgeConnection, from: .edge))
        armEdge()
    }

    // MARK: - The store

    private mutating func startAppliers() {
        while let (_, delivery) = lanes.next() {
            apply(delivery)
            let isSlow = !isCalm && chance(0.05)
            queue.schedule(at: after(isSlow ? 1...12 : 0.001...0.03), .synced(delivery, life: edgeLife))
        }
    }

    /// Writes what a crash may still take away, and checks the order in which things come.
    private mutating func apply(_ delivery: ModelDelivery) {
        guard var object = ModelObject(delivery.message) else { return violate("an object without a UID came down") }
        let path = delivery.message.route.resource
        let known = stored[path]
        if delivery.message.route.operation == EdgeOperation.delete {
            if !deletedUIDs.contains(object.uid) { violate("\(path) \(object.uid) was to be deleted though nobody deleted it") }
            if known?.uid == object.uid { stored[path] = nil }
            return
        }
        object.isAnswer = answers.contains(path)
        guard let known else {
            stored[path] = object
            return
        }
        // A cloud whose copy is late may hand down what another one has overtaken: the store keeps what is newer.
        if object.uid == known.uid, object.version < known.version {
            if !known.isAnswer, clouds.count == 1 { violate("\(path) went back from version \(known.version) to \(object.version)") }
            return
        }
        if object.created < known.created {
            if known.isAnswer || clouds.count > 1 { return }
            violate("\(path): the object made at \(object.created) came after the one made at \(known.created)")
        }
        stored[path] = object
    }

    /// Objects that the edge also asks for: an answer may overtake the change that it shows.
    var answers: Set<String> { ["default/configmap/c0", "default/configmap/c1", "default/configmap/c2"] }

    mutating func synced(_ delivery: ModelDelivery, life: Int) {
        guard life == edgeLife, isEdgeUp else { return }
        let fails = chance(applyFailureRate)
        let path = delivery.message.route.resource
        if !fails { durable[path] = stored[path] }
        lanes.finish(path)
        perform(edge.applyFinished(id: delivery.id, failure: fails ? "the disk is full" : nil, now: now))
        startAppliers()
    }

    // MARK: - Requests

    mutating func ask() {
        guard !isCalm else { return }
        queue.schedule(at: after(0.2...4), .ask)
        guard isEdgeUp else { return }
        var request = EdgeMessage.query(EdgeType.configMap, namespace: "default", name: "c\(Int.random(in: 0...2, using: &generator))")
        request.header.id = freshID()
        openRequests[request.header.id] = request.route.resource
        perform(edge.request(request, timeout: .seconds(10), now: now))
        if chance(0.3) {
            var report = EdgeMessage.request(
                EdgeOperation.patch,
                EdgeObjectPath(namespace: "default", type: EdgeType.podPatch, name: "p\(Int.random(in: 0...3, using: &generator))"),
                "{}")
            report.header.id = freshID()
            perform(edge.post(report))
        }
    }

    private mutating func resumed(_ id: String, _ result: Result<EdgeMessage, UplinkError>) {
        guard let resource = openRequests.removeValue(forKey: id) else { return violate("the request \(id) was answered twice") }
        switch result {
        case .success(let answer):
            answeredRequests += 1
            // Queries for one object share what comes: an answer to one of them, or a change that brings it.
            let isChange = [EdgeOperation.insert, EdgeOperation.update].contains(answer.route.operation)
            if answer.route.resource != resource || (answer.header.parentID == nil && !isChange) {
                violate("the request \(id) for \(resource) got \(answer.route.operation) of \(answer.route.resource)")
            }
        case .failure: failedRequests += 1
        }
    }

    // MARK: - Life

    /// A crash: what is not durable is gone, nobody says goodbye.
    mutating func edgeStops() {
        note("the edge dies")
        isEdgeUp = false
        edgeLife += 1
        if let edgeConnection { cut(edgeConnection) }
        edgeConnection = nil
        edgeTimer = nil
        openRequests.removeAll()
        proof = nil
        outboxStops()
        queue.schedule(at: after(0.1...10), .edgeStarts)
    }

    /// The disk with the objects is another one, and empty; reports are on a disk of their own here, for they have promises of their own.
    mutating func loseStore() {
        if isEdgeUp { edgeStops() }
        note("the edge loses its store")
        durable = [:]
        store += 1
    }

    mutating func edgeStarts() {
        note("the edge starts")
        isEdgeUp = true
        stored = durable
        lanes = Self.newLanes()
        edge = EdgeSession(now: now)
        perform(edge.start(now: now))
        queue.schedule(at: after(0...0.5), .outboxRestores(life: edgeLife))
    }
}

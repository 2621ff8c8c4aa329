import DeliveryCore
import EdgeMessages
import EdgeTesting
import KubeMachinery
import Primitives

extension LineWorld {
    // MARK: - Connections

    /// The edge dials: where the cloud is up it opens a session, and the edge mostly hears of it.
    mutating func connect(epoch: UInt64, life: Int) {
        guard life == edgeLife, isEdgeUp else { return }
        guard isCloudUp, isCalm || chance(0.8) else {
            perform(edge.closed(epoch: epoch, now: now, using: &generator))
            return armEdge()
        }
        let connection = network.open()
        guard case .admitted(let sessionEpoch, _) = table.open(Self.node) else { return violate("a node was refused though it was there") }
        beginReports(epoch: sessionEpoch)
        sessions[connection] = NodeSession(node: Self.node, epoch: sessionEpoch, now: now)
        let replaced = live
        live = connection
        if let replaced, let directives = sessions[replaced]?.finish(.replaced) { perform(directives, replaced) }
        armCloud(connection)
        // The controllers hand down what the node should have, as they know it.
        for object in objects.values.sorted(by: { $0.path < $1.path }) { scheduleController(.update, object) }
        if isCalm || chance(0.9) {
            queue.schedule(at: after(0.001...0.3), .established(connection: connection, epoch: epoch, life: life))
        } else {
            cut(connection)
            perform(edge.closed(epoch: epoch, now: now, using: &generator))
            armEdge()
        }
    }

    mutating func cut(_ connection: Int) {
        for notice in network.cut(connection, now: queue.now, using: &generator) {
            queue.schedule(at: notice.time, .closed(connection: connection, at: notice.end))
        }
    }

    mutating func cloudLoses(_ connection: Int) {
        guard let directives = sessions[connection]?.finish(.connectionLost) else { return }
        perform(directives, connection)
    }

    mutating func cloudReceives(_ bytes: [UInt8], _ connection: Int) {
        guard network.isHeard(at: .cloud, over: connection, now: queue.now) else { return }
        do {
            let message = try EdgeMessage(wire: bytes)
            let moment = now
            guard let directives = sessions[connection]?.received(message, now: moment) else { return }
            perform(directives, connection)
        } catch { violate("the edge sent what cannot be read: \(error)") }
    }

    mutating func cloudTimerFires(_ connection: Int) {
        cloudTimers[connection] = nil
        let moment = now
        guard let directives = sessions[connection]?.timerFired(now: moment) else { return }
        perform(directives, connection)
    }

    private mutating func armCloud(_ connection: Int) {
        guard let deadline = sessions[connection]?.nextDeadline else { return }
        if let armed = cloudTimers[connection], armed <= deadline { return }
        cloudTimers[connection] = deadline
        queue.schedule(at: deadline, .cloudTimer(connection: connection))
    }

    // MARK: - Directives

    mutating func perform(_ directives: [NodeSessionDirective], _ connection: Int) {
        for directive in directives {
            switch directive {
            case .record(let command): queue.schedule(at: after(0.001...0.1), .recordDone(connection: connection, command))
            case .handle(let message, _) where reports[message.header.id] != nil: takeReport(message, connection)
            case .handle(let message, _):
                // Some answers come after the edge has given up.
                let isLate = !isCalm && chance(0.1)
                queue.schedule(at: after(isLate ? 8...20 : 0.001...0.2), .answer(connection: connection, message))
            case .note: break
            case .end(let reason):
                note("session over connection \(connection) ends: \(reason)")
                if let epoch = sessions[connection]?.epoch, table.close(Self.node, epoch: epoch) { live = nil }
                sessions[connection] = nil
                reportLanes[connection] = nil
                cut(connection)
            }
        }
        pumpCloud(connection)
        armCloud(connection)
    }

    mutating func pumpCloud(_ connection: Int) {
        let moment = now
        guard let message = sessions[connection]?.nextMessage(now: moment) else { return }
        if let arrival = network.send(to: .edge, over: connection, now: queue.now, using: &generator) {
            queue.schedule(at: arrival, .deliver(connection: connection, to: .edge, bytes: message.wire))
        }
        let isSlow = !isCalm && chance(0.02)
        queue.schedule(at: after(isSlow ? 0.5...3 : 0...0.003), .sent(connection: connection, from: .cloud))
        armCloud(connection)
    }

    mutating func performRecord(_ command: SyncRecordCommand, _ connection: Int) {
        let fails = chance(apiFailureRate)
        // A failure that is reported may have happened all the same.
        var outcome = SyncRecordOutcome.failed
        if !fails || chance(0.5) {
            let name = command.key.name
            switch command {
            case .open(let key):
                if records[name] == nil { records[name] = ModelRecord(key: key, version: 0) }
                outcome = .done(version: records[name]?.version ?? 0)
            case .write(let key, let version):
                let recorded = max(records[name]?.version ?? 0, version)
                records[name] = ModelRecord(key: key, version: recorded)
                outcome = .done(version: recorded)
            case .remove:
                records[name] = nil
                outcome = .done(version: 0)
            }
        }
        if fails { outcome = .failed }
        let moment = now
        guard let directives = sessions[connection]?.recordDone(uid: command.key.uid, outcome, now: moment) else { return }
        perform(directives, connection)
    }

    // MARK: - Controllers

    mutating func scheduleController(_ change: ObjectChange, _ object: ModelObject) {
        // An informer tells of changes late, but in order.
        controllerTime = max(controllerTime, queue.now) + .seconds(Double.random(in: 0...0.05, using: &generator))
        queue.schedule(at: controllerTime, .controller(change, object, life: cloudLife))
    }

    mutating func handDown(_ change: ObjectChange, _ object: ModelObject) {
        var message = EdgeMessage.object(change, object.object, GroupVersionKind("v1", object.kind))
        message.header.id = freshID()
        deliver(message)
    }

    private mutating func deliver(_ message: EdgeMessage) {
        let moment = now
        guard let live, let directives = sessions[live]?.deliver(message, now: moment) else { return }
        perform(directives, live)
    }

    /// What SyncController does for a connected node (`spec/01 §6.6`).
    mutating func compareRecords(life: Int) {
        guard life == cloudLife, isCloudUp else { return }
        queue.schedule(at: queue.now + .seconds(5), .compareRecords(life: life))
        guard live != nil, !chance(apiFailureRate) else { return }
        for (_, record) in records.sorted(by: { $0.key < $1.key }) {
            let kind = record.key.objectKind
            let path = "default/\(kind.lowercased())/\(record.key.objectName)"
            if let object = objects[path], object.uid == record.key.uid {
                if object.version > record.version { handDown(.update, object) }
            } else {
                var message = EdgeMessage.removal(
                    ObjectKey(namespace: "default", name: record.key.objectName), uid: record.key.uid, GroupVersionKind("v1", kind))
                message.header.id = freshID()
                deliver(message)
            }
        }
    }

    mutating func answer(_ request: EdgeMessage, _ connection: Int) {
        guard sessions[connection] != nil else { return }
        var reply: EdgeMessage
        if let object = objects[request.route.resource] {
            reply = request.reply(object.object, GroupVersionKind("v1", object.kind))
        } else {
            reply = request.reply(KubeStatus.notFound(GroupResource(group: "", resource: "configmaps"), request.resource.path?.name ?? ""))
        }
        reply.header.id = freshID()
        let moment = now
        guard let directives = sessions[connection]?.deliver(reply, now: moment) else { return }
        perform(directives, connection)
    }

    mutating func cloudStops() {
        note("the cloud dies")
        isCloudUp = false
        cloudLife += 1
        for connection in sessions.keys.sorted() { cut(connection) }
        sessions.removeAll()
        cloudTimers.removeAll()
        cloudForgetsReports()
        table = SessionTable(limit: 1)
        live = nil
        queue.schedule(at: after(0.1...8), .cloudStarts)
    }

    mutating func cloudStarts() {
        note("the cloud starts")
        isCloudUp = true
        queue.schedule(at: after(0...5), .compareRecords(life: cloudLife))
    }
}

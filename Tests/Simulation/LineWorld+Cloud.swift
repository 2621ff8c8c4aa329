import DeliveryCore
import EdgeMessages
import EdgeTesting
import KubeMachinery
import Primitives

extension LineWorld {
    // MARK: - Connections

    /// The edge dials, and reaches one of the clouds: where it is up it opens a session, and the edge mostly hears of it.
    mutating func connect(epoch: UInt64, life: Int) {
        guard life == edgeLife, isEdgeUp else { return }
        here = clouds.indices.randomElement(using: &generator) ?? 0
        guard cloud.isUp, isCalm || chance(0.8) else {
            perform(edge.closed(epoch: epoch, now: now, using: &generator))
            return armEdge()
        }
        let connection = network.open()
        cloudOfConnection[connection] = here
        guard case .admitted(let sessionEpoch, _) = cloud.table.open(Self.node) else { return violate("a node was refused though it was there") }
        beginReports(epoch: sessionEpoch)
        cloud.sessions[connection] = NodeSession(node: Self.node, epoch: sessionEpoch, now: now)
        cloud.stores[connection] = store
        let replaced = cloud.live
        cloud.live = connection
        if let replaced, let directives = cloud.sessions[replaced]?.finish(.replaced) { perform(directives, replaced) }
        armCloud(connection)
        // The controllers hand down what the node should have, as they know it.
        for object in cloud.copy.values.sorted(by: { $0.path < $1.path }) { handDown(.update, object) }
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
        guard let directives = cloud.sessions[connection]?.finish(.connectionLost) else { return }
        perform(directives, connection)
    }

    mutating func cloudReceives(_ bytes: [UInt8], _ connection: Int) {
        guard network.isHeard(at: .cloud, over: connection, now: queue.now) else { return }
        do {
            let message = try EdgeMessage(wire: bytes)
            let moment = now
            guard let directives = cloud.sessions[connection]?.received(message, now: moment) else { return }
            perform(directives, connection)
        } catch { violate("the edge sent what cannot be read: \(error)") }
    }

    mutating func cloudTimerFires(_ connection: Int) {
        cloud.timers[connection] = nil
        let moment = now
        guard let directives = cloud.sessions[connection]?.timerFired(now: moment) else { return }
        perform(directives, connection)
    }

    private mutating func armCloud(_ connection: Int) {
        guard let deadline = cloud.sessions[connection]?.nextDeadline else { return }
        if let armed = cloud.timers[connection], armed <= deadline { return }
        cloud.timers[connection] = deadline
        queue.schedule(at: deadline, .cloudTimer(connection: connection))
    }

    // MARK: - Directives

    mutating func perform(_ directives: [NodeSessionDirective], _ connection: Int) {
        let life = cloud.life
        for directive in directives {
            // It may be killed between any two.
            if !isCalm, chance(0.0003) { cloudStops() }
            guard life == cloud.life, cloud.isUp else { return }
            switch directive {
            case .record(let command): queue.schedule(at: after(0.001...0.1), .recordDone(connection: connection, command))
            case .handle(let message, _) where reports[message.header.id] != nil: takeReport(message, connection)
            case .handle(let message, _):
                // Some answers come after the edge has given up.
                let isLate = !isCalm && chance(0.1)
                queue.schedule(at: after(isLate ? 8...20 : 0.001...0.2), .answer(connection: connection, message))
            case .note: break
            case .end(let reason):
                note("session over connection \(connection) of cloud \(here) ends: \(reason)")
                if let epoch = cloud.sessions[connection]?.epoch, cloud.table.close(Self.node, epoch: epoch) { cloud.live = nil }
                cloud.sessions[connection] = nil
                cloud.stores[connection] = nil
                cloud.reportLanes[connection] = nil
                cut(connection)
            }
        }
        pumpCloud(connection)
        armCloud(connection)
    }

    mutating func pumpCloud(_ connection: Int) {
        let moment = now
        guard let message = cloud.sessions[connection]?.nextMessage(now: moment) else { return }
        if let arrival = network.send(to: .edge, over: connection, now: queue.now, using: &generator) {
            queue.schedule(at: arrival, .deliver(connection: connection, to: .edge, bytes: message.wire))
        }
        let isSlow = !isCalm && chance(0.02)
        queue.schedule(at: after(isSlow ? 0.5...3 : 0...0.003), .sent(connection: connection, from: .cloud))
        armCloud(connection)
    }

    mutating func performRecord(_ command: SyncRecordCommand, _ connection: Int) {
        let fails = !isAPIUp || chance(apiFailureRate)
        // A failure that is reported may have happened all the same.
        var outcome = SyncRecordOutcome.failed
        if isAPIUp, !fails || chance(0.5), let store = cloud.stores[connection] {
            let name = command.key.name
            // What a record says of another store does not count.
            let held = records[name].map { $0.store == store ? $0.version : 0 }
            switch command {
            case .open(let key):
                if held == nil { records[name] = ModelRecord(key: key, version: 0, store: store) }
                outcome = .done(version: held ?? 0)
            case .write(let key, let version):
                let recorded = max(held ?? 0, version)
                records[name] = ModelRecord(key: key, version: recorded, store: store)
                outcome = .done(version: recorded)
            case .remove:
                records[name] = nil
                outcome = .done(version: 0)
            }
        }
        if fails { outcome = .failed }
        let moment = now
        guard let directives = cloud.sessions[connection]?.recordDone(uid: command.key.uid, outcome, now: moment) else { return }
        perform(directives, connection)
    }

    // MARK: - Controllers

    /// Every cloud that watches is told of a change, late, but in order.
    mutating func publish(_ change: ObjectChange, _ object: ModelObject) {
        for index in clouds.indices where clouds[index].isWatching {
            let isSlow = chance(0.02)
            let time = max(clouds[index].noticeTime, queue.now) + .seconds(Double.random(in: 0...(isSlow ? 3 : 0.05), using: &generator))
            clouds[index].noticeTime = time
            queue.schedule(at: time, .controller(change, object, cloud: index, watch: clouds[index].watch))
        }
    }

    /// The copy takes in a change, and the node is told.
    mutating func noticed(_ change: ObjectChange, _ object: ModelObject) {
        cloud.copy[object.path] = change == .delete ? nil : object
        handDown(change, object)
    }

    /// A watch ends: what it had not told is lost, and a list has to come first (a 410, or a restart of the API).
    mutating func breakWatch() {
        guard cloud.isUp else { return }
        cloud.watch += 1
        cloud.isWatching = false
        queue.schedule(at: after(0.01...20), .list(cloud: here, watch: cloud.watch))
    }

    /// A whole list replaces the copy; what differs is handed down.
    mutating func list() {
        guard isAPIUp, !chance(apiFailureRate) else {
            queue.schedule(at: after(0.5...5), .list(cloud: here, watch: cloud.watch))
            return
        }
        cloud.isWatching = true
        cloud.noticeTime = queue.now
        let (before, life) = (cloud.copy, cloud.life)
        for path in Set(before.keys).union(objects.keys).sorted() where cloud.life == life {
            let (old, new) = (before[path], objects[path])
            if let old, old.uid != new?.uid { noticed(.delete, old) }
            guard let new, new != old else { continue }
            noticed(old?.uid == new.uid ? .update : .insert, new)
        }
    }

    mutating func handDown(_ change: ObjectChange, _ object: ModelObject) {
        var message = EdgeMessage.object(change, object.object, GroupVersionKind("v1", object.kind))
        message.header.id = freshID()
        deliver(message)
    }

    private mutating func deliver(_ message: EdgeMessage) {
        let moment = now
        guard let live = cloud.live, let directives = cloud.sessions[live]?.deliver(message, now: moment) else { return }
        perform(directives, live)
    }

    /// What SyncController does for a connected node (`spec/01 §6.6`). That an object is gone it believes the API, not its copy.
    mutating func compareRecords(life: Int) {
        guard life == cloud.life, cloud.isUp else { return }
        queue.schedule(at: queue.now + .seconds(5), .compareRecords(cloud: here, life: life))
        guard isAPIUp, let live = cloud.live, !chance(apiFailureRate) else { return }
        let store = cloud.stores[live]
        for (_, record) in records.sorted(by: { $0.key < $1.key }) where cloud.life == life {
            let kind = record.key.objectKind
            let path = "default/\(kind.lowercased())/\(record.key.objectName)"
            if let object = cloud.copy[path], object.uid == record.key.uid {
                if object.version > record.version || record.store != store { handDown(.update, object) }
            } else if objects[path]?.uid != record.key.uid {
                var message = EdgeMessage.removal(
                    ObjectKey(namespace: "default", name: record.key.objectName), uid: record.key.uid, GroupVersionKind("v1", kind))
                message.header.id = freshID()
                deliver(message)
            }
        }
    }

    mutating func answer(_ request: EdgeMessage, _ connection: Int) {
        guard cloud.sessions[connection] != nil else { return }
        var reply: EdgeMessage
        if !isAPIUp {
            reply = request.reply(KubeStatus.serviceUnavailable("the API is away"))
        } else if let object = objects[request.route.resource] {
            reply = request.reply(object.object, GroupVersionKind("v1", object.kind))
        } else {
            reply = request.reply(KubeStatus.notFound(GroupResource(group: "", resource: "configmaps"), request.resource.path?.name ?? ""))
        }
        reply.header.id = freshID()
        let moment = now
        guard let directives = cloud.sessions[connection]?.deliver(reply, now: moment) else { return }
        perform(directives, connection)
    }

    mutating func cloudStops() {
        note("cloud \(here) dies")
        for connection in cloud.sessions.keys.sorted() { cut(connection) }
        var next = ModelCloud()
        next.life = cloud.life + 1
        next.watch = cloud.watch + 1
        next.isUp = false
        cloud = next
        queue.schedule(at: after(0.1...8), .cloudStarts(cloud: here))
    }

    mutating func cloudStarts() {
        note("cloud \(here) starts")
        cloud.isUp = true
        queue.schedule(at: after(0.01...1), .list(cloud: here, watch: cloud.watch))
        queue.schedule(at: after(0...5), .compareRecords(cloud: here, life: cloud.life))
    }
}

import EdgeMessages
import EdgeTesting
import Primitives

@testable import DeliveryCore

extension LineWorld {
    /// Creates, changes, marks and deletes objects of the API; names come back with new UIDs.
    mutating func mutate() {
        guard !isCalm else { return }
        queue.schedule(at: after(0.01...2), .mutate)
        guard isAPIUp else { return }
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            let kind = ["Pod", "ConfigMap", "Secret"].randomElement(using: &generator) ?? "Pod"
            let name = "\(kind.first?.lowercased() ?? "x")\(Int.random(in: 0...5, using: &generator))"
            revision += UInt64.random(in: 1...3, using: &generator)
            var object = ModelObject(kind: kind, name: name, uid: freshID(), version: revision)
            guard let known = objects[object.path] else {
                objects[object.path] = object
                publish(.insert, object)
                continue
            }
            object = known
            object.version = revision
            switch Int.random(in: 0..<10, using: &generator) {
            case 0...5:
                objects[object.path] = object
                publish(.update, object)
            case 6 where kind == "Pod":
                object.isDeleting = true
                objects[object.path] = object
                publish(.update, object)
            default:
                objects[object.path] = nil
                deletedUIDs.insert(object.uid)
                publish(.delete, object)
            }
        }
    }

    /// Breaks something for a while.
    mutating func disturb() {
        guard !isCalm else { return makePeace() }
        queue.schedule(at: after(1...25), .disturb)
        here = clouds.indices.randomElement(using: &generator) ?? 0
        let live = cloud.live
        switch Int.random(in: 0..<13, using: &generator) {
        case 0, 1: if let live { cut(live) }
        case 2: if let live { mute(.edge, live) }
        case 3: if let live { mute(.cloud, live) }
        case 4: if cloud.isUp { cloudStops() }
        case 5, 6: if isEdgeUp { edgeStops() }
        case 7, 8: breakWatch()
        case 9: apiRestarts()
        case 10: loseStore()
        case 11: apiFailureRate = [0, 0.1, 0.5, 0.95].randomElement(using: &generator) ?? 0
        default: applyFailureRate = [0, 0.05, 0.5].randomElement(using: &generator) ?? 0
        }
    }

    /// A step of a script; what it needs and what is not there, it leaves.
    mutating func perform(_ step: Step) {
        note("\(step)")
        func object(_ kind: String) -> ModelObject { ModelObject(kind: kind, name: "one", uid: "", version: revision) }
        switch step {
        case .create(let kind):
            revision += 1
            let new = ModelObject(kind: kind, name: "one", uid: freshID(), version: revision)
            objects[new.path] = new
            publish(.insert, new)
        case .update(let kind):
            revision += 1
            guard var known = objects[object(kind).path] else { return }
            known.version = revision
            objects[known.path] = known
            publish(.update, known)
        case .delete(let kind):
            revision += 1
            guard let known = objects.removeValue(forKey: object(kind).path) else { return }
            deletedUIDs.insert(known.uid)
            publish(.delete, known)
        case .cut: if let live = clouds[here].live { cut(live) }
        case .mute(let end): if let live = clouds[here].live { mute(end, live) }
        case .stopCloud: if cloud.isUp { cloudStops() }
        case .stopEdge: if isEdgeUp { edgeStops() }
        case .loseStore: loseStore()
        }
    }

    private mutating func makePeace() {
        apiFailureRate = 0
        applyFailureRate = 0
        // Half-open links heal by being found out.
        for cloud in clouds { for connection in cloud.sessions.keys.sorted() where connection != cloud.live { cut(connection) } }
    }

    private mutating func apiRestarts() {
        guard isAPIUp else { return }
        note("the API restarts")
        isAPIUp = false
        queue.schedule(at: after(0.5...30), .apiReturns)
        for index in clouds.indices {
            here = index
            breakWatch()
        }
    }

    /// A half-open link: the edge's transport finds out by its pings, the cloud by the missing keepalive.
    private mutating func mute(_ end: VirtualNetwork.End, _ connection: Int) {
        network.mute(end, connection)
        queue.schedule(at: after(15...45), .closed(connection: connection, at: .edge))
    }

    // MARK: - Checks

    /// What has to hold after every event.
    mutating func checkBounds() {
        for (_, session) in clouds.flatMap(\.sessions) {
            let backlog = session.backlog
            if backlog.inFlight > 16 { violate("\(backlog.inFlight) messages are out without an acknowledgement") }
            if backlog.once > 1024 { violate("\(backlog.once) messages wait to be sent once") }
            if backlog.objects > 200 { violate("\(backlog.objects) objects wait though there are 18 paths") }
        }
        if outbox.backlog.count > outbox.configuration.countLimit || outbox.backlog.bytes > outbox.configuration.byteLimit {
            violate("the outbox is over its bounds: \(outbox.backlog)")
        }
        let backlog = edge.backlog
        if backlog.posts > 1024 || backlog.requests > 1024 || backlog.acknowledgements > 2048 { violate("a queue of the edge is over its bound") }
        if isEdgeUp, openRequests.count + turnsOut.count != backlog.requests {
            violate("\(openRequests.count) requests and \(turnsOut.count) reports wait, the session knows \(backlog.requests)")
        }
    }

    /// How the edge differs from the API, its records from both; nil where all agree and nothing is under way.
    func difference() -> String? {
        guard isEdgeUp, edge.isOnline, let edgeConnection, let cloud = cloudOfConnection[edgeConnection].map({ clouds[$0] }), cloud.isUp,
            cloud.live == edgeConnection, let session = cloud.sessions[edgeConnection]
        else {
            return "they are not connected: the edge is \(isEdgeUp ? "\(edge.phase)" : "down"), the edge's connection "
                + "\(edgeConnection.map(String.init) ?? "none"), the sessions of the clouds \(clouds.map { $0.live.map(String.init) ?? "none" })"
        }
        guard session.slots.isEmpty, edge.backlog.applying == 0 else {
            return "under way: " + session.slots.map { "\($0.key) \($0.value.state)" }.sorted().joined(separator: ", ")
        }
        guard outbox.isIdle, outboxDisk.rows.isEmpty else { return "\(outboxDisk.rows.count) reports wait in the outbox" }
        if let missing = reports.missing() { return missing }
        guard edge.backlog.requests == 0 else { return "requests wait" }
        for path in Set(objects.keys).union(durable.keys).sorted() {
            let (there, here) = (objects[path], durable[path])
            // An answer leaves before its record stands; if the cloud dies then and the object with it, the edge keeps a copy that nobody asks for.
            if there == nil, answers.contains(path) { continue }
            guard there?.uid == here?.uid, there?.version == here?.version else {
                return "\(path) is \(describe(there)) in the cloud and \(describe(here)) at the edge"
            }
        }
        for (name, record) in records.sorted(by: { $0.key < $1.key }) {
            guard let object = objects.values.first(where: { $0.uid == record.key.uid }) else { return "the record \(name) is of no object" }
            guard object.version == record.version else { return "the record \(name) is at \(record.version), the object at \(object.version)" }
        }
        return nil
    }

    private func describe(_ object: ModelObject?) -> String { object.map { "\($0.uid.prefix(8)) at version \($0.version)" } ?? "nothing" }
}

import DeliveryCore
import EdgeMessages
import EdgeTesting
import KubeMachinery
import Primitives

/// A report that a connection of the cloud brought.
struct ModelArrival {
    var message: EdgeMessage
    var connection: Int
    var epoch: UInt64
}

/// How reports reach the cloud: one of ours, which handles each once and answers, or a Go cloud, which takes what it reads.
extension LineWorld {
    mutating func takeReport(_ message: EdgeMessage, _ connection: Int) {
        guard let session = cloud.sessions[connection] else { return }
        guard isConfirming else {
            apply(message, isLate: false)
            if message.isTwinReport { reply(message.confirmation(), connection) }
            return
        }
        let arrival = ModelArrival(message: message, connection: connection, epoch: session.epoch)
        // What finds no room is dropped; the edge sends it again.
        guard cloud.reportLanes[connection, default: KeyedLanes(concurrency: 4, capacity: 8)].add(arrival, key: message.lane) else { return }
        startReports(connection)
    }

    private mutating func startReports(_ connection: Int) {
        while let (_, next) = cloud.reportLanes[connection]?.next() { queue.schedule(at: after(0...0.05), .reportBegins(next, life: cloud.life)) }
    }

    mutating func tryReport(_ arrival: ModelArrival) {
        let (id, lane) = (arrival.message.header.id, arrival.message.lane)
        switch cloud.memory.take(id, lane: lane, epoch: arrival.epoch) {
        case .outdated: leaveLane(arrival)
        case .wait: cloud.waitingReports[lane, default: []].append(arrival)
        case .handled:
            reports.repeated += 1
            leaveLane(arrival)
            reply(arrival.message.confirmation(), arrival.connection)
        case .handle:
            let isSlow = !isCalm && chance(0.08)
            queue.schedule(at: after(isSlow ? 5...40 : 0.001...0.3), .reportHandled(arrival, life: cloud.life))
        }
    }

    private mutating func leaveLane(_ arrival: ModelArrival) {
        guard cloud.reportLanes[arrival.connection] != nil else { return }
        cloud.reportLanes[arrival.connection]?.finish(arrival.message.lane)
        startReports(arrival.connection)
    }

    /// A handler has done its work, also where the session that brought the report is over.
    mutating func reportHandled(_ arrival: ModelArrival) {
        let message = arrival.message
        let isTaken = isCalm || !chance(0.05)
        if isTaken { apply(message, isLate: clouds.count > 1 && cloud.sessions[arrival.connection] == nil) }
        cloud.memory.finish(message.header.id, lane: message.lane, isTaken: isTaken)
        leaveLane(arrival)
        let busy = KubeStatus(code: 503, reason: "ServiceUnavailable", message: "later")
        reply(isTaken ? message.confirmation() : message.reply(busy), arrival.connection)
        wakeReports(message.lane)
    }

    mutating func wakeReports(_ lane: String) {
        // Whoever waits comes back in any order.
        for arrival in (cloud.waitingReports.removeValue(forKey: lane) ?? []).shuffled(using: &generator) { tryReport(arrival) }
    }

    private mutating func apply(_ message: EdgeMessage, isLate: Bool) {
        let life = cloud.life * clouds.count + here
        if let problem = reports.apply(message.header.id, life: life, isOnce: isConfirming, isLate: isLate) { violate(problem) }
    }

    private mutating func reply(_ answer: EdgeMessage, _ connection: Int) {
        var answer = answer
        answer.header.id = freshID()
        let moment = now
        guard let directives = cloud.sessions[connection]?.deliver(answer, now: moment) else { return }
        perform(directives, connection)
    }

    /// A session begins: what older ones have not begun to handle is left to it.
    mutating func beginReports(epoch: UInt64) {
        cloud.memory.begin(epoch: epoch)
        for lane in cloud.waitingReports.keys.sorted() { wakeReports(lane) }
    }

    // MARK: - Round trips

    mutating func prove(epoch: UInt64) {
        guard let edgeConnection else { return }
        proofs += 1
        proof = proofs
        queue.schedule(at: queue.now + .seconds(30), .proofEnds(number: proofs, epoch: epoch, isProved: false))
        guard let arrival = network.send(to: .cloud, over: edgeConnection, now: queue.now, using: &generator) else { return }
        queue.schedule(at: arrival, .ping(connection: edgeConnection, number: proofs, epoch: epoch))
    }

    mutating func cloudAnswersPing(_ connection: Int, number: Int, epoch: UInt64) {
        guard cloud.sessions[connection] != nil, network.isHeard(at: .cloud, over: connection, now: queue.now),
            let arrival = network.send(to: .edge, over: connection, now: queue.now, using: &generator)
        else { return }
        queue.schedule(at: arrival, .pong(connection: connection, number: number, epoch: epoch))
    }

    mutating func edgeHearsPong(_ connection: Int, number: Int, epoch: UInt64) {
        guard connection == edgeConnection, isEdgeUp, network.isHeard(at: .edge, over: connection, now: queue.now) else { return }
        proofEnds(number: number, epoch: epoch, isProved: true)
    }

    mutating func proofEnds(number: Int, epoch: UInt64, isProved: Bool) {
        guard proof == number, isEdgeUp else { return }
        proof = nil
        perform(edge.proved(epoch: epoch, isProved: isProved))
    }
}

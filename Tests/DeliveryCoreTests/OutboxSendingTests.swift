import EdgeMessages
import KubeMachinery
import Primitives
import Testing

@testable import DeliveryCore

@Suite("The outbox: what is sent, sent again and forgotten")
struct OutboxSendingTests {
    @Test("one report of a lane is out at a time, lanes go side by side, within the window")
    func lanes() {
        var outbox = OutboxFixture(window: 2)
        for (name, lane) in [("a1", "a"), ("a2", "a"), ("b1", "b"), ("c1", "c")] { outbox.keep(name, on: lane) }
        #expect(outbox.send().isEmpty)
        outbox.core.connected(now: outbox.now)
        let sent = outbox.send()
        #expect(sent.map(\.name) == ["a1", "b1"])
        outbox.finish(sent[0].turn)
        let next = outbox.send()
        #expect(next.map(\.name) == ["c1"])
        outbox.finish(next[0].turn)
        #expect(outbox.send().map(\.name) == ["a2"])
    }

    @Test("after a break what was not confirmed goes again, in order, once the line stands")
    func breaks() {
        var outbox = OutboxFixture()
        for name in ["a", "b"] { outbox.keep(name) }
        outbox.core.connected(now: outbox.now)
        let first = outbox.send()
        outbox.core.disconnected()
        outbox.finish(first[0].turn, .lost)
        #expect(outbox.send().isEmpty)
        outbox.core.connected(now: outbox.now)
        let second = outbox.send()
        #expect(second.map(\.name) == ["a"])
        // The next connection stands before the loss of this one is told.
        outbox.core.connected(now: outbox.now)
        outbox.finish(second[0].turn, .lost)
        #expect(outbox.drain() == ["a", "b"])
    }

    @Test("a line that takes nothing though it stands is tried again after a pause that grows")
    func pause() throws {
        var outbox = OutboxFixture()
        outbox.keep("a")
        outbox.core.connected(now: outbox.now)
        for pause in [2.0, 4, 8] {
            let sent = outbox.send()
            let turn = try #require(sent.first).turn
            outbox.finish(turn, .lost)
            #expect(outbox.send().isEmpty)
            #expect(outbox.core.nextDeadline == outbox.now.uptime + .seconds(pause))
            outbox.advance(.seconds(pause))
        }
        #expect(outbox.drain() == ["a"])
    }

    @Test("a report that the cloud cannot take now holds up its lane alone; one that it never takes is dropped")
    func refusals() {
        var outbox = OutboxFixture()
        for (name, lane) in [("a1", "a"), ("a2", "a"), ("b1", "b"), ("b2", "b")] { outbox.keep(name, on: lane) }
        outbox.core.connected(now: outbox.now)
        let sent = outbox.send()
        outbox.finish(sent[0].turn, .later("busy"))
        outbox.finish(sent[1].turn, .refused("no"))
        #expect(outbox.drain() == ["b2"])
        outbox.advance(.seconds(2))
        #expect(outbox.drain() == ["a1", "a2"])
        #expect(outbox.notes == [.putOff(lane: "a", cause: "busy"), .refused(lane: "b", cause: "no")])
    }

    @Test("rows are removed together a moment after their confirmation, or with the next write")
    func removal() {
        var outbox = OutboxFixture()
        for name in ["a", "b", "c"] { outbox.keep(name) }
        outbox.core.connected(now: outbox.now)
        #expect(outbox.drain() == ["a", "b", "c"])
        #expect(outbox.beginWrite() == nil)
        #expect(outbox.core.nextDeadline == outbox.now.uptime + .seconds(1))
        outbox.advance(.seconds(1))
        #expect(outbox.core.nextDeadline == nil)
        outbox.write(failure: "no room")
        #expect(outbox.disk.count == 3)
        outbox.advance(.seconds(2))
        outbox.post("d")
        let write = outbox.beginWrite()
        #expect(write?.puts == ["d"])
        #expect(write?.removals.sorted() == ["a", "b", "c"])
        outbox.endWrite()
        #expect(outbox.disk.count == 1)
        #expect(outbox.core.nextDeadline == nil)
    }

    @Test("a start sends what was left in the order of the numbers, an old state of which a newer is there not at all")
    func restart() {
        var outbox = OutboxFixture()
        outbox.core.connected(now: outbox.now)
        outbox.keep("v1", .state(key: "k"))
        #expect(outbox.send().map(\.name) == ["v1"])
        for name in ["a", "b"] { outbox.keep(name) }
        outbox.keep("v2", .state(key: "k"))
        var next = outbox.restarted()
        next.core.connected(now: next.now)
        #expect(next.drain() == ["a", "b", "v2"])
        next.keep("c")
        #expect(next.disk.keys.sorted() == [5])
    }

    @Test("a row that is gone or broken holds nothing up")
    func unreadable() {
        var outbox = OutboxFixture()
        for name in ["a", "b"] { outbox.keep(name) }
        outbox.core.connected(now: outbox.now)
        outbox.finish(outbox.send()[0].turn, .unreadable("it is no JSON"))
        #expect(outbox.drain() == ["b"])
        #expect(outbox.notes == [.unreadable(lane: "t", cause: "it is no JSON")])
    }

    @Test("what has left many lanes behind costs nothing while the cloud is away")
    func stalePlaces() {
        var outbox = OutboxFixture(count: 4)
        for index in 0..<2000 { outbox.keep("r\(index)", on: "lane/\(index)") }
        #expect(outbox.core.turns.count <= 80)
        #expect(outbox.core.queued.count <= 80)
        #expect(outbox.core.events.count <= 80)
        #expect(outbox.core.lanes.count == 4)
        outbox.core.connected(now: outbox.now)
        #expect(outbox.drain() == (1996..<2000).map { "r\($0)" })
    }

    @Test("how a report is proved depends on what it is and on the cloud", arguments: [true, false])
    func proofs(isConfirmed: Bool) {
        let upload = OutboxFixture.message("a", on: "sensors/1")
        var twin = OutboxFixture.message("a", on: "device/default/d/twin/edge_updated")
        twin.route.group = EdgeGroup.resource
        twin.route.operation = EdgeOperation.update
        var state = twin
        state.route.resource = "device/default/d/state/update"
        #expect(upload.proof(isConfirmed: isConfirmed) == (isConfirmed ? .answer : .reading))
        #expect(state.proof(isConfirmed: isConfirmed) == (isConfirmed ? .answer : .reading))
        #expect(twin.proof(isConfirmed: isConfirmed) == .answer)
        #expect(twin.lane == "device/default/d")
        #expect(state.lane == twin.lane)
        #expect(upload.lane == "sensors/1")
        let confirmation = twin.confirmation()
        #expect(confirmation.route.resource == "twin")
        #expect(confirmation.route.group == EdgeGroup.twin)
        #expect(confirmation.header.parentID == "a")
        #expect(upload.confirmation().route == upload.acknowledgement().route)
    }

    @Test("only failures of the cloud speak against a report, not what a REST target says")
    func judgements() {
        let upload = OutboxFixture.message("a", on: "t")
        #expect(upload.response("OK").refusal == nil)
        #expect(upload.response("no such sensor").refusal == nil)
        #expect(upload.response(#"{"ErrStatus":{"code":404}}"#).refusal == nil)
        #expect(upload.reply(KubeStatus(code: 404, reason: "NotFound", message: "no")).refusal?.code == 404)
        let full = KubeStatus(code: 507, reason: "InsufficientStorage", message: "full")
        #expect(upload.reply(ObjectResponse(full)).refusal?.code == 507)
        var error = upload.response("broken")
        error.route.operation = EdgeOperation.error
        #expect(error.refusal?.isRetryable == true)
    }
}

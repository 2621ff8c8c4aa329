import EdgeMessages
import Primitives
import Testing

@testable import DeliveryCore

@Suite("The outbox: what is written, replaced and dropped")
struct OutboxCoreTests {
    private let value = ReportKind.state(key: "value")
    private let mode = ReportKind.state(key: "mode")

    @Test("callers go on when the transaction is on the disk; what was posted meanwhile shares the next")
    func groupCommit() {
        var outbox = OutboxFixture()
        outbox.core.connected(now: outbox.now)
        outbox.post("a")
        #expect(outbox.beginWrite()?.puts == ["a"])
        outbox.post("b")
        outbox.post("c", on: "u")
        #expect(outbox.beginWrite() == nil)
        #expect(outbox.told.isEmpty)
        #expect(outbox.send().isEmpty)
        outbox.endWrite()
        #expect(outbox.told == ["a ok"])
        #expect(outbox.beginWrite()?.puts == ["b", "c"])
        #expect(outbox.send().map(\.name) == ["a"])
        outbox.endWrite()
        #expect(outbox.told == ["a ok", "b ok", "c ok"])
    }

    @Test("a failed transaction tells its callers and changes nothing else")
    func diskFull() {
        var outbox = OutboxFixture(count: 2)
        outbox.keep("e")
        outbox.keep("v1", on: "d", value)
        outbox.post("v2", on: "d", value)
        // Drops the event.
        outbox.post("f")
        outbox.write(failure: "no room on the disk")
        #expect(outbox.told == ["e ok", "v1 ok", "v2 notWritten", "f notWritten"])
        #expect(outbox.core.droppedEvents == 0)
        #expect(outbox.core.backlog.count == 2)
        outbox.core.connected(now: outbox.now)
        #expect(Set(outbox.drain()) == ["e", "v1"])
    }

    /// Posts as `name kind lane`, and the order in which they reach the cloud.
    static let orders: [([String], [String])] = [
        (["a e t", "b e t", "c e t"], ["a", "b", "c"]),
        // The newest of a state counts, in the place of the first.
        (["v1 value t", "m1 mode t", "v2 value t"], ["v2", "m1"]),
        // Not across an event of the same lane.
        (["v1 value t", "a e t", "v2 value t"], ["a", "v2"]),
        (["v1 value t", "a e u", "v2 value t"], ["v2", "a"]),
        (["v1 value t", "a e t", "v2 value t", "v3 value t", "b e t", "v4 value t"], ["a", "b", "v4"]),
        // The same key of another lane is another state.
        (["v1 value t", "v2 value u"], ["v1", "v2"]),
    ]

    @Test("events stay in order, the newest state wins, in one transaction or in many", arguments: orders, [false, true])
    func order(_ row: ([String], [String]), isOneBatch: Bool) {
        var outbox = OutboxFixture(window: 1)
        for post in row.0 {
            let words = post.split(separator: " ").map(String.init)
            outbox.post(words[0], on: words[2], words[1] == "e" ? .event : .state(key: words[1]))
            if !isOneBatch { outbox.write() }
        }
        outbox.write()
        #expect(outbox.told == row.0.map { "\($0.split(separator: " ")[0]) ok" })
        #expect(outbox.core.backlog.count == row.1.count)
        var restarted = outbox.restarted()
        outbox.core.connected(now: outbox.now)
        #expect(outbox.drain() == row.1)
        restarted.core.connected(now: restarted.now)
        #expect(restarted.drain() == row.1)
    }

    @Test("where the older state is out the newer waits behind it, and takes its place when it comes back")
    func newerWhileOut() throws {
        for outcome in [OutboxOutcome.confirmed, .lost, .later("busy")] {
            var outbox = OutboxFixture()
            outbox.core.connected(now: outbox.now)
            outbox.keep("v1", value)
            let sent = outbox.send()
            let turn = try #require(sent.first).turn
            outbox.keep("v2", value)
            outbox.keep("v3", value)
            #expect(outbox.send().isEmpty)
            #expect(outbox.core.backlog.count == 2)
            outbox.finish(turn, outcome)
            outbox.advance(.seconds(60))
            #expect(outbox.send().map(\.name) == ["v3"], "after \(outcome)")
        }
    }

    @Test("a state that is being replaced on the disk is not sent meanwhile")
    func held() {
        var outbox = OutboxFixture()
        outbox.core.connected(now: outbox.now)
        outbox.keep("v1", value)
        outbox.post("v2", value)
        #expect(outbox.beginWrite() != nil)
        #expect(outbox.send().isEmpty)
        outbox.endWrite()
        #expect(outbox.drain() == ["v2"])
    }

    @Test("the oldest events make room, never one that is out, never a state")
    func room() {
        var outbox = OutboxFixture(count: 4)
        outbox.core.connected(now: outbox.now)
        outbox.keep("a", on: "t")
        _ = outbox.send()
        outbox.keep("v", on: "d", value)
        outbox.core.disconnected()
        outbox.keep("b", on: "t")
        outbox.keep("c", on: "u")
        outbox.post("d", on: "u")
        #expect(outbox.beginWrite().map { $0.puts + $0.removals } == ["d", "b"])
        outbox.endWrite()
        outbox.keep("w", on: "e", value)
        outbox.keep("x", on: "f", value)
        #expect(outbox.core.droppedEvents == 3)
        #expect(outbox.notes.count == 3)
        #expect(Set(outbox.restarted().core.entries.values.map(\.lane)) == ["t", "d", "e", "f"])
        // Only states and what is out are left.
        outbox.keep("e", on: "u")
        outbox.keep("y", on: "g", value)
        #expect(outbox.told.suffix(2) == ["e full", "y full"])
        // What is there may still change.
        outbox.keep("v2", on: "d", value)
        #expect(outbox.told.last == "v2 ok")
        #expect(outbox.core.backlog.count == 4)
    }

    @Test("bytes are bounded as well, and so is one report")
    func bytes() {
        let size = OutboxFixture.message("a", on: "t", length: 100).wire.count
        var outbox = OutboxFixture(bytes: 3 * size, report: 2 * size)
        for name in ["a", "b", "c"] { outbox.keep(name, length: 100) }
        #expect(outbox.core.backlog.bytes == 3 * size)
        // Two are dropped for it.
        outbox.keep("d", length: 100 + size)
        #expect(outbox.core.droppedEvents == 2)
        #expect(outbox.core.backlog.bytes == 3 * size)
        outbox.post("e", length: 101 + size)
        #expect(outbox.told.last == "e tooLarge")
        #expect(OutboxError(code: .tooLarge, message: "").isRetryable == false)
        outbox.core.connected(now: outbox.now)
        #expect(outbox.drain() == ["c", "d"])
        #expect(outbox.core.backlog.bytes == 0)
    }

    @Test("callers are told when rows cannot be read, and when the edge stops")
    func noDisk() {
        var outbox = OutboxFixture(isRestored: false)
        outbox.post("a")
        #expect(outbox.beginWrite() == nil)
        outbox.take(outbox.core.restoreFailed("the disk is broken"))
        outbox.core.restore([], now: outbox.now)
        outbox.post("b")
        #expect(outbox.beginWrite()?.puts == ["b"])
        outbox.post("c")
        outbox.take(outbox.core.stop())
        outbox.endWrite()
        #expect(outbox.told == ["a notWritten", "b stopped", "c stopped"])
    }
}

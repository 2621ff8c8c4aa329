import DeliveryCore
import EdgeMessages
import EdgeTesting
import FoundationEssentials
import KubeMachinery
import Logging
import Primitives
import Testing

@testable import MetaManager
@testable import ObjectStore

@Suite("The outbox on its disk", .timeLimit(.minutes(1)))
final class ReportOutboxTests {
    private let path = "/tmp/report-outbox-\(UniqueID.next())"
    private let cloud = ReportCloud()
    private let clock = ManualClock()
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    private func store(_ name: String = "edge") throws -> ObjectStore {
        var configuration = ObjectStore.Configuration(path: "\(path)/\(name).db")
        configuration.historyLength = 0
        return try ObjectStore(configuration, logger: logger)
    }

    private func outbox(_ shelf: any OutboxShelf, count: Int = 8192) -> ReportOutbox {
        var configuration = ReportOutbox.Configuration()
        configuration.core.countLimit = count
        return ReportOutbox(configuration: configuration, shelf: shelf, uplink: cloud, clock: clock, logger: logger)
    }

    private func running(_ outbox: ReportOutbox, _ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { do { try await outbox.run() } catch is CancellationError {} }
            do { try await body() } catch {
                group.cancelAll()
                throw error
            }
            group.cancelAll()
        }
    }

    private func eventually(_ what: Comment, _ condition: () async throws -> Bool) async throws {
        let machine = SystemClock()
        let deadline = machine.now().uptime + .seconds(40)
        while machine.now().uptime < deadline {
            if try await condition() { return }
            clock.advance(by: .milliseconds(50))
            try await machine.wait(until: machine.now().uptime + .milliseconds(1))
        }
        try #require(Bool(false), what)
    }

    private func event(_ id: String, on topic: String = "t") -> EdgeMessage {
        EdgeMessage(
            source: EdgeSource.bus, group: EdgeGroup.user, operation: EdgeOperation.upload, resource: topic, content: .string("of \(id)"), id: id)
    }

    private func twin(_ id: String) -> EdgeMessage {
        EdgeMessage(
            source: EdgeSource.twin, group: EdgeGroup.resource, operation: EdgeOperation.update, resource: "device/default/d/twin/edge_updated",
            content: ["id": .string(id)], id: id)
    }

    private func rows(_ store: ObjectStore) async throws -> Int {
        try await store.list(EdgeRecords.outbox, namespace: nil, limit: nil, after: nil).objects.count
    }

    @Test("reports outlive the process, reach the cloud with their ids and in order, and leave the disk when it has confirmed them")
    func survival() async throws {
        let store = try store()
        let first = outbox(StoredOutbox(store: store, pageLength: 2))
        try await running(first) {
            for id in ["a", "b", "c"] { try await first.report(event(id), as: .event) }
            try await first.report(twin("v1"), as: .state(key: "twin"))
            try await first.report(twin("v2"), as: .state(key: "twin"))
        }
        await #expect { try await first.report(event("late"), as: .event) } throws: { ($0 as? OutboxError)?.code == .stopped }
        let kept1 = try await rows(store)
        #expect(kept1 == 4)
        let second = outbox(StoredOutbox(store: store, pageLength: 2))
        cloud.connect()
        try await running(second) { try await eventually("the disk is empty") { try await rows(store) == 0 } }
        #expect(cloud.ids.filter { $0 != "v2" } == ["a", "b", "c"])
        #expect(cloud.ids.contains("v2"))
        let marks = cloud.state.withLock { $0.taken.map { "\($0.message.wantsAnswer) \($0.proof)" } }
        #expect(Set(marks) == ["true answer"])
        let contents = cloud.state.withLock { $0.taken.map(\.message.content) }
        #expect(contents.first == "of a")
    }

    @Test("a Go cloud is sent nothing that it does not know; what it does not answer is proved by reading")
    func goCloud() async throws {
        let outbox = outbox(StoredOutbox(store: try store()))
        cloud.state.withLock { $0.confirms = false }
        cloud.connect()
        let (upload, report) = (event("a"), twin("v"))
        try await running(outbox) {
            try await outbox.report(upload, as: .event)
            try await outbox.report(report, as: .state(key: "twin"))
            try await eventually("both are gone") { await outbox.backlog.count == 0 }
        }
        let taken = cloud.state.withLock { $0.taken }
        #expect(taken.first { $0.message.header.id == "a" }?.proof == .reading)
        #expect(taken.first { $0.message.header.id == "a" }?.message == upload)
        #expect(taken.first { $0.message.header.id == "v" }?.proof == .answer)
        #expect(taken.first { $0.message.header.id == "v" }?.message == report)
    }

    @Test("what the cloud cannot take now comes again with the same id; what it refuses for good does not; a break loses nothing")
    func answers() async throws {
        let outbox = outbox(StoredOutbox(store: try store()))
        let busy = KubeStatus(code: 503, reason: "ServiceUnavailable", message: "later").errorContent
        let refusal = KubeStatus(code: 404, reason: "NotFound", message: "nobody").errorContent
        try await running(outbox) {
            try await outbox.report(event("a"), as: .event)
            try await outbox.report(event("b"), as: .event)
            cloud.state.withLock { $0.answer = { _ in busy } }
            cloud.connect()
            try await eventually("tried twice") { cloud.ids == ["a", "a"] }
            cloud.state.withLock { $0.answer = { _ in nil } }
            try await eventually("tried over a line that breaks") { cloud.ids.count >= 4 }
            #expect(Set(cloud.ids) == ["a"])
            cloud.state.withLock { $0.answer = { $0.header.id == "a" ? refusal : "OK" } }
            try await eventually("both are gone") { await outbox.backlog.count == 0 }
            #expect(cloud.ids.last == "b")
        }
    }

    @Test("reports that are posted at once share transactions")
    func groupCommit() async throws {
        let gate = Signal()
        let shelf = TroubledShelf(StoredOutbox(store: try store()), gate: gate)
        let outbox = outbox(shelf)
        try await running(outbox) {
            let first = event("first")
            let rest = (0..<30).map { event("\($0)", on: "t\($0)") }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await outbox.report(first, as: .event) }
                try await eventually("the first is being written") { shelf.commits.count == 1 }
                for message in rest { group.addTask { try await outbox.report(message, as: .event) } }
                try await eventually("all wait") { await outbox.unwritten == 30 }
                gate.set()
                try await eventually("the rest is being written") { shelf.commits.count == 2 }
                gate.set()
                try await group.waitForAll()
            }
            #expect(shelf.commits.map(\.puts.count) == [1, 30])
        }
    }

    @Test("T36 a full disk leaves the caller of the outbox with a clear error, and what was kept with its place", arguments: [false, true])
    func diskFull(isReplacing: Bool) async throws {
        let store = try store()
        let outbox = outbox(StoredOutbox(store: store))
        try await running(outbox) {
            try await outbox.report(twin("v1"), as: .state(key: "twin"))
            try await store.transact { try $0.connection.execute("PRAGMA max_page_count = 1") }
            var large = isReplacing ? twin("v2") : event("large")
            large.content = .string(String(repeating: "x", count: 1 << 20))
            let kind = isReplacing ? ReportKind.state(key: "twin") : .event
            await #expect {
                try await outbox.report(large, as: kind)
            } throws: { error in
                let error = error as? OutboxError
                return error?.code == .notWritten && error?.isRetryable == true && error?.message.contains("free disk space") == true
            }
            let kept = try await rows(store)
            #expect(kept == 1)
            try await store.transact { try $0.connection.execute("PRAGMA max_page_count = 100000") }
            try await outbox.report(event("b"), as: .event)
            cloud.connect()
            try await eventually("what was kept is at the cloud") { await outbox.backlog.count == 0 }
        }
        #expect(cloud.ids.sorted() == ["b", "v1"])
    }

    @Test("T37 the outbox killed at each write, before or after it is on the disk, nothing that was acknowledged is lost or out of order")
    func killed() async throws {
        for death in [TroubledShelf.Death.before, .after] {
            for commit in 0..<14 {
                let name = "\(commit)-\(death)"
                let acknowledged = try await lifeUntilDeath(name, (commit, death))
                cloud.state.withLock { $0.taken = [] }
                // A new process finds what is on the disk.
                let after = outbox(StoredOutbox(store: try store(name)))
                cloud.connect()
                try await running(after) {
                    try await eventually("the rest is sent") { await after.isRestored }
                    try await eventually("the rest is confirmed") { await after.backlog.count == 0 }
                }
                cloud.connect(false)
                let arrived = (acknowledged.sent + cloud.ids).reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
                let events = arrived.filter { $0.hasPrefix("e") }
                #expect(events == events.sorted(), "events out of order when killed at \(name)")
                let missing = acknowledged.kept.filter { $0.hasPrefix("e") && !arrived.contains($0) }
                #expect(missing.isEmpty, "lost when killed at \(name)")
                let newest = acknowledged.kept.filter { $0.hasPrefix("v") }.max() ?? ""
                #expect(arrived.filter { $0.hasPrefix("v") }.max() ?? "" >= newest, "an old state is left when killed at \(name)")
            }
        }
    }

    /// Posts, confirms and posts again, until the disk is gone; what callers were told, and what the cloud has had.
    private func lifeUntilDeath(
        _ name: String, _ death: (commit: Int, TroubledShelf.Death)
    ) async throws -> (kept: [String], sent: [String]) {
        let shelf = TroubledShelf(StoredOutbox(store: try store(name)), death: death)
        let outbox = outbox(shelf)
        var kept: [String] = []
        cloud.state.withLock { $0.taken = [] }
        try await running(outbox) {
            for round in 0..<6 {
                for message in [event("e\(round)a"), event("e\(round)b"), twin("v\(round)")] {
                    let kind = message.route.group == EdgeGroup.user ? ReportKind.event : .state(key: "twin")
                    do {
                        try await outbox.report(message, as: kind)
                        kept.append(message.header.id)
                    } catch { #expect((error as? OutboxError)?.code == .notWritten) }
                }
                // Half of the rounds find the cloud, so that rows are also removed.
                cloud.connect(round.isMultiple(of: 2))
                guard round.isMultiple(of: 2), !shelf.isDead else { continue }
                try await eventually("a round is sent") { await outbox.backlog.count == 0 || shelf.isDead }
            }
            cloud.connect(false)
        }
        #expect(shelf.isDead)
        return (kept, cloud.ids)
    }

    @Test("a row that is no report is removed at the start, and so goes one that breaks later")
    func brokenRows() async throws {
        let store = try store()
        var record = KubeObject(apiVersion: "edge.kubeedge.io/v1", kind: "WaitingReport", namespace: nil, name: "00000000000000000001")
        record.json["message"] = "none"
        try await store.apply([.put(EdgeRecords.outbox, record)])
        let outbox = outbox(StoredOutbox(store: store))
        try await running(outbox) {
            try await outbox.report(event("a"), as: .event)
            try await outbox.report(event("b"), as: .event)
            let kept = try await rows(store)
            #expect(kept == 2)
            try await store.apply([.put(EdgeRecords.outbox, record)])
            cloud.connect()
            try await eventually("the other is sent") { await outbox.backlog.count == 0 }
        }
        #expect(cloud.ids == ["b"])
    }
}

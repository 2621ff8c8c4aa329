import DeliveryCore
import EdgeMessages
import EdgeTesting
import FoundationEssentials
import KubeMachinery
import Logging
import MetaManager
import ObjectStore
import PodCore
import Primitives
import Synchronization
import Testing

/// A cloud that takes events, or does not.
private final class EventCloud: CloudUplink {
    struct State {
        var isConnected = false
        var offersEvents = true
        var answer: JSONValue = "OK"
        var sent: [EdgeMessage] = []
        var posted: [EdgeMessage] = []
        var followers: [AsyncStream<Bool>.Continuation] = []
    }

    let state = Mutex(State())

    func request(_ message: EdgeMessage, timeout: Duration) async throws -> EdgeMessage {
        try state.withLock { state in
            guard state.isConnected else { throw UplinkError.notConnected }
            state.sent.append(message)
            return message.response(state.answer)
        }
    }

    func post(_ message: EdgeMessage) async { state.withLock { $0.posted.append(message) } }
    func isConnected() async -> Bool { state.withLock { $0.isConnected } }
    func offers(_ capability: PeerCapability) async -> Bool { state.withLock { $0.isConnected && $0.offersEvents } }

    func connectivity() async -> AsyncStream<Bool> {
        let (stream, continuation) = AsyncStream.makeStream(of: Bool.self)
        state.withLock {
            $0.followers.append(continuation)
            continuation.yield($0.isConnected)
        }
        return stream
    }

    func connect(_ isConnected: Bool = true) {
        state.withLock { state in
            state.isConnected = isConnected
            for follower in state.followers { follower.yield(isConnected) }
        }
    }

    /// `insert shop/event/web.… 1`
    var lines: [String] {
        state.withLock { $0.sent + $0.posted }.map { message in
            let event = message.content.member("event") ?? message.content
            return "\(message.route.operation) \(event["reason"].string ?? "") \(event["count"].int ?? 0)"
        }
    }
}

@Suite("The recorder of events", .timeLimit(.minutes(1)))
final class EventRecorderTests {
    private let path = "/tmp/event-recorder-\(UniqueID.next()).db"
    private let cloud = EventCloud()
    private let clock = ManualClock()
    private let store: ObjectStore
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    init() throws { store = try ObjectStore(ObjectStore.Configuration(path: path), logger: logger) }

    deinit { for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) } }

    private func event(_ reason: String, pod: String = "web", message: String = "m") -> KubeletEvent {
        KubeletEvent(
            KubeletEvent.Subject(kind: "Pod", namespace: "shop", name: pod, uid: "u"), .warning, reason: reason, message: message)
    }

    private func recorder(_ receiver: EventRecorder.Configuration.Receiver = .announced, limit: Int = 512) -> EventRecorder {
        var configuration = EventRecorder.Configuration(nodeName: "edge-1")
        configuration.receiver = receiver
        configuration.limits.count = limit
        return EventRecorder(configuration: configuration, store: store, uplink: cloud, clock: clock, logger: logger)
    }

    private func running(_ recorder: EventRecorder, _ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { do { try await recorder.run() } catch is CancellationError {} }
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

    private func kept() async throws -> Int {
        try await store.list(EdgeRecords.events, namespace: nil, limit: nil, after: nil).objects.count
    }

    @Test("what happens while the cloud is away is sent when it is back, each with its count, and nothing twice")
    func offlineThenOnline() async throws {
        let recorder = recorder()
        try await running(recorder) {
            for _ in 0..<3 { recorder.record(event("BackOff")) }
            recorder.record(event("Failed"))
            try await eventually("they are on the disk") { try await kept() == 2 }
            #expect(cloud.lines.isEmpty)
            cloud.connect()
            try await eventually("they are sent") { cloud.lines.count == 2 }
            #expect(cloud.lines == ["insert BackOff 3", "insert Failed 1"])
            #expect(cloud.state.withLock { $0.sent.allSatisfy(\.wantsAnswer) })
            try await eventually("the disk is clean") { try await kept() == 0 }
            recorder.record(event("BackOff"))
            try await eventually("a repetition is a patch") { cloud.lines.last == "patch BackOff 4" }
            let patch = cloud.state.withLock { $0.sent.last?.content["patchData"].string ?? "" }
            #expect(try JSONValue(parsing: patch)["count"] == 4)
        }
    }

    @Test("nothing is written to the disk while events get through")
    func noWriteOnline() async throws {
        cloud.connect()
        let revision = await store.revision()
        let recorder = recorder()
        try await running(recorder) {
            for number in 0..<10 { recorder.record(event("R\(number)")) }
            try await eventually("they are sent") { cloud.lines.count == 10 }
            for _ in 0..<200 {
                clock.advance(by: .milliseconds(100))
                for _ in 0..<20 { await Task.yield() }
            }
        }
        #expect(await store.revision() == revision)
    }

    @Test("what waited survives a restart of the agent")
    func restart() async throws {
        let before = recorder()
        try await running(before) {
            before.record(event("Killing"))
            before.record(event("Killing"))
            try await eventually("it is on the disk") { try await kept() == 1 }
        }
        cloud.connect()
        let after = recorder()
        try await running(after) {
            try await eventually("it is sent") { cloud.lines == ["insert Killing 2"] }
            try await eventually("the disk is clean") { try await kept() == 0 }
        }
    }

    @Test("what waits when the agent stops is kept, though the delay has not passed")
    func stop() async throws {
        let recorder = recorder()
        try await running(recorder) {
            recorder.record(event("Killing"))
            for _ in 0..<200 { await Task.yield() }
        }
        #expect(try await kept() == 1)
    }

    @Test("a cloud that announces nothing is sent nothing, and nothing piles up for it")
    func unannounced() async throws {
        cloud.state.withLock { $0.offersEvents = false }
        cloud.connect()
        let recorder = recorder()
        try await running(recorder) {
            for number in 0..<20 { recorder.record(event("R\(number)")) }
            try await eventually("they are forgotten") { recorder.waiting == 0 }
        }
        #expect(cloud.lines.isEmpty)
        #expect(try await kept() == 0)
    }

    @Test("with reportEvent every cloud is told, without asking for an answer; without it none is")
    func forced() async throws {
        cloud.state.withLock { $0.offersEvents = false }
        cloud.connect()
        let any = recorder(.any)
        try await running(any) {
            any.record(event("Failed"))
            try await eventually("it is posted") { cloud.lines == ["insert Failed 1"] }
            #expect(cloud.state.withLock { $0.posted.count == 1 && !$0.posted[0].wantsAnswer })
        }
        cloud.state.withLock { $0.offersEvents = true }
        let nobody = recorder(.nobody)
        try await running(nobody) { nobody.record(event("Failed")) }
        #expect(cloud.lines.count == 1 && nobody.waiting == 0)
    }

    @Test("an event that the cloud refuses is dropped, one that it cannot take now is sent again")
    func refusals() async throws {
        cloud.state.withLock { $0.answer = KubeStatus.serviceUnavailable("the API is away").errorContent }
        cloud.connect()
        let recorder = recorder()
        try await running(recorder) {
            recorder.record(event("Failed"))
            try await eventually("it is tried again") { cloud.lines.count >= 2 }
            #expect(recorder.waiting == 1)
            cloud.state.withLock { $0.answer = KubeStatus(code: 403, reason: "Forbidden", message: "no").errorContent }
            try await eventually("it is given up") { recorder.waiting == 0 }
            let count = cloud.lines.count
            cloud.state.withLock { $0.answer = "OK" }
            recorder.record(event("Other"))
            try await eventually("the next one goes") { cloud.lines.last == "insert Other 1" }
            #expect(cloud.lines.count == count + 1)
        }
    }

    @Test("a bounded number waits, and the disk holds what memory holds")
    func bounds() async throws {
        let recorder = recorder(limit: 10)
        try await running(recorder) {
            for number in 0..<25 { recorder.record(event("R\(number)", pod: "pod-\(number)")) }
            #expect(recorder.waiting == 10)
            try await eventually("ten are on the disk") { try await kept() == 10 }
        }
    }
}

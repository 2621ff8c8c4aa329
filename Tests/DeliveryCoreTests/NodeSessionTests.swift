import EdgeMessages
import KubeMachinery
import Primitives
import Testing

@testable import DeliveryCore

/// Drives one session: time moves by hand, records open at once unless told otherwise.
struct SessionBench {
    var session: NodeSession
    var uptime: Duration = .seconds(100)
    var opensRecords = true
    /// The versions that records say.
    var recorded: [String: UInt64] = [:]
    var commands: [SyncRecordCommand] = []
    var notes: [NodeSessionNote] = []
    var handled: [UpstreamRoute] = []
    var ending: NodeSessionEnd?

    init(_ configuration: NodeSession.Configuration = NodeSession.Configuration()) {
        session = NodeSession(
            node: "edge.1", epoch: 1, configuration: configuration, now: Moment(wall: Timestamp(seconds: 0), uptime: .seconds(100)))
    }

    /// By how much the wall clock was set.
    var wallOffset: Duration = .zero

    var now: Moment { Moment(wall: Timestamp(seconds: 0) + wallOffset, uptime: uptime) }

    mutating func perform(_ directives: [NodeSessionDirective]) {
        for directive in directives {
            switch directive {
            case .record(let command):
                commands.append(command)
                if case .open = command, !opensRecords { continue }
                complete(command)
            case .handle(_, let route): handled.append(route)
            case .note(let note): notes.append(note)
            case .end(let reason): ending = reason
            }
        }
    }

    mutating func complete(_ command: SyncRecordCommand) {
        let uid = command.key.uid
        switch command {
        case .open: recorded[uid] = recorded[uid] ?? 0
        case .write(_, let version): recorded[uid] = version
        case .remove: recorded[uid] = nil
        }
        perform(session.recordDone(uid: uid, .done(version: recorded[uid] ?? 0), now: now))
    }

    mutating func deliver(_ message: EdgeMessage) { perform(session.deliver(message, now: now)) }
    mutating func receive(_ message: EdgeMessage) { perform(session.received(message, now: now)) }

    mutating func advance(_ seconds: Double) {
        uptime += .seconds(seconds)
        perform(session.timerFired(now: now))
    }

    /// Everything that is to be sent now.
    mutating func sent() -> [EdgeMessage] {
        var messages: [EdgeMessage] = []
        while let message = session.nextMessage(now: now) {
            messages.append(message)
            session.sendFinished(now: now)
        }
        return messages
    }

    mutating func acknowledge(_ message: EdgeMessage?) {
        guard let message else { return }
        receive(message.acknowledgement())
    }

    static func object(
        _ change: ObjectChange, _ name: String, uid: String, _ version: UInt64, kind: String = "ConfigMap", deleting: Bool = false
    ) -> EdgeMessage {
        var object = KubeObject(apiVersion: "v1", kind: kind, namespace: "default", name: name)
        object.uid = uid
        object.resourceVersion = version == 0 ? "" : String(version)
        if deleting { object.metadata["deletionTimestamp"] = "2024-06-01T10:00:00Z" }
        return .object(change, object, GroupVersionKind("v1", kind))
    }
}

@Suite("The cloud's end of a session")
struct NodeSessionTests {
    typealias Bench = SessionBench

    @Test("an object leaves once its record stands, and the record follows the acknowledgement")
    func delivery() {
        var bench = Bench()
        bench.opensRecords = false
        bench.deliver(Bench.object(.insert, "a", uid: "u", 5))
        let sent1 = bench.sent()
        #expect(sent1.isEmpty)
        bench.complete(bench.commands[0])
        let sent = bench.sent()
        #expect(sent.map(\.route.resource) == ["default/configmap/a"])
        bench.acknowledge(sent.first)
        #expect(bench.recorded == ["u": 5])
        #expect(bench.commands.last?.key.name == "edge.1.u")
        #expect(bench.session.backlog.objects == 0)
    }

    @Test(
        "what the record says is held is not sent again; an empty record counts as 0 (D-02)", arguments: [(5, 0), (4, 1), (0, 1)] as [(UInt64, Int)])
    func records(row: (UInt64, Int)) {
        var bench = Bench()
        bench.recorded["u"] = row.0
        bench.deliver(Bench.object(.update, "a", uid: "u", 5))
        let sent2 = bench.sent()
        #expect(sent2.count == row.1)
    }

    @Test("of versions that wait only the newest is sent")
    func coalescing() {
        var bench = Bench()
        bench.opensRecords = false
        for version: UInt64 in [5, 7, 6] { bench.deliver(Bench.object(.update, "a", uid: "u", version)) }
        bench.complete(bench.commands[0])
        let sent3 = bench.sent()
        #expect(sent3.map(\.objectVersion) == [7])
    }

    @Test("a version that comes while another is out is sent after its acknowledgement")
    func supersession() {
        var bench = Bench()
        bench.deliver(Bench.object(.update, "a", uid: "u", 5))
        let first = bench.sent()
        bench.deliver(Bench.object(.update, "a", uid: "u", 6))
        let sent4 = bench.sent()
        #expect(sent4.isEmpty)
        bench.acknowledge(first.first)
        let sent5 = bench.sent()
        #expect(sent5.map(\.objectVersion) == [6])
    }

    @Test("nothing overtakes a delete, and nothing comes back after it")
    func deletes() {
        var bench = Bench()
        bench.deliver(Bench.object(.update, "a", uid: "u", 5))
        bench.acknowledge(bench.sent().first)
        bench.deliver(Bench.object(.delete, "a", uid: "u", 9))
        bench.deliver(Bench.object(.update, "a", uid: "u", 10))
        let sent = bench.sent()
        #expect(sent.map(\.route.operation) == ["delete"])
        bench.acknowledge(sent.first)
        bench.deliver(Bench.object(.update, "a", uid: "u", 11))
        let sent6 = bench.sent()
        #expect(sent6.isEmpty)
        #expect(bench.recorded.isEmpty)
    }

    @Test("a new object of the same name waits for the old one's delete")
    func recreation() {
        var bench = Bench()
        bench.deliver(Bench.object(.delete, "a", uid: "old", 5))
        bench.deliver(Bench.object(.insert, "a", uid: "new", 6))
        let first = bench.sent()
        #expect(first.map(\.route.operation) == ["delete"])
        bench.acknowledge(first.first)
        let sent7 = bench.sent()
        #expect(sent7.map(\.route.operation) == ["insert"])
    }

    @Test("a late delete is not sent where a Go edge would remove the new object by it; that of a pod is", arguments: ["ConfigMap", "Pod"])
    func lateDelete(kind: String) {
        var bench = Bench()
        bench.recorded["old"] = 3
        bench.deliver(Bench.object(.insert, "a", uid: "new", 6, kind: kind))
        bench.deliver(Bench.object(.delete, "a", uid: "old", 5, kind: kind))
        bench.acknowledge(bench.sent().first)
        let sent8 = bench.sent()
        #expect(sent8.count == (kind == "Pod" ? 1 : 0))
        #expect((bench.recorded["old"] == nil) == (kind != "Pod"))
    }

    /// Found by the simulation (seed 34): the new object vanished before the edge had it, and with it the delete of the old one.
    @Test("a late delete is sent where the new object never reached the edge")
    func lateDeleteWithoutSuccessor() {
        var bench = Bench()
        bench.recorded["old"] = 3
        bench.opensRecords = false
        bench.deliver(Bench.object(.insert, "a", uid: "new", 6))
        bench.deliver(Bench.object(.delete, "a", uid: "old", 5))
        bench.deliver(Bench.object(.delete, "a", uid: "new", 7))
        let first = bench.sent()
        #expect(first.map(\.objectUID) == ["new"])
        bench.acknowledge(first.first)
        let sent9 = bench.sent()
        #expect(sent9.map(\.objectUID) == ["old"])
    }

    @Test("an unacknowledged object is repeated with the same id every 5 s, five times, then makes way for a while")
    func repetition() {
        var bench = Bench()
        bench.deliver(Bench.object(.update, "a", uid: "u", 5))
        var ids: [String] = bench.sent().map(\.header.id)
        for _ in 1..<5 {
            bench.advance(4)
            let sent10 = bench.sent()
            #expect(sent10.isEmpty)
            bench.advance(1)
            bench.receive(.keepalive())
            ids += bench.sent().map(\.header.id)
        }
        #expect(ids.count == 5)
        #expect(Set(ids).count == 1)
        bench.advance(5)
        let sent11 = bench.sent()
        #expect(sent11.isEmpty)
        #expect(bench.session.backlog.inFlight == 0)
        #expect(bench.notes == [.unacknowledged(resource: "default/configmap/a")])
        bench.advance(1)
        let sent12 = bench.sent()
        #expect(sent12.count == 1)
    }

    @Test("T46 an acknowledgement that never comes holds nobody else back")
    func noHeadOfLine() {
        var bench = Bench()
        for index in 0..<20 { bench.deliver(Bench.object(.update, "a\(index)", uid: "u\(index)", 5)) }
        let first = bench.sent()
        #expect(first.count == 16)
        for message in first.dropFirst() { bench.acknowledge(message) }
        let sent13 = bench.sent()
        #expect(sent13.count == 4)
    }

    @Test("T45 acknowledgements that are unknown, late, repeated or out of order change nothing but what they acknowledge")
    func oddAcknowledgements() {
        var bench = Bench()
        bench.deliver(Bench.object(.update, "a", uid: "u", 5))
        let sent = bench.sent()
        bench.acknowledge(sent.first)
        let commands = bench.commands
        bench.acknowledge(sent.first)
        bench.receive(sent[0].acknowledgement())
        bench.receive(EdgeMessage(source: "x", group: "y", operation: "response", resource: "", content: "OK", parentID: "nobody"))
        #expect(bench.commands == commands)
        #expect(bench.ending == nil)
        for (index, uid) in ["x", "y", "z"].enumerated() { bench.deliver(Bench.object(.update, uid, uid: uid, UInt64(10 + index))) }
        for message in bench.sent().reversed() { bench.acknowledge(message) }
        #expect(bench.session.backlog.inFlight == 0)
        #expect(["x", "y", "z"].map { bench.recorded[$0] } == [10, 11, 12])
    }

    @Test("T49 a clock that jumps by years moves no deadline of a session", arguments: [-365.0, 365, -20_000])
    func wallClock(days: Double) {
        var bench = Bench()
        bench.deliver(Bench.object(.update, "a", uid: "u", 5))
        let first = bench.sent()
        bench.wallOffset = .seconds(days * 86400)
        bench.advance(4)
        let early = bench.sent()
        #expect(early.isEmpty)
        bench.advance(1)
        bench.receive(.keepalive())
        let again = bench.sent()
        #expect(again.map(\.header.id) == first.map(\.header.id), "it is repeated after 5 s as ever")
        bench.acknowledge(again.first)
        #expect(bench.recorded == ["u": 5])
        bench.advance(29)
        #expect(bench.ending == nil)
        bench.advance(1)
        #expect(bench.ending == .keepaliveTimeout)
    }

    @Test("the session ends 30 s after the last keepalive, whatever else comes (§3.4)")
    func keepalive() {
        var bench = Bench()
        bench.advance(29)
        bench.receive(.keepalive())
        bench.advance(29)
        bench.receive(.queryNode("edge.1"))
        #expect(bench.ending == nil)
        #expect(bench.session.nextDeadline == bench.uptime + .seconds(1))
        bench.advance(1)
        #expect(bench.ending == .keepaliveTimeout)
        #expect(bench.session.nextDeadline == nil)
        bench.deliver(Bench.object(.update, "a", uid: "u", 5))
        let sent14 = bench.sent()
        #expect(sent14.isEmpty)
    }

    @Test("T43 an object that takes long to be sent ends no session, and has twice as long to be acknowledged")
    func slowSend() {
        var bench = Bench()
        bench.deliver(Bench.object(.update, "a", uid: "u", 5))
        bench.deliver(Bench.object(.update, "b", uid: "v", 6))
        let slow = bench.session.nextMessage(now: bench.now)
        for _ in 0..<4 {
            bench.advance(10)
            bench.receive(.keepalive())
        }
        let meanwhile = bench.sent()
        #expect(meanwhile.isEmpty, "one at a time")
        bench.session.sendFinished(now: bench.now)
        let other = bench.sent()
        #expect(other.map(\.objectUID) == [slow?.objectUID == "u" ? "v" : "u"])
        bench.acknowledge(other.first)
        for _ in 0..<7 {
            bench.advance(10)
            bench.receive(.keepalive())
            let early = bench.sent()
            #expect(early.isEmpty)
        }
        bench.advance(10)
        let again = bench.sent()
        #expect(again.map(\.header.id) == [slow?.header.id])
        bench.acknowledge(again.first)
        #expect(bench.session.backlog.objects == 0 && bench.ending == nil)
    }

    @Test("T43 bytes that come stand for a keepalive that waits behind them; those of pings and pongs do not")
    func lifeBytes() {
        var bench = Bench()
        var bytes = 0
        var signs = 0
        for _ in 0..<20 {
            bench.advance(5)
            bytes += 4096
            let now = bench.now
            if bench.session.heard(bytes: bytes, now: now) { signs += 1 }
        }
        #expect(bench.ending == nil)
        #expect(signs == 10, "one in ten seconds is enough")
        signs = 0
        for _ in 0..<6 {
            bench.advance(5)
            bytes += 500
            let now = bench.now
            if bench.session.heard(bytes: bytes, now: now) { signs += 1 }
        }
        #expect(signs == 0)
        #expect(bench.ending == .keepaliveTimeout)
    }

    @Test("messages that are sent once wait in a bounded queue; the oldest goes")
    func onceOverflow() {
        var configuration = NodeSession.Configuration()
        configuration.onceLimit = 3
        var bench = Bench(configuration)
        for index in 0..<5 { bench.deliver(EdgeMessage.queryNode("n\(index)").reply("OK")) }
        let sent15 = bench.sent()
        #expect(sent15.map(\.route.resource) == ["default/node/n2", "default/node/n3", "default/node/n4"])
        #expect(bench.notes.count == 2)
    }

    @Test("no record is made for volumes under namespace default (D-03), a cluster record under null")
    func recordKeys() {
        let volume = EdgeMessage.query("persistentvolume", namespace: "default", name: "v")
            .reply(["metadata": ["name": "v", "uid": "u"]], resourceVersion: "5")
        #expect(SyncRecordKey(volume, node: "n") == nil)
        var node = KubeObject(apiVersion: "v1", kind: "Node", name: "x")
        node.uid = "u"
        let key = SyncRecordKey(.object(.update, node, GroupVersionKind("v1", "Node")), node: "edge.node.1")
        #expect(key?.namespace == nil)
        #expect(key?.name == "edge.node.1.u")
        #expect(SyncRecordKey.parse(name: "edge.node.1.u").map { [$0.node, $0.uid] } == ["edge.node.1", "u"])
    }

    @Test("a failed record command is tried again, and the object waits for it")
    func failedRecord() {
        var bench = Bench()
        bench.opensRecords = false
        bench.deliver(Bench.object(.update, "a", uid: "u", 5))
        bench.perform(bench.session.recordDone(uid: "u", .failed, now: bench.now))
        let sent16 = bench.sent()
        #expect(sent16.isEmpty)
        bench.opensRecords = true
        bench.advance(1)
        let sent17 = bench.sent()
        #expect(sent17.count == 1)
    }

    /// Found by the simulation (seed 274): the answer was acknowledged while its record could not be opened, the change waited for ever.
    @Test("a change that waits for a record goes out when an answer's acknowledgement makes the record")
    func recordMadeByAnswer() {
        var bench = Bench()
        bench.opensRecords = false
        let query = EdgeMessage.query("configmap", namespace: "default", name: "a")
        bench.deliver(query.reply(KubeObject(Bench.object(.update, "a", uid: "u", 5).content), GroupVersionKind("v1", "ConfigMap")))
        let answer = bench.sent()
        bench.deliver(Bench.object(.update, "a", uid: "u", 6))
        bench.acknowledge(answer.first)
        bench.perform(bench.session.recordDone(uid: "u", .failed, now: bench.now))
        let early = bench.sent()
        #expect(early.isEmpty)
        bench.advance(1)
        let late = bench.sent()
        #expect(late.map(\.objectVersion) == [6])
        #expect(bench.recorded == ["u": 5])
    }

    /// A message, and where §5.2 sends it.
    static let routes: [(String, String, String, String, UpstreamRoute)] = [
        ("websocket", "resource", "keepalive", "node", .keepalive),
        ("cloudhub", "resource", "response", "default/volume/pvc-1", .volumeAnswer),
        ("edgecontroller", "resource", "response", "default/pod/x", .acknowledgement),
        ("metamanager", "resource", "error", "default/pod/x", .failure),
        ("bus", "user", "upload", "a/b", .router),
        ("websocket", "hub", "upgrade", "task/t/node/n", .taskManager),
        ("metamanager", "meta", "query", "k8s/ca.crt", .kubernetesCA),
        ("edgecontroller", "resource", "update", "default/pod/x", .forged),
        ("synccontroller", "resource", "delete", "default/pod/x", .forged),
        ("metaserver", "dynamiccontroller", "null", "null", .dynamicController),
        ("twin", "resource", "update", "device/a/b/twin/edge_updated", .deviceController),
        ("edged", "meta", "query", "default/node/n", .edgeController),
        ("", "", "", "", .empty),
    ]

    @Test("upstream messages go where §5.2 says", arguments: routes)
    func routing(_ row: (String, String, String, String, UpstreamRoute)) {
        let message = EdgeMessage(source: row.0, group: row.1, operation: row.2, resource: row.3, content: .null)
        #expect(UpstreamRoute(message) == row.4)
    }

    /// T53.
    @Test("the late end of an old session never ends the new one; a full table lets only known nodes in (D-63)")
    func epochs() {
        var table = SessionTable(limit: 1)
        let admissions = [table.open("a"), table.open("b"), table.open("a")]
        #expect(admissions == [.admitted(epoch: 1, replacing: nil), .full, .admitted(epoch: 2, replacing: 1)])
        let isOldClosed = table.close("a", epoch: 1)
        #expect(!isOldClosed)
        #expect(table.nodes == ["a"])
        let isNewClosed = table.close("a", epoch: 2)
        #expect(isNewClosed)
        #expect(table.admits("b"))
    }
}

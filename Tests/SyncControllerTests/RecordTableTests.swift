import KubeMachinery
import KubeResources
import Primitives
import Testing

@testable import SyncController

@Suite("Which sync records are compared")
struct RecordTableTests {
    private func record(_ node: String, _ uid: String, _ name: String, version: String = "1") throws -> RecordedObject {
        try #require(RecordedObject(SyncControllerTests.record(node, uid, "ConfigMap", name, version: version)))
    }

    private func key(_ name: String) -> ObjectKey { ObjectKey(namespace: "default", name: name) }

    @Test("a record is compared when it comes, and no more until something happens to it")
    func opening() throws {
        var table = RecordTable()
        let one = try record("n1", "a", "map")
        let two = try record("n2", "a", "map")
        let other = try record("n2", "b", "other")
        for record in [one, two, other] { table.set(record) }
        #expect(table.takeOpen() == [one.record, two.record, other.record])
        #expect(table.takeOpen().isEmpty)
        table.set(one)
        #expect(table.takeOpen().isEmpty, "a record that is as it was is no news")
        table.set(try record("n1", "a", "map", version: "2"))
        #expect(table.takeOpen() == [one.record])
        table.objectChanged(Resources.configMaps, key("map"))
        #expect(table.takeOpen() == [one.record, two.record])
        table.objectChanged(Resources.secrets, key("map"))
        #expect(table.takeOpen().isEmpty)
        table.nodeChanged("n2")
        #expect(table.takeOpen() == [two.record, other.record])
        table.reopen(two.record)
        #expect(table.takeOpen() == [two.record])
        table.openAll()
        #expect(table.takeOpen().count == 3)
    }

    @Test("the last record of an object gives up its UID")
    func removing() throws {
        var table = RecordTable()
        let one = try record("n1", "a", "map")
        let two = try record("n2", "a", "map")
        table.set(one)
        table.set(two)
        #expect(table.remove(one.record) == nil)
        #expect(table.remove(two.record) == "a")
        #expect(table.remove(two.record) == nil)
        table.reopen(two.record)
        #expect(table.takeOpen().isEmpty)
        #expect(table.count == 0)
    }
}

@Suite("What is said of a node's deliveries")
struct DeliveryReportTests {
    private func moment(_ seconds: Int64) -> Moment { Moment(wall: Timestamp(seconds: seconds), uptime: .seconds(seconds)) }

    private func record(_ node: String) throws -> RecordedObject {
        try #require(RecordedObject(SyncControllerTests.record(node, "a", "ConfigMap", "map", version: "1")))
    }

    @Test("what waits for half a minute is said once, and once more when it has arrived")
    func changes() throws {
        var report = DeliveryReport()
        let waiting = try record("n1")
        report.waits(waiting, now: moment(0))
        #expect(report.due(connected: ["n1"], now: moment(29)).isEmpty, "it may arrive any moment")
        let due = report.due(connected: ["n1"], now: moment(31))
        #expect(due.map(\.node) == ["n1"])
        #expect(due[0].condition["status"] == "False")
        #expect(due[0].condition["reason"] == "NotAcknowledged")
        #expect(due[0].condition["message"].string?.contains("configmap/default/map since 1970-01-01T00:00:00Z") == true)
        #expect(report.due(connected: ["n1"], now: moment(60)).isEmpty)
        report.settled(waiting.record, node: "n1")
        #expect(report.due(connected: ["n1"], now: moment(61)).map { $0.condition["status"] } == ["True"])
        #expect(report.due(connected: ["n1"], now: moment(62)).isEmpty)
    }

    @Test("a node that says it already is not written again; one that could not be written is")
    func known() throws {
        var report = DeliveryReport()
        let record = try record("n1")
        var node = KubeObject(apiVersion: "v1", kind: "Node", name: "n1")
        node.status["conditions"] = [["type": "ObjectsDelivered", "status": "True"]]
        report.learn(node)
        report.settled(record.record, node: "n1")
        #expect(report.due(connected: [], now: moment(1)).isEmpty)
        report.waits(record, now: moment(1))
        #expect(report.due(connected: [], now: moment(40)).map { $0.condition["reason"] } == ["NotConnected"])
        report.failed("n1")
        #expect(report.due(connected: [], now: moment(41)).count == 1)
    }

    @Test("deliveries that go well are said once, for some nodes at a time")
    func batches() throws {
        var report = DeliveryReport()
        for index in 0..<25 { report.settled(ObjectKey(namespace: "default", name: "n\(index).a"), node: "n\(index)") }
        #expect((0..<4).map { report.due(connected: [], now: moment($0)).count } == [10, 10, 5, 0])
    }

    @Test("of a node that is ready without a line to here another cloudcore speaks, until it is not ready any more")
    func otherInstance() throws {
        var report = DeliveryReport()
        let record = try record("n1")
        func node(ready: String, delivered: String) -> KubeObject {
            var node = KubeObject(apiVersion: "v1", kind: "Node", name: "n1")
            node.status["conditions"] = [
                ["type": "Ready", "status": .string(ready)], ["type": "ObjectsDelivered", "status": .string(delivered)],
            ]
            return node
        }
        report.learn(node(ready: "True", delivered: "True"))
        report.waits(record, now: moment(0))
        #expect(report.due(connected: [], now: moment(60)).isEmpty)
        report.learn(node(ready: "Unknown", delivered: "True"))
        #expect(report.due(connected: [], now: moment(61)).map { $0.condition["reason"] } == ["NotConnected"])
        // It connects elsewhere, and that one has delivered.
        report.learn(node(ready: "True", delivered: "True"))
        report.settled(record.record, node: "n1")
        #expect(report.due(connected: [], now: moment(62)).isEmpty)
        #expect(report.due(connected: ["n1"], now: moment(63)).isEmpty)
    }
}

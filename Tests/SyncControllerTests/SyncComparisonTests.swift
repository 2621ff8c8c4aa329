import DeliveryCore
import EdgeMessages
import KubeMachinery
import Primitives
import Testing

@testable import SyncController

@Suite("What a node holds against what the cluster has")
struct SyncComparisonTests {
    static func record(
        _ name: String = "edge.1.uid-1", namespace: String? = "default", apiVersion: String = "v1", kind: String = "Pod", version: String? = "10"
    ) -> KubeObject {
        var record = KubeObject(
            apiVersion: "reliablesyncs.kubeedge.io/v1alpha1", kind: namespace == nil ? "ClusterObjectSync" : "ObjectSync", namespace: namespace,
            name: name)
        record.spec = ["objectAPIVersion": .string(apiVersion), "objectKind": .string(kind), "objectName": "web"]
        if let version { record.status["objectResourceVersion"] = .string(version) }
        return record
    }

    static func object(uid: String = "uid-1", version: UInt64 = 10) -> KubeObject {
        var object = KubeObject(apiVersion: "v1", kind: "Pod", namespace: "default", name: "web")
        object.uid = uid
        object.resourceVersion = String(version)
        return object
    }

    @Test("the name of a record is node and UID; nodes may have dots")
    func reading() throws {
        let record = try #require(RecordedObject(Self.record()))
        #expect(record.node == "edge.1")
        #expect(record.uid == "uid-1")
        #expect(record.key == ObjectKey(namespace: "default", name: "web"))
        #expect(record.version == 10)
        #expect(RecordedObject(Self.record(version: nil))?.version == 0)
        #expect(RecordedObject(Self.record(version: "none"))?.version == 0)
        #expect(RecordedObject(Self.record("nodot")) == nil)
        #expect(RecordedObject(Self.record(kind: "")) == nil)
    }

    enum Expected: Equatable { case nothing, update, delete, removeRecord }

    static let cases: [(String, String?, Bool?, Bool, ObjectLookup, Expected)] = [
        ("up to date", "10", true, true, .found(object(), changedAt: 10), .nothing),
        ("behind", "9", true, true, .found(object(), changedAt: 10), .update),
        ("behind by status alone", "9", true, true, .found(object(), changedAt: 8), .nothing),
        ("never confirmed", nil, true, true, .found(object(), changedAt: 10), .update),
        ("no number", "x", true, true, .found(object(), changedAt: 10), .update),
        ("gone", "10", true, true, .absent, .delete),
        ("made anew under its name", "10", true, true, .found(object(uid: "uid-2"), changedAt: 50), .delete),
        ("could not be read", "10", true, true, .unknown, .nothing),
        ("not connected here", "9", true, false, .found(object(), changedAt: 10), .nothing),
        ("gone, not connected here", "9", true, false, .absent, .nothing),
        ("node gone", "10", false, false, .unknown, .removeRecord),
        ("nodes not known yet", "10", nil, false, .unknown, .nothing),
        ("newer than the cluster", "99", true, true, .found(object(), changedAt: 10), .nothing),
    ]

    @Test("a record leads to an update, a removal, or nothing", arguments: cases)
    func comparison(name: String, version: String?, nodeExists: Bool?, isConnected: Bool, lookup: ObjectLookup, expected: Expected) throws {
        let record = try #require(RecordedObject(Self.record(version: version)))
        let directive = SyncComparison.compare(record, nodeExists: nodeExists, isConnected: isConnected, lookup)
        switch directive {
        case nil: #expect(expected == .nothing, "\(name)")
        case .removeRecord(let key):
            #expect(expected == .removeRecord, "\(name)")
            #expect(key.name == "edge.1.uid-1")
        case .send(let message, let node):
            #expect(node == "edge.1")
            #expect(message.route.resource == "default/pod/web")
            #expect(message.route.group == "resource" && message.route.source == "edgecontroller")
            if message.route.operation == "delete" {
                #expect(expected == .delete, "\(name)")
                #expect(message.content == ["apiVersion": "v1", "kind": "Pod", "metadata": ["name": "web", "namespace": "default", "uid": "uid-1"]])
                #expect(message.header.resourceVersion == nil)
            } else {
                #expect(expected == .update && message.route.operation == "update", "\(name)")
                #expect(message.header.resourceVersion == "10")
            }
        }
    }

    @Test("a node with another store than the one that its record is about is sent what the cluster has", arguments: [nil, "a1"])
    func otherStore(recorded: String?) throws {
        var object = Self.record(version: "10")
        object.annotations[StoreIdentity.annotation] = recorded
        let record = try #require(RecordedObject(object))
        #expect(record.store == StoreIdentity(record: object) && (record.store == nil) == (recorded == nil))
        let found = ObjectLookup.found(Self.object(), changedAt: 10)
        guard case .send(let message, "edge.1") = SyncComparison.compare(record, nodeExists: true, isConnected: true, isOtherStore: true, found)
        else {
            Issue.record("nothing sent")
            return
        }
        #expect(message.route.operation == "update" && message.header.resourceVersion == "10")
        #expect(SyncComparison.compare(record, nodeExists: true, isConnected: true, isOtherStore: false, found) == nil)
    }

    @Test("devices come from the device controller, objects of the cluster stand under null")
    func sources() throws {
        let device = try #require(RecordedObject(Self.record(apiVersion: "devices.kubeedge.io/v1beta1", kind: "Device")))
        guard case .send(let message, _) = SyncComparison.compare(device, nodeExists: true, isConnected: true, .absent) else {
            Issue.record("nothing sent")
            return
        }
        #expect(message.route.source == "devicecontroller")
        let volume = try #require(RecordedObject(Self.record(namespace: nil, kind: "ClusterThing")))
        guard case .send(let removal, _) = SyncComparison.compare(volume, nodeExists: true, isConnected: true, .absent) else {
            Issue.record("nothing sent")
            return
        }
        #expect(removal.route.resource == "null/clusterthing/web")
    }

    @Test(
        "the resource of a kind",
        arguments: [
            ("v1", "Pod", "pods"), ("v1", "Endpoints", "endpoints"), ("networking.k8s.io/v1", "Ingress", "ingresses"), ("v1", "Policy", "policies"),
            ("devices.kubeedge.io/v1beta1", "DeviceModel", "devicemodels"),
            ("policy.kubeedge.io/v1alpha1", "ServiceAccountAccess", "serviceaccountaccesses"),
        ])
    func resources(apiVersion: String, kind: String, resource: String) {
        #expect(KindResources.resource(of: GroupVersionKind(apiVersion, kind)).resource == resource)
    }

    @Test("a status that moves on does not make an object newer for the edge")
    func tracking() {
        var tracker = ChangeTracker()
        var pod = Self.object(version: 5)
        #expect(tracker.changedAt(pod, isPod: true) == 5)
        pod.status["phase"] = "Running"
        pod.resourceVersion = "6"
        #expect(tracker.changedAt(pod, isPod: true) == 5)
        pod.labels = ["a": "b"]
        pod.resourceVersion = "7"
        #expect(tracker.changedAt(pod, isPod: true) == 7)
        pod.status["phase"] = "Failed"
        pod.resourceVersion = "8"
        #expect(tracker.changedAt(pod, isPod: true) == 7)
        tracker.forget("uid-1")
        #expect(tracker.changedAt(pod, isPod: true) == 8)
        #expect(tracker.changedAt(pod, isPod: false) == 8)
    }
}

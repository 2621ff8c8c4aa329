import EdgeMessages
import EdgeTesting
import KubeMachinery
import KubeResources
import Primitives
import Testing

@testable import EdgeController

@Suite("EdgeController against an API in memory", .timeLimit(.minutes(1)))
struct EdgeControllerTests {
    let api = FakeKubeAPI()
    let downlink = RecordingDownlink()

    /// Runs a controller beside the body until the body is done.
    func with(_ body: @Sendable (EdgeController) async throws -> Void) async throws {
        let controller = EdgeController(api: api, downlink: downlink, clock: HastyClock(), logger: quiet)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await controller.run() }
            do {
                await controller.synced()
                try await body(controller)
            } catch {
                group.cancelAll()
                throw error
            }
            group.cancelAll()
        }
    }

    static func request(_ operation: String, _ resource: String, _ content: JSONValue = nil) -> EdgeMessage {
        EdgeMessage(source: "edged", group: "meta", operation: operation, resource: resource, content: content)
    }

    static func configMap(_ value: String) -> KubeObject {
        var map = object("ConfigMap", "map")
        map.json["data"] = ["k": .string(value)]
        return map
    }

    @Test("a node that connects gets its pods and what they use, then every change")
    func downstream() async throws {
        await api.put(Resources.nodes, edgeNode("edge-1"))
        await api.put(Resources.configMaps, Self.configMap("1"))
        await api.put(Resources.pods, pod("web", spec: usingSpec))
        await api.put(Resources.pods, pod("far", node: "edge-2"))
        try await with { controller in
            await controller.connected("edge-1")
            try await downlink.wait(for: "insert default/pod/web@edge-1")
            #expect(await downlink.lines == ["update default/configmap/map@edge-1", "insert default/pod/web@edge-1"])
            await api.put(Resources.configMaps, Self.configMap("2"))
            await api.put(Resources.secrets, object("Secret", "secret"))
            try await downlink.wait(for: "update default/secret/secret@edge-1")
            await api.drop(Resources.pods, ObjectKey(namespace: "default", name: "web"))
            try await downlink.wait(for: "delete default/pod/web@edge-1")
            await api.drop(Resources.nodes, ObjectKey(name: "edge-1"))
            try await downlink.wait(for: "disconnect edge-1")
            #expect(await !downlink.lines.contains { $0.contains("far") })
        }
    }

    @Test("nothing is told to a node that is not connected, nor while reads fail; a failed read deletes nothing")
    func quietWhileUnsure() async throws {
        await api.put(Resources.nodes, edgeNode("edge-1"))
        await api.put(Resources.pods, pod("web"))
        try await with { controller in
            await controller.connected("edge-1")
            try await downlink.wait(for: "insert default/pod/web@edge-1")
            await api.fail(.list, Resources.pods, times: 2, with: .internalError("the store is away"))
            await api.forgetHistory()
            await api.cutWatches(Resources.pods, with: KubeStatus.gone("too old"))
            try await api.calls(.list, Resources.pods, atLeast: 3)
            await api.put(Resources.pods, pod("second"))
            try await downlink.wait(for: "insert default/pod/second@edge-1")
            #expect(await !downlink.lines.contains { $0.hasPrefix("delete") })
            await controller.disconnected("edge-1")
            await api.put(Resources.pods, pod("third"))
            await api.put(Resources.nodes, edgeNode("edge-2"))
            await controller.connected("edge-2")
            await api.put(Resources.pods, pod("fourth", node: "edge-2"))
            try await downlink.wait(for: "insert default/pod/fourth@edge-2")
            #expect(await !downlink.lines.contains { $0.contains("third") })
        }
    }

    @Test("a node registers, asks, patches and renews as a Go edge does")
    func upstream() async throws {
        try await with { controller in
            let ask = { @Sendable (message: EdgeMessage) async in await controller.handle(message, from: "edge-1")?.content ?? "no answer" }
            let missing = await ask(Self.request("query", "default/node/edge-1"))
            #expect(missing["ErrStatus"]["message"] == "node \"edge-1\" not found")
            #expect(missing["ErrStatus"]["details"] == ["name": "edge-1", "kind": "node"])
            let created = await ask(Self.request("insert", "default/node/edge-1", edgeNode("edge-1").json))
            #expect(created["Err"].isNull)
            #expect(created["Object"].member("kind") == nil)
            let again = await ask(Self.request("insert", "default/node/edge-1", edgeNode("edge-1").json))
            #expect(again["Err"]["ErrStatus"]["reason"] == "AlreadyExists")
            let patched = await ask(Self.request("patch", "default/nodepatch/edge-1", #"{"status":{"phase":"Running"}}"#))
            #expect(patched["Object"]["status"]["phase"] == "Running")
            let found = await ask(Self.request("query", "default/node/edge-1"))
            #expect(found["kind"] == "Node" && found["apiVersion"] == "v1")
            let noLease = await ask(Self.request("query", "kube-node-lease/lease/edge-1"))
            #expect(noLease["Object"].isNull)
            #expect(noLease["Err"]["ErrStatus"]["details"] == ["name": "edge-1", "group": "coordination.k8s.io", "kind": "lease"])
            let lease = await ask(
                Self.request("insert", "kube-node-lease/lease/edge-1", ["metadata": ["name": "edge-1"], "spec": ["holderIdentity": "edge-1"]]))
            #expect(lease["Err"].isNull)
            var renewed = lease["Object"]
            renewed["spec"]["renewTime"] = "2024-06-01T10:00:00.000000Z"
            #expect(await ask(Self.request("update", "kube-node-lease/lease/edge-1", renewed))["Err"].isNull)
            let stale = await ask(Self.request("update", "kube-node-lease/lease/edge-1", renewed))
            #expect(stale["Err"]["ErrStatus"]["reason"] == "Conflict")
            let kind = await ask(Self.request("query", "kube-node-lease/lease/edge-1"))["Object"]["kind"]
            #expect(kind == "Lease")
            #expect(await ask(Self.request("query", "default/secret/anything"))["ErrStatus"]["reason"] == "Forbidden")
        }
    }

    @Test("a node patches and deletes its own pods; one that is gone or made anew counts as deleted")
    func pods() async throws {
        await api.put(Resources.pods, pod("web", uid: "w"))
        await api.put(Resources.pods, pod("theirs", node: "edge-2", uid: "t"))
        try await with { controller in
            let ask = { @Sendable (message: EdgeMessage) async in await controller.handle(message, from: "edge-1")?.content ?? "no answer" }
            let options = { @Sendable (uid: String) -> JSONValue in ["gracePeriodSeconds": 0, "preconditions": ["uid": .string(uid)]] }
            #expect(
                await ask(Self.request("patch", "default/podpatch/web", #"{"status":{"phase":"Running"}}"#))["Object"]["status"]["phase"] == "Running"
            )
            #expect(await ask(Self.request("patch", "default/podpatch/theirs", #"{"status":{}}"#))["Err"]["ErrStatus"]["reason"] == "Forbidden")
            #expect(
                await ask(Self.request("patch", "default/podpatch/theirs", #"{"metadata":{"uid":"old"}}"#))["Err"]["ErrStatus"]["reason"]
                    == "NotFound")
            #expect(await ask(Self.request("patch", "default/podpatch/nobody", "{}"))["Err"]["ErrStatus"]["reason"] == "NotFound")
            #expect(await ask(Self.request("delete", "default/pod/nobody", options("n"))) == "OK")
            #expect(await ask(Self.request("delete", "default/pod/theirs", options("old"))) == "OK")
            #expect(await ask(Self.request("delete", "default/pod/theirs", options("t")))["ErrStatus"]["reason"] == "Forbidden")
            #expect(await ask(Self.request("delete", "default/pod/web", options("other"))) == "OK")
            #expect(await api.object(Resources.pods, ObjectKey(namespace: "default", name: "web")) != nil)
            #expect(await ask(Self.request("delete", "default/pod/web", options("w"))) == "OK")
            #expect(await api.object(Resources.pods, ObjectKey(namespace: "default", name: "web")) == nil)
            #expect(await api.object(Resources.pods, ObjectKey(namespace: "default", name: "theirs")) != nil)
        }
    }

    @Test("the deprecated pod report tells the edge which pod to remove, by its UID")
    func podReport() async throws {
        try await with { controller in
            let answer = await controller.handle(
                Self.request("update", "default/podstatus/gone", ["UID": "g", "Name": "gone", "Status": [:]]), from: "edge-1")
            #expect(answer?.content == "OK")
            #expect(await downlink.messages.first?.content["metadata"]["uid"] == "g")
        }
    }

    @Test("a node is told the services of namespaces in which it has pods, and of no other; the answer is no object to be recorded")
    func services() async throws {
        var service = object("Service", "db")
        service.json["spec"] = ["clusterIP": "10.96.0.7", "ports": [["port": 5432]], "selector": ["app": "db"]]
        await api.put(Resources.services, service)
        await api.put(Resources.nodes, edgeNode("edge-1"))
        await api.put(Resources.pods, pod("web"))
        try await with { controller in
            let answer = try #require(await controller.handle(Self.request("query", "default/servicelist/default"), from: "edge-1"))
            #expect(answer.content["items"].elements.map { $0["metadata"]["name"] } == ["db"])
            #expect(answer.content["items"][0]["spec"] == ["clusterIP": "10.96.0.7", "ports": [["port": 5432]]])
            #expect(answer.deliveryClass == .once)
            for (namespace, node) in [("kube-system", "edge-1"), ("default", "edge-2")] {
                let refused = try #require(await controller.handle(Self.request("query", "\(namespace)/servicelist/\(namespace)"), from: node))
                #expect(refused.content["ErrStatus"]["reason"] == "Forbidden")
            }
        }
    }
}

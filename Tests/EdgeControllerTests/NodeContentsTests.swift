import KubeClient
import KubeMachinery
import Primitives
import Testing

@testable import EdgeController

@Suite("What is on which node")
struct NodeContentsTests {
    static let all = pod("web", spec: usingSpec)

    @Test("everything a pod names is found, in volumes and in all its containers")
    func references() {
        let references = PodReferences(pod: Self.all)
        #expect(references.configMaps == ["env-map", "debug-map", "map", "kube-root-ca.crt"])
        #expect(references.secrets == ["pull", "init-secret", "env-secret", "secret", "projected-secret", "csi-secret"])
        #expect(references.claims == ["claim", "web-scratch"])
        #expect(references.serviceAccount == "runner")
        #expect(PodReferences(pod: pod("plain")).serviceAccount == "default")
    }

    @Test("a use ends with its last pod")
    func uses() {
        var contents = NodeContents()
        let map = ObjectKey(namespace: "default", name: "map")
        contents.set(pod: pod("a", node: "edge-1", spec: usingSpec))
        contents.set(pod: pod("b", node: "edge-1", spec: usingSpec))
        contents.set(pod: pod("c", node: "edge-2", spec: usingSpec))
        #expect(contents.nodes(usingConfigMap: map) == ["edge-1", "edge-2"])
        contents.remove(pod: ObjectKey(namespace: "default", name: "a"))
        #expect(contents.uses(configMap: map, node: "edge-1"))
        contents.set(pod: pod("b", node: "edge-1"))
        #expect(contents.nodes(usingConfigMap: map) == ["edge-2"])
        contents.set(pod: pod("c", node: nil, spec: usingSpec))
        #expect(contents.nodes(usingConfigMap: map) == [])
        #expect(contents.pods(on: "edge-1").map(\.key.name) == ["b"])
        #expect(contents.pods(on: "edge-2").isEmpty)
    }

    @Test("the same name in another namespace is another object")
    func namespaces() {
        var contents = NodeContents()
        contents.set(pod: pod("a", namespace: "one", spec: usingSpec))
        #expect(contents.uses(secret: ObjectKey(namespace: "one", name: "secret"), node: "edge-1"))
        #expect(!contents.uses(secret: ObjectKey(namespace: "two", name: "secret"), node: "edge-1"))
        #expect(contents.uses(claim: ObjectKey(namespace: "one", name: "claim"), node: "edge-1"))
        #expect(!contents.uses(claim: ObjectKey(namespace: "one", name: "claim"), node: "edge-2"))
    }
}

@Suite("Changes of the cluster as messages")
struct DownstreamTests {
    /// `insert default/pod/web@edge-1` for each message.
    static func lines(_ directives: [DownstreamDirective]) -> [String] {
        directives.map { directive in
            switch directive {
            case .send(let message, let node): "\(message.route.operation) \(message.route.resource)@\(node)"
            case .disconnect(let node): "disconnect \(node)"
            case .replay(let node): "replay \(node)"
            }
        }
    }

    static func downstream() -> Downstream {
        var downstream = Downstream()
        _ = downstream.nodeChanged(.added(edgeNode("edge-1")))
        return downstream
    }

    @Test("pods of edge nodes are told, others are not")
    func pods() {
        var downstream = Self.downstream()
        #expect(Self.lines(downstream.podChanged(.added(pod("web")))) == ["insert default/pod/web@edge-1"])
        #expect(Self.lines(downstream.podChanged(.added(pod("far", node: "cloud-1")))) == [])
        #expect(Self.lines(downstream.podChanged(.added(pod("waiting", node: nil)))) == [])
        var dying = pod("dying")
        dying.metadata["deletionTimestamp"] = "2024-06-01T10:00:00Z"
        #expect(Self.lines(downstream.podChanged(.added(dying))) == ["update default/pod/dying@edge-1"])
        #expect(Self.lines(downstream.podChanged(.deleted(pod("web")))) == ["delete default/pod/web@edge-1"])
    }

    @Test("a pod that the scheduler binds comes as update, the way Go clouds send it")
    func binding() {
        var downstream = Self.downstream()
        let directives = downstream.podChanged(.updated(old: pod("web", node: nil), new: pod("web", version: 2)))
        #expect(Self.lines(directives) == ["update default/pod/web@edge-1"])
        guard case .send(let message, _) = directives.first else { return }
        #expect(message.header.resourceVersion == "2")
        #expect(message.route.source == "edgecontroller")
        #expect(message.route.group == "resource")
        #expect(message.content["kind"] == "Pod")
    }

    static let edits: [(String, Bool, @Sendable (inout KubeObject) -> Void)] = [
        ("status", false, { $0.status["phase"] = "Running" }),
        ("managed fields", false, { $0.metadata["managedFields"] = [["manager": "kubelet"]] }),
        ("generation", false, { $0.generation = 5 }),
        ("labels", true, { $0.labels = ["a": "b"] }),
        ("deletion", true, { $0.metadata["deletionTimestamp"] = "2024-06-01T10:00:00Z" }),
        ("image", true, { $0.spec["containers"] = [["name": "c", "image": "new"]] }),
        ("a readiness gate's condition", true, { $0.status["conditions"] = [["type": "lb/ready", "status": "True"]] }),
        ("another condition", false, { $0.status["conditions"] = [["type": "Ready", "status": "True"]] }),
    ]

    @Test("what the edge itself reports does not come back to it", arguments: edits)
    func echoes(name: String, isTold: Bool, edit: @Sendable (inout KubeObject) -> Void) {
        var downstream = Self.downstream()
        let old = pod("web", spec: ["readinessGates": [["conditionType": "lb/ready"]]])
        var new = old
        edit(&new)
        new.resourceVersion = "9"
        #expect(!downstream.podChanged(.updated(old: old, new: new)).isEmpty == isTold, "\(name)")
    }

    @Test("config maps and secrets go to the nodes whose pods use them")
    func configuration() {
        var downstream = Self.downstream()
        _ = downstream.podChanged(.added(pod("a", node: "edge-1", spec: usingSpec)))
        _ = downstream.podChanged(.added(pod("b", node: "edge-2", spec: usingSpec)))
        let map = object("ConfigMap", "map")
        #expect(
            Self.lines(downstream.configMapChanged(.added(map))) == ["insert default/configmap/map@edge-1", "insert default/configmap/map@edge-2"])
        #expect(Self.lines(downstream.configMapChanged(.updated(old: map, new: map))).first == "update default/configmap/map@edge-1")
        #expect(Self.lines(downstream.configMapChanged(.deleted(map))).last == "delete default/configmap/map@edge-2")
        #expect(Self.lines(downstream.configMapChanged(.added(object("ConfigMap", "other")))) == [])
        let secret = object("Secret", "secret")
        #expect(Self.lines(downstream.secretChanged(.added(secret))).first == "update default/secret/secret@edge-1")
        #expect(Self.lines(downstream.secretChanged(.deleted(secret))).first == "delete default/secret/secret@edge-1")
    }

    @Test("a node that appears after its pods gets them; one that goes is disconnected")
    func nodes() {
        var downstream = Downstream()
        #expect(Self.lines(downstream.podChanged(.added(pod("web", spec: usingSpec)))) == [])
        #expect(Self.lines(downstream.nodeChanged(.added(edgeNode("edge-1", isEdge: false)))) == [])
        #expect(Self.lines(downstream.nodeChanged(.updated(old: edgeNode("edge-1", isEdge: false), new: edgeNode("edge-1")))) == ["replay edge-1"])
        let messages = downstream.replay(
            node: "edge-1", pod: { _ in pod("web", spec: usingSpec) }, configMap: { $0.name == "map" ? object("ConfigMap", "map") : nil },
            secret: { $0.name == "secret" ? object("Secret", "secret") : nil })
        #expect(messages.map(\.route.resource) == ["default/configmap/map", "default/secret/secret", "default/pod/web"])
        #expect(Self.lines(downstream.nodeChanged(.updated(old: edgeNode("edge-1"), new: edgeNode("edge-1")))) == [])
        #expect(Self.lines(downstream.nodeChanged(.deleted(edgeNode("edge-1")))) == ["disconnect edge-1"])
        #expect(Self.lines(downstream.nodeChanged(.deleted(edgeNode("edge-1")))) == [])
        #expect(downstream.replay(node: "edge-1", pod: { _ in nil }, configMap: { _ in nil }, secret: { _ in nil }).isEmpty)
    }

    @Test("a pod that was made anew under its name meanwhile is left to its own change")
    func replayedAnew() {
        var downstream = Self.downstream()
        _ = downstream.podChanged(.added(pod("web", uid: "old")))
        let messages = downstream.replay(node: "edge-1", pod: { _ in pod("web", uid: "new") }, configMap: { _ in nil }, secret: { _ in nil })
        #expect(messages.isEmpty)
    }
}

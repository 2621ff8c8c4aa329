import KubeMachinery
import Primitives
import Testing

@testable import EdgeController

@Suite("What a node may ask for")
struct NodeAuthorizationTests {
    static let contents: NodeContents = {
        var contents = NodeContents()
        contents.set(pod: pod("web", uid: "w", spec: usingSpec))
        contents.set(pod: pod("other", node: "edge-2", uid: "o", spec: ["volumes": [["name": "s", "secret": ["secretName": "theirs"]]]]))
        return contents
    }()

    enum Expected { case allowed, denied, dependsOnPod, dependsOnResult }

    static func key(_ name: String, _ namespace: String? = "default") -> ObjectKey { ObjectKey(namespace: namespace, name: name) }

    static func token(_ pod: String, _ uid: String, kind: String = "Pod") -> JSONValue {
        ["spec": ["boundObjectRef": ["kind": .string(kind), "name": .string(pod), "uid": .string(uid)]]]
    }

    static func mirror(_ node: String, isMirror: Bool = true, spec: JSONValue = [:]) -> KubeObject {
        var mirror = pod("static", node: node, spec: spec)
        if isMirror { mirror.annotations = ["kubernetes.io/config.mirror": "hash"] }
        return mirror
    }

    static let requests: [(NodeRequest, Expected)] = [
        (.read(.configMap, key("map")), .allowed), (.read(.configMap, key("map", "kube-system")), .denied),
        (.read(.configMap, key("nobody")), .denied),
        (.read(.secret, key("init-secret")), .allowed), (.read(.secret, key("theirs")), .denied),
        (.read(.persistentVolumeClaim, key("claim")), .allowed),
        (.read(.persistentVolumeClaim, key("their-claim")), .denied), (.read(.persistentVolume, key("pv", nil)), .dependsOnResult),
        (.read(.volumeAttachment, key("va", nil)), .dependsOnResult), (.read(.node, key("edge-1", nil)), .allowed),
        (.read(.node, key("edge-2", nil)), .denied),
        (.read(.signingRequest, key("metaserver-csr-edge-1", nil)), .allowed), (.read(.signingRequest, key("metaserver-csr-edge-2", nil)), .denied),
        (.read(.runtimeClass, key("kata", nil)), .allowed),
        (.readLease(key("edge-1", "kube-node-lease")), .allowed), (.readLease(key("edge-2", "kube-node-lease")), .denied),
        (.readLease(key("edge-1", "kube-system")), .denied),
        (.writeLease(object("Lease", "edge-1", namespace: "kube-node-lease"), isNew: true), .allowed),
        (.writeLease(object("Lease", "edge-2", namespace: "kube-node-lease"), isNew: false), .denied),
        (.createNode(edgeNode("edge-1")), .allowed), (.createNode(edgeNode("edge-2")), .denied), (.patchNode(name: "edge-1", [:]), .allowed),
        (.patchNode(name: "master", [:]), .denied), (.updateNode(name: "edge-2", labels: [:], annotations: [:]), .denied),
        (.reportNode(name: "edge-2", [:]), .denied),
        (.token(key("runner"), token("web", "w")), .allowed), (.token(key("runner"), token("web", "x")), .denied),
        (.token(key("admin"), token("web", "w")), .denied), (.token(key("default"), token("other", "o")), .denied),
        (.token(key("runner"), token("web", "w", kind: "Secret")), .denied), (.token(key("runner"), ["spec": [:]]), .denied),
        (.token(key("runner", "kube-system"), token("web", "w")), .denied), (.patchPod(key("web"), [:]), .allowed),
        (.patchPod(key("other"), [:]), .dependsOnPod), (.deletePod(key("nobody"), options: .null), .dependsOnPod),
        (.createPod(mirror("edge-1")), .allowed), (.createPod(mirror("edge-2")), .denied), (.createPod(mirror("edge-1", isMirror: false)), .denied),
        (.createPod(mirror("edge-1", spec: usingSpec)), .denied),
        (.createSigningRequest(object("CertificateSigningRequest", "other", namespace: nil)), .denied),
    ]

    @Test("T24 a node has its own and what its pods use, and nothing of another node", arguments: requests)
    func decisions(request: NodeRequest, expected: Expected) {
        let decision = NodeAuthorization(node: "edge-1", allowsAll: false).decide(request, in: Self.contents)
        switch (decision, expected) {
        case (.allowed, .allowed), (.dependsOnPod, .dependsOnPod), (.dependsOnResult, .dependsOnResult): break
        case (.denied(let status), .denied):
            #expect(status.reason == "Forbidden")
            #expect(status.code == 403)
        default: Issue.record("\(request) is \(decision)")
        }
        #expect(NodeAuthorization(node: "edge-1", allowsAll: true).decide(request, in: Self.contents) == .allowed)
    }

    @Test("T60 two nodes whose pods run as one service account both get its tokens, each for its own pod")
    func sharedAccount() {
        var contents = NodeContents()
        contents.set(pod: pod("one", uid: "u1", spec: usingSpec))
        contents.set(pod: pod("two", node: "edge-2", uid: "u2", spec: usingSpec))
        let names = ["edge-1": ("one", "u1"), "edge-2": ("two", "u2")]
        for node in names.keys {
            let authorization = NodeAuthorization(node: node, allowsAll: false)
            for (owner, (name, uid)) in names {
                let decision = authorization.decide(.token(Self.key("runner"), Self.token(name, uid)), in: contents)
                #expect((decision == .allowed) == (owner == node), "\(node) for the pod of \(owner)")
            }
        }
    }

    @Test("volumes belong to the node whose pods use their claim, attachments to the node they name")
    func results() {
        let authorization = NodeAuthorization(node: "edge-1", allowsAll: false)
        var volume = object("PersistentVolume", "pv", namespace: nil)
        volume.spec["claimRef"] = ["namespace": "default", "name": "claim"]
        #expect(authorization.mayHave(volume, .persistentVolume, in: Self.contents) == .allowed)
        volume.spec["claimRef"]["namespace"] = "other"
        #expect(authorization.mayHave(volume, .persistentVolume, in: Self.contents) != .allowed)
        var attachment = object("VolumeAttachment", "va", namespace: nil)
        attachment.spec["nodeName"] = "edge-2"
        #expect(authorization.mayHave(attachment, .volumeAttachment, in: Self.contents) != .allowed)
        attachment.spec["nodeName"] = "edge-1"
        #expect(authorization.mayHave(attachment, .volumeAttachment, in: Self.contents) == .allowed)
        #expect(authorization.decide(pod: pod("x")) == .allowed)
        #expect(authorization.decide(pod: pod("x", node: nil)) != .allowed)
    }
}

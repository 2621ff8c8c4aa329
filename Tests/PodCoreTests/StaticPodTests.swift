import KubeMachinery
import Primitives
import Testing

@testable import PodCore

private func manifest(_ spec: JSONValue = .null, _ metadata: JSONValue = .null) -> JSONValue {
    var document: JSONValue = [
        "apiVersion": "v1", "kind": "Pod", "metadata": ["name": "web", "labels": ["app": "web"]],
        "spec": ["containers": [["name": "main", "image": "busybox:1"]]],
    ]
    for (key, value) in spec.members { document["spec"][key] = value }
    for (key, value) in metadata.members { document["metadata"][key] = value }
    return document
}

@Suite("Pods from files")
struct StaticPodTests {
    private func make(_ document: JSONValue, file: String = "/m/web.yaml", node: String = "edge-1") throws -> KubeObject {
        try StaticPod.make(document, file: file, node: node)
    }

    @Test("name, namespace, node, annotations, toleration and the defaults of the API")
    func defaults() throws {
        let pod = try make(manifest(["tolerations": [["key": "a", "operator": "Exists"]]], ["annotations": ["mine": "1"]]))
        #expect(pod.key == ObjectKey(namespace: "default", name: "web-edge-1"))
        #expect(pod.spec["nodeName"] == "edge-1")
        #expect(pod.labels == ["app": "web"])
        #expect(pod.annotations == ["mine": "1", "kubernetes.io/config.hash": pod.uid, "kubernetes.io/config.source": "file"])
        #expect(pod.spec["tolerations"].elements.last == ["operator": "Exists", "effect": "NoExecute"])
        #expect(pod.spec["tolerations"].elements.count == 2)
        #expect(pod.spec["restartPolicy"] == "Always" && pod.spec["terminationGracePeriodSeconds"] == 30)
        #expect(pod.spec["containers"][0]["imagePullPolicy"] == "IfNotPresent")
        #expect(pod.status == ["phase": "Pending"])
        #expect(PodView(pod).isStatic && PodView(pod).isCritical && !PodView(pod).isMirror)
    }

    @Test("the UID is 32 hex digits: the same for the same content, another for another content, path or node")
    func identity() throws {
        let uid = try make(manifest()).uid
        #expect(uid.utf8.count == 32 && uid.allSatisfy(\.isHexDigit))
        let reordered = try JSONValue(
            parsing: #"{"spec":{"containers":[{"image":"busybox:1","name":"main"}]},"metadata":{"labels":{"app":"web"},"name":"web"},"#
                + #""kind":"Pod","apiVersion":"v1"}"#)
        #expect(try make(reordered).uid == uid)
        let others = [
            try make(manifest(["hostNetwork": true])).uid, try make(manifest(), file: "/m/other.yaml").uid, try make(manifest(), node: "edge-2").uid,
        ]
        #expect(Set(others + [uid]).count == 4)
        #expect(try make(manifest(.null, ["uid": "given"])).uid == "given")
    }

    @Test(
        "a bad file tells the field",
        arguments: [
            (#""text""#, "the file holds no object"), ("null", "the file holds no object"), (#"{"kind":"Deployment"}"#, "kind: must be Pod"),
            (#"{"kind":"Pod","apiVersion":"v2"}"#, "apiVersion: must be v1"), (#"{"kind":"Pod","apiVersion":"v1"}"#, "metadata: is missing"),
            (#"{"kind":"Pod","apiVersion":"v1","metadata":{}}"#, "metadata.name: is missing"),
            (#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"}}"#, "spec: is missing"),
            (#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"},"spec":{"containers":"x"}}"#, "spec.containers: must be a list of objects"),
            (#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"},"spec":{}}"#, "spec.containers"),
            (
                #"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"},"spec":{"containers":[{"name":"c"}]}}"#, "spec.containers[0].image"
            ),
            (
                #"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"A_b"},"spec":{"containers":[{"name":"c","image":"i"}]}}"#, "metadata.name"
            ),
        ])
    func problems(document: String, start: String) throws {
        let document = try JSONValue(parsing: document)
        do {
            _ = try make(document)
            Issue.record("taken")
        } catch let problem as StaticPodProblem {
            #expect(problem.description.hasPrefix(start), "\(problem)")
        }
    }
}

@Suite("Mirrors of static pods")
struct MirrorPodsTests {
    private let pod: KubeObject
    private let mirror: KubeObject
    private let key = ObjectKey(namespace: "default", name: "web-edge-1")

    init() throws {
        pod = try StaticPod.make(manifest(), file: "/m/web.yaml", node: "edge-1")
        guard case .create(var made)? = MirrorPods().directives(wanted: [pod], ending: [], node: "edge-1", nodeUID: "n-1").first else {
            throw StaticPodProblem("no mirror is made")
        }
        made.uid = "m-1"
        mirror = made
    }

    @Test("a mirror belongs to its node, bears the hash, and has no UID of its own")
    func form() {
        #expect(mirror.annotations["kubernetes.io/config.mirror"] == pod.uid)
        #expect(mirror.annotations["kubernetes.io/config.hash"] == pod.uid)
        #expect(
            mirror.metadata["ownerReferences"]
                == [["apiVersion": "v1", "kind": "Node", "name": "edge-1", "uid": "n-1", "controller": true]])
        #expect(mirror.spec == pod.spec && mirror.json.member("status") == nil)
    }

    @Test("what to do about mirrors")
    func directives() throws {
        var mirrors = MirrorPods()
        func directives(_ wanted: [KubeObject], ending: Set<ObjectKey> = [], node: String = "n-1") -> [MirrorPods.Directive] {
            mirrors.directives(wanted: wanted, ending: ending, node: "edge-1", nodeUID: node)
        }
        #expect(directives([pod], node: "").isEmpty, "before the node is known")
        mirrors.set(mirror)
        #expect(directives([pod]).isEmpty, "it is there")
        #expect(mirrors.mirror(of: pod)?.uid == "m-1")
        #expect(directives([]) == [.delete(key, uid: "m-1")], "the file is gone")
        #expect(directives([], ending: [key]).isEmpty, "the pod has not ended yet")
        let edited = try StaticPod.make(manifest(["hostNetwork": true]), file: "/m/web.yaml", node: "edge-1")
        #expect(directives([edited]) == [.delete(key, uid: "m-1")], "it shows another pod")
        #expect(mirrors.mirror(of: edited) == nil)
        var deleted = mirror
        deleted.metadata["deletionTimestamp"] = "2026-11-23T11:15:57Z"
        mirrors.set(deleted)
        #expect(directives([pod]) == [.delete(key, uid: "m-1")], "somebody deletes it")
        mirrors.deletionAccepted("m-1")
        #expect(directives([pod]).isEmpty, "asked for once")
        let removals = [mirrors.remove(key, uid: "other"), mirrors.remove(key, uid: "m-1")]
        #expect(removals == [false, true])
        guard case .create? = directives([pod]).first else {
            Issue.record("it is not made again")
            return
        }
    }

    @Test("the status of a static pod is told with the UID of its mirror, and its phase is the pod's own")
    func status() throws {
        var lifecycle = PodLifecycle(pod)
        let observation = PodObservation()
        _ = lifecycle.sync(observation, now: Fixture.at(0))
        lifecycle.updateStatus(observation, node: NodeFacts(), now: Fixture.at(0))
        let unheard = lifecycle.statusPatch()
        #expect(unheard == nil, "there is nobody to tell it to")
        var shown = mirror
        shown.json["status"] = ["phase": "Failed", "reason": "Evicted", "startTime": "2026-11-23T10:00:00Z"]
        lifecycle.update(mirror: shown)
        _ = lifecycle.sync(observation, now: Fixture.at(1))
        lifecycle.updateStatus(observation, node: NodeFacts(), now: Fixture.at(1))
        let told = lifecycle.statusPatch()
        let patch = try #require(told)
        #expect(patch["metadata"]["uid"] == "m-1")
        #expect(patch["status"]["phase"] == "Pending")
        #expect(lifecycle.stage == .syncing)
        let again = lifecycle.statusPatch()
        #expect(again == nil)
        lifecycle.update(mirror: nil)
        #expect(lifecycle.reportUID == nil)
    }
}

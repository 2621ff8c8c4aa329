import KubeMachinery
import KubeServer
import Primitives
import Testing

@Suite("Subresources")
struct SubresourceTests {
    private static let pods = "/api/v1/namespaces/default/pods"
    private static let deployments = "/apis/apps/v1/namespaces/default/deployments"

    private static func deployment(_ replicas: Int64) -> JSONValue {
        [
            "metadata": ["name": "web"],
            "spec": [
                "replicas": .integer(replicas), "selector": ["matchLabels": ["app": "web"]],
                "template": [
                    "metadata": ["labels": ["app": "web"]], "spec": ["containers": [["name": "main", "image": "busybox"]]],
                ],
            ],
        ]
    }

    @Test("status and the rest are written apart")
    func status() async throws {
        let api = try await ServerFixture()
        var pod = try await api.succeed("POST", Self.pods, ServerFixture.pod("p"))
        pod["metadata"]["labels"] = ["x": "y"]
        pod["status"]["phase"] = "Running"
        let whole = try await api.succeed("PUT", "\(Self.pods)/p", pod)
        #expect(whole["status"]["phase"] == "Pending")
        #expect(whole["metadata"]["labels"]["x"] == "y")
        var status = whole
        status["status"]["phase"] = "Running"
        status["spec"]["nodeName"] = "n"
        let changed = try await api.succeed("PUT", "\(Self.pods)/p/status", status)
        #expect(changed["status"]["phase"] == "Running")
        #expect(changed["spec"]["nodeName"].isNull)
    }

    @Test("scale reads and writes replicas")
    func scale() async throws {
        let api = try await ServerFixture()
        try await api.succeed("POST", Self.deployments, Self.deployment(2))
        let scale = try await api.succeed("GET", "\(Self.deployments)/web/scale")
        #expect(scale["kind"] == "Scale")
        #expect(scale["spec"]["replicas"] == 2)
        #expect(scale["status"]["selector"] == "app=web")
        let patched = try await api.succeed(
            "PATCH", "\(Self.deployments)/web/scale", ["spec": ["replicas": 5]], type: "application/merge-patch+json")
        #expect(patched["spec"]["replicas"] == 5)
        let deployment = try await api.succeed("GET", "\(Self.deployments)/web")
        #expect(deployment["spec"]["replicas"] == 5)
        #expect(deployment["metadata"]["generation"] == 2)
        #expect(await api.fail("PUT", "\(Self.deployments)/web/scale", ["spec": ["replicas": -1]])?.code == 422)
    }

    @Test("a pod is bound once")
    func binding() async throws {
        let api = try await ServerFixture()
        try await api.succeed("POST", Self.pods, ServerFixture.pod("p"))
        let binding: JSONValue = ["metadata": ["name": "p"], "target": ["kind": "Node", "name": "edge"]]
        #expect(try await api.succeed("POST", "\(Self.pods)/p/binding", binding)["status"] == "Success")
        let pod = try await api.succeed("GET", "\(Self.pods)/p")
        #expect(pod["spec"]["nodeName"] == "edge")
        #expect(pod["status"]["conditions"][0]["type"] == "PodScheduled")
        let again = await api.fail("POST", "/api/v1/namespaces/default/bindings", binding)
        #expect(again?.message == "Operation cannot be fulfilled on pods \"p\": pod p is already assigned to node \"edge\"")
    }

    @Test("eviction deletes with the options it carries")
    func eviction() async throws {
        let api = try await ServerFixture()
        try await api.succeed("POST", Self.pods, ServerFixture.pod("p", node: "edge"))
        try await api.succeed("POST", "\(Self.pods)/p/eviction", ["metadata": ["name": "p"], "deleteOptions": ["gracePeriodSeconds": 7]])
        #expect(try await api.succeed("GET", "\(Self.pods)/p").at("metadata", "deletionGracePeriodSeconds") == 7)
    }

    @Test("streams are handed to the kubelet of the pod's node")
    func streams() async throws {
        let api = try await ServerFixture()
        try await api.succeed("POST", Self.pods, ServerFixture.pod("waiting"))
        try await api.succeed("POST", Self.pods, ServerFixture.pod("placed", node: "edge"))
        #expect(await api.fail("GET", "\(Self.pods)/waiting/log")?.message == "pod waiting does not have a host assigned")
        let answer = await api.send("GET", "\(Self.pods)/placed/log?tailLines=3")
        guard case .kubelet(let wanted) = answer.body else { return #expect(Bool(false), "a stream was expected") }
        #expect(wanted.node == "edge")
        #expect(wanted.subresource == "log")
        #expect(wanted.query["tailLines"] == "3")
    }

    @Test("a certificate request speaks for its sender and is approved apart")
    func signingRequests() async throws {
        let api = try await ServerFixture()
        let path = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
        let answer = await api.send(
            "POST", path,
            [
                "metadata": ["name": "c"],
                "spec": [
                    "request": "QUJD", "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"], "username": "somebody",
                ],
            ], user: UserIdentity(name: "jane", groups: ["system:masters"]))
        #expect(answer.json["spec"]["username"] == "jane")
        var request = answer.json
        request["status"]["conditions"] = [["type": "Approved", "status": "True", "reason": "Test", "message": "ok"]]
        request["spec"]["username"] = "other"
        let approved = try await api.succeed("PUT", "\(path)/c/approval", request)
        #expect(approved["status"]["conditions"][0]["type"] == "Approved")
        #expect(approved["spec"]["username"] == "jane")
    }
}

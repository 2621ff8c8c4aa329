import EdgeTesting
import KubeMachinery
import KubeResources
import Primitives
import Testing

@testable import ControlPlane

/// All controllers together over an API in memory, with a kubelet that runs whatever is bound.
@Suite(.timeLimit(.minutes(2))) struct ControllersTests {
    private let api = FakeKubeAPI()

    private func withControllers(_ body: () async throws -> Void) async throws {
        let controllers = ControlPlaneControllers(api: api, rootCertificate: "PEM", logger: quiet)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try? await controllers.run() }
            group.addTask { try? await FakeKubelet(api: api).run() }
            try await body()
            group.cancelAll()
        }
    }

    private func running(_ pods: [KubeObject], image: String = "one") -> Int {
        pods.count { $0.phase == "Running" && !$0.isTerminating && $0.spec["containers"][0]["image"].string == image }
    }

    @Test func `a deployment becomes running pods, rolls, goes back and disappears`() async throws {
        await api.put(Resources.nodes, Make.node("edge"))
        try await withControllers {
            _ = try await api.create(Resources.deployments, clean(Make.workload("Deployment")))
            try await api.objects(Resources.pods) { running($0) == 3 }
            let key = ObjectKey(namespace: "default", name: "web")
            try await api.objects(Resources.deployments) { $0.first?.condition("Progressing")["reason"].string == "NewReplicaSetAvailable" }

            _ = try await api.patch(
                Resources.deployments, key, ["spec": ["template": ["spec": ["containers": [["name": "c", "image": "two"]]]]]], .merge)
            try await api.objects(Resources.pods) { running($0, image: "two") == 3 && $0.count == 3 }
            let rolled = try await api.objects(Resources.deployments) {
                $0.first?.status["updatedReplicas"] == 3 && $0.first?.status["observedGeneration"].int == $0.first?.generation
            }
            #expect(rolled.first?.annotations[PodTemplate.revision] == "2")
            #expect(await api.objects(Resources.replicaSets).count == 2)

            _ = try await api.patch(
                Resources.deployments, key, ["spec": ["replicas": 5, "template": ["spec": ["containers": [["name": "c", "image": "one"]]]]]], .merge)
            try await api.objects(Resources.pods) { running($0) == 5 && $0.count == 5 }
            try await api.objects(Resources.deployments) { $0.first?.annotations[PodTemplate.revision] == "3" }
            #expect(await api.objects(Resources.replicaSets).count == 2)

            try await api.delete(Resources.deployments, key)
            try await api.objects(Resources.replicaSets) { $0.isEmpty }
            try await api.objects(Resources.pods) { $0.isEmpty }
        }
    }

    @Test func `a deleted pod is replaced`() async throws {
        await api.put(Resources.nodes, Make.node("edge"))
        try await withControllers {
            _ = try await api.create(Resources.replicaSets, clean(Make.workload("ReplicaSet", replicas: 1)))
            let first = try await api.objects(Resources.pods) { running($0) == 1 }
            let name = try #require(first.first?.name)
            try await api.delete(Resources.pods, ObjectKey(namespace: "default", name: name))
            try await api.objects(Resources.pods) { running($0) == 1 && $0.first?.name != name }
            try await api.objects(Resources.replicaSets) { $0.first?.status["readyReplicas"] == 1 }
        }
    }

    @Test func `a pod waits with a reason until a node fits`() async throws {
        try await withControllers {
            _ = try await api.create(Resources.pods, clean(Make.pod("p")))
            let waiting = try await api.objects(Resources.pods) { $0.first?.condition("PodScheduled").isNull == false }
            #expect(waiting.first?.condition("PodScheduled")["reason"] == "Unschedulable")
            #expect(waiting.first?.condition("PodScheduled")["message"] == "no nodes available to schedule pods")
            await api.put(Resources.nodes, Make.node("edge"))
            let bound = try await api.objects(Resources.pods) { $0.first?.nodeName.isEmpty == false }
            #expect(bound.first?.nodeName == "edge")
        }
    }

    @Test func `a daemon set follows the nodes`() async throws {
        await api.put(Resources.nodes, Make.node("a"))
        try await withControllers {
            _ = try await api.create(Resources.daemonSets, clean(Make.workload("DaemonSet", "agent")))
            try await api.objects(Resources.pods) { $0.count { $0.nodeName == "a" && $0.phase == "Running" } == 1 }
            await api.put(Resources.nodes, Make.node("b"))
            try await api.objects(Resources.pods) { Set($0.map(\.nodeName)) == ["a", "b"] }
            try await api.objects(Resources.daemonSets) { $0.first?.status["numberAvailable"] == 2 }
        }
    }

    @Test func `a namespace gets its account and certificate, and is emptied when it goes`() async throws {
        try await withControllers {
            var namespace = KubeObject(apiVersion: "v1", kind: "Namespace", name: "team")
            namespace.spec["finalizers"] = ["kubernetes"]
            _ = try await api.create(Resources.namespaces, namespace)
            try await api.objects(Resources.serviceAccounts) { $0.map(\.name) == ["default"] }
            let maps = try await api.objects(Resources.configMaps) { !$0.isEmpty }
            #expect(maps.first?.json["data"]["ca.crt"] == "PEM")
            try await api.delete(Resources.namespaces, namespace.key)
            try await api.objects(Resources.namespaces) { $0.isEmpty }
            #expect(await api.objects(Resources.serviceAccounts).isEmpty)
            #expect(await api.objects(Resources.configMaps).isEmpty)
        }
    }

    @Test func `foreground deletion takes the dependents first, orphaning leaves them`() async throws {
        let owner = await api.put(Resources.replicaSets, Make.workload("ReplicaSet", "one", replicas: 1))
        let spared = await api.put(Resources.replicaSets, Make.workload("ReplicaSet", "two", replicas: 1))
        await api.put(Resources.pods, Make.owned(Make.pod("one", labels: ["app": "one"]), by: owner))
        await api.put(Resources.pods, Make.owned(Make.pod("two", labels: ["app": "two"]), by: spared))
        try await withControllers {
            _ = try await api.delete(Resources.replicaSets, owner.key, options: ["propagationPolicy": "Foreground"])
            _ = try await api.delete(Resources.replicaSets, spared.key, options: ["propagationPolicy": "Orphan"])
            try await api.objects(Resources.replicaSets) { $0.isEmpty }
            let left = await api.objects(Resources.pods)
            #expect(left.map(\.name) == ["two"])
            #expect(left.first?.metadata["ownerReferences"].elements.isEmpty == true)
        }
    }

    @Test func `a read that fails deletes nothing`() async throws {
        let owner = await api.put(Resources.replicaSets, Make.workload("ReplicaSet", "one", replicas: 1))
        await api.put(Resources.pods, Make.owned(Make.pod("one", labels: ["app": "one"]), by: owner))
        await api.fail(.get, Resources.replicaSets, times: 3, with: .serviceUnavailable("down"))
        try await withControllers {
            try await api.calls(.get, Resources.replicaSets, atLeast: 5)
            #expect(await api.objects(Resources.pods).map(\.name) == ["one"])
            #expect(await api.count(.delete, Resources.pods) == 0)
        }
    }

    @Test func `a service finds its pods`() async throws {
        await api.put(Resources.nodes, Make.node("edge"))
        try await withControllers {
            var service = KubeObject(apiVersion: "v1", kind: "Service", namespace: "default", name: "web")
            service.spec = ["selector": ["app": "web"], "ports": [["port": 80]]]
            _ = try await api.create(Resources.services, service)
            _ = try await api.create(Resources.pods, clean(Make.pod("p", labels: ["app": "web"])))
            try await api.objects(Resources.endpoints) { $0.first?.json["subsets"][0]["addresses"].elements.count == 1 }
            try await api.delete(Resources.services, service.key)
            try await api.objects(Resources.endpoints) { $0.isEmpty }
        }
    }

    /// As a client sends it: without a uid.
    private func clean(_ object: KubeObject) -> KubeObject {
        var object = object
        object.metadata.removeMember("uid")
        object.json.removeMember("status")
        return object
    }
}

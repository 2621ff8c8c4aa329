import KubeClient
import KubeMachinery
import KubeResources
import Primitives
import Testing

@testable import ControlPlane

@Suite struct GarbageDecisionTests {
    private func object(_ finalizers: [String] = [], isTerminating: Bool = false) -> KubeObject {
        var object = Make.pod("p")
        object.finalizers = finalizers
        if isTerminating { object.metadata["deletionTimestamp"] = .string(noon.rfc3339) }
        return object
    }

    @Test(arguments: [
        ([:] as [String: GarbageDecision.OwnerState], GarbageDecision.keep), (["a": .present], .keep), (["a": .gone], .delete(foreground: false)),
        (["a": .present, "b": .gone], .dropOwners(["b"])), (["a": .waiting], .delete(foreground: true)),
        (["a": .waiting, "b": .present], .dropOwners(["a"])), (["a": .gone, "b": .waiting], .delete(foreground: true)),
    ])
    func `an object lives as long as one of its owners`(_ owners: [String: GarbageDecision.OwnerState], expected: GarbageDecision) {
        #expect(GarbageDecision(object(), owners: owners, hasDependents: true) == expected)
    }

    @Test(arguments: [
        (["orphan"], GarbageDecision.orphanDependents), (["foregroundDeletion"], .deleteDependents), (["other"], .keep), ([], .keep),
    ])
    func `a deletion goes as its finalizers say`(_ finalizers: [String], expected: GarbageDecision) {
        #expect(GarbageDecision(object(finalizers, isTerminating: true), owners: ["a": .gone], hasDependents: false) == expected)
    }

    @Test func `a deletion concerns the dependents, and the owner that waits for it`() {
        var index = OwnerIndex()
        let sets = CollectedKind(resource: Resources.replicaSets, kind: "ReplicaSet")
        let pods = CollectedKind(resource: Resources.pods, kind: "Pod")
        let owner = Make.workload("ReplicaSet")
        let pod = Make.owned(Make.pod("p"), by: owner)
        let ownerPlace = CollectedObject(kind: sets, key: owner.key)
        let podPlace = CollectedObject(kind: pods, key: pod.key)
        #expect(index.take(.added(pod), of: pods) == [podPlace])
        #expect(index.take(.added(owner), of: sets) == [ownerPlace])
        #expect(index.dependents(of: owner) == [podPlace])
        #expect(index.take(.deleted(owner), of: sets) == [podPlace])
        #expect(index.take(.updated(old: pod, new: Make.ready(pod)), of: pods) == [])
        var waiting = owner
        waiting.metadata["deletionTimestamp"] = .string(noon.rfc3339)
        #expect(index.take(.added(waiting), of: sets) == [ownerPlace])
        #expect(index.take(.deleted(pod), of: pods) == [ownerPlace])
        #expect(index.dependents(of: owner).isEmpty)
    }

    @Test func `only established definitions make a kind`() {
        var definition = KubeObject(apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition", name: "things.example.com")
        definition.spec = [
            "group": "example.com", "scope": "Cluster", "names": ["plural": "things", "kind": "Thing"],
            "versions": [["name": "v1alpha1", "served": false], ["name": "v1", "served": true]],
        ]
        #expect(CollectedKind(definition: definition) == nil)
        definition.status["conditions"] = [["type": "Established", "status": "True"]]
        let kind = CollectedKind(definition: definition)
        #expect(kind?.resource == GroupVersionResource(group: "example.com", version: "v1", resource: "things"))
        #expect(kind?.isNamespaced == false)
    }
}

@Suite struct EndpointsPlanTests {
    private func service(_ spec: JSONValue) -> KubeObject {
        var service = KubeObject(apiVersion: "v1", kind: "Service", namespace: "default", name: "web")
        service.spec = spec
        return service
    }

    private func pod(_ name: String, address: String, isReady: Bool = true) -> KubeObject {
        var pod = Make.pod(
            name, node: "n", labels: ["app": "web"],
            spec: ["containers": [["name": "c", "ports": [["name": "http", "containerPort": 8080]]]]])
        if isReady { pod = Make.ready(pod) }
        pod.status["podIP"] = .string(address)
        return pod
    }

    @Test func `addresses are those of selected pods, by readiness`() {
        let service = service(["selector": ["app": "web"], "ports": [["name": "p", "port": 80, "targetPort": "http"]]])
        var stranger = pod("stranger", address: "10.0.0.9")
        stranger.labels = [:]
        let pods = [
            pod("b", address: "10.0.0.2"), pod("a", address: "10.0.0.1"), pod("c", address: "10.0.0.3", isReady: false), stranger, Make.pod("d"),
        ]
        let subset = EndpointsPlan.endpoints(of: service, pods: pods)?.json["subsets"][0]
        #expect(subset?["addresses"].elements.compactMap(\.["ip"].string) == ["10.0.0.1", "10.0.0.2"])
        #expect(subset?["notReadyAddresses"].elements.compactMap(\.["ip"].string) == ["10.0.0.3"])
        #expect(subset?["ports"] == [["name": "p", "port": 8080, "protocol": "TCP"]])
        #expect(subset?["addresses"][0]["targetRef"]["name"] == "a")
    }

    @Test func `a service without a selector is left alone`() {
        #expect(EndpointsPlan.endpoints(of: service(["ports": [["port": 80]]]), pods: []) == nil)
    }

    @Test func `a service without pods has Endpoints without subsets`() {
        let endpoints = EndpointsPlan.endpoints(of: service(["selector": ["app": "web"]]), pods: [])
        #expect(endpoints != nil && endpoints?.json.member("subsets") == nil)
    }
}

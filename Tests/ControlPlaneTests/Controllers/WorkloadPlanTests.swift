import KubeMachinery
import Primitives
import Testing

@testable import ControlPlane

@Suite struct ReplicaSetPlanTests {
    private let set = Make.workload("ReplicaSet", replicas: 3)

    private func pods(_ count: Int) -> [KubeObject] { (0..<count).map { Make.ready(Make.pod("p\($0)", node: "n", labels: ["app": "web"])) } }

    @Test(arguments: [(0, 3, 0), (2, 1, 0), (3, 0, 0), (5, 0, 2)])
    func `the number of pods is corrected`(_ there: Int, created: Int, deleted: Int) {
        let plan = ReplicaSetPlan(set, pods: pods(there), now: noon)
        #expect(plan.create == created)
        #expect(plan.delete.count == deleted)
    }

    @Test func `finished and terminating pods are no replicas, and a set that is deleted does nothing`() {
        var failed = pods(1)[0]
        failed.status["phase"] = "Failed"
        var dying = pods(1)[0]
        dying.metadata["deletionTimestamp"] = .string(noon.rfc3339)
        #expect(ReplicaSetPlan(set, pods: [failed, dying], now: noon).create == 3)
        var deleted = set
        deleted.metadata["deletionTimestamp"] = .string(noon.rfc3339)
        #expect(ReplicaSetPlan(deleted, pods: [], now: noon).create == 0)
    }

    @Test func `the least useful pods go first`() {
        var old = Make.ready(Make.pod("old", node: "n"))
        old.metadata["creationTimestamp"] = "2020-01-01T00:00:00Z"
        var young = Make.ready(Make.pod("young", node: "n"))
        young.metadata["creationTimestamp"] = "2024-01-01T00:00:00Z"
        var cheap = Make.ready(Make.pod("cheap", node: "n"))
        cheap.annotations = ["controller.kubernetes.io/pod-deletion-cost": "-5"]
        let unready = Make.pod("unready", node: "m")
        let homeless = Make.pod("homeless")
        #expect(ReplicaSetPlan.worstFirst([old, young, cheap, unready, homeless]).map(\.name) == ["homeless", "unready", "cheap", "young", "old"])
    }

    @Test func `the status counts, and waits for minReadySeconds`() {
        var set = set
        set.spec["minReadySeconds"] = 10
        var pods = pods(2)
        pods.append(Make.ready(Make.pod("fresh", node: "n"), since: noon + .seconds(5)))
        let plan = ReplicaSetPlan(set, pods: pods, now: noon + .seconds(11))
        #expect(plan.status == ["replicas": 3, "fullyLabeledReplicas": 2, "readyReplicas": 3, "availableReplicas": 2, "observedGeneration": 1])
        #expect(plan.lookAgain.map { $0 > .seconds(4) && $0 < .seconds(5) } == true)
    }

    @Test func `what is selected and free is adopted, what no longer is selected is released`() {
        let selector = LabelSelector([.init("app", .in, ["web"])])
        let mine = Make.owned(Make.pod("mine", labels: ["app": "web"]), by: set)
        let strayed = Make.owned(Make.pod("strayed", labels: ["app": "other"]), by: set)
        let free = Make.pod("free", labels: ["app": "web"])
        let taken = Make.owned(Make.pod("taken", labels: ["app": "web"]), by: Make.workload("ReplicaSet", "other"))
        let plan = OwnershipPlan(owner: set, selector: selector, candidates: [mine, strayed, free, taken])
        #expect(plan.owned.map(\.name) == ["mine", "free"])
        #expect(plan.adopted.map(\.name) == ["free"])
        #expect(plan.released.map(\.name) == ["strayed"])
    }
}

@Suite struct DeploymentPlanTests {
    /// A set of the deployment with so many replicas of which so many are available.
    private func set(_ name: String, of deployment: KubeObject, image: String, replicas: Int, available: Int? = nil, revision: Int) -> KubeObject {
        var set = Make.owned(Make.workload("ReplicaSet", name, replicas: replicas, image: image), by: deployment)
        set.spec["template"]["metadata"]["labels"] = ["app": "web", "pod-template-hash": .string(name)]
        set.annotations = [PodTemplate.revision: String(revision), DeploymentPlan.desiredAnnotation: String(deployment.replicas)]
        set.metadata["creationTimestamp"] = .string(Timestamp(seconds: Int64(revision)).rfc3339)
        set.status = [
            "replicas": .integer(Int64(replicas)), "availableReplicas": .integer(Int64(available ?? replicas)),
            "readyReplicas": .integer(Int64(available ?? replicas)),
        ]
        return set
    }

    private func deployment(replicas: Int = 4, surge: JSONValue = "25%", unavailable: JSONValue = "25%") -> KubeObject {
        Make.workload(
            "Deployment", replicas: replicas, image: "two",
            spec: ["strategy": ["type": "RollingUpdate", "rollingUpdate": ["maxSurge": surge, "maxUnavailable": unavailable]]])
    }

    @Test(arguments: [
        // old replicas, old available, new replicas, new available → old, new
        (4, 4, 0, 0, 4, 1), (4, 4, 1, 0, 3, 1), (3, 3, 1, 0, 3, 2), (3, 3, 2, 0, 3, 2), (3, 3, 2, 2, 1, 2), (1, 1, 2, 2, 1, 4), (1, 1, 4, 4, 0, 4),
        // what does not work goes as far as the new set is not missing either
        (4, 0, 1, 0, 3, 1), (3, 0, 2, 2, 1, 2), (0, 0, 4, 4, 0, 4),
    ])
    func `a rolling update keeps within its bounds`(
        _ oldReplicas: Int, oldAvailable: Int, newReplicas: Int, newAvailable: Int, expectedOld: Int, expectedNew: Int
    ) {
        let deployment = deployment()
        let old = set("old", of: deployment, image: "one", replicas: oldReplicas, available: oldAvailable, revision: 1)
        let new = set("new", of: deployment, image: "two", replicas: newReplicas, available: newAvailable, revision: 2)
        let plan = DeploymentPlan(deployment, sets: [new, old])
        #expect(plan.current?.name == "new")
        let sizes = plan.scaling(oldPodsLeft: true)
        #expect(sizes[old.uid] ?? oldReplicas == expectedOld)
        #expect(sizes[new.uid] ?? newReplicas == expectedNew)
    }

    @Test(arguments: [(1, JSONValue.string("25%"), JSONValue.string("25%")), (1, 0, 1), (5, 1, 0), (10, "30%", "30%"), (3, 0, 0), (7, "100%", "0%")])
    func `a rolling update always ends and never exceeds its bounds`(_ replicas: Int, surge: JSONValue, unavailable: JSONValue) {
        let deployment = deployment(replicas: replicas, surge: surge, unavailable: unavailable)
        var old = set("old", of: deployment, image: "one", replicas: replicas, revision: 1)
        var new = DeploymentPlan(deployment, sets: [old]).newSet()
        new.uid = "new"
        let bounds = DeploymentPlan(deployment, sets: [old]).bounds
        for _ in 0..<100 {
            let sizes = DeploymentPlan(deployment, sets: [old, new]).scaling(oldPodsLeft: false)
            if sizes.isEmpty, new.available == new.replicas { break }
            old.spec["replicas"] = .integer(Int64(sizes[old.uid] ?? old.replicas))
            new.spec["replicas"] = .integer(Int64(sizes[new.uid] ?? new.replicas))
            #expect(old.replicas + new.replicas <= replicas + bounds.surge)
            old.status = ["replicas": .integer(Int64(old.replicas)), "availableReplicas": .integer(Int64(old.replicas))]
            #expect(old.available + new.available >= replicas - bounds.unavailable)
            new.status = ["replicas": .integer(Int64(new.replicas)), "availableReplicas": .integer(Int64(new.replicas))]
        }
        #expect(old.replicas == 0)
        #expect(new.replicas == replicas)
        #expect(DeploymentPlan(deployment, sets: [old, new]).isComplete)
    }

    @Test func `recreate empties the old sets before it fills the new one`() {
        let deployment = Make.workload("Deployment", image: "two", spec: ["strategy": ["type": "Recreate"]])
        var old = set("old", of: deployment, image: "one", replicas: 3, revision: 1)
        let new = set("new", of: deployment, image: "two", replicas: 0, revision: 2)
        #expect(DeploymentPlan(deployment, sets: [old]).newSet().replicas == 0)
        #expect(DeploymentPlan(deployment, sets: [old, new]).scaling(oldPodsLeft: true) == [old.uid: 0])
        old.spec["replicas"] = 0
        #expect(DeploymentPlan(deployment, sets: [old, new]).scaling(oldPodsLeft: true) == [:])
        #expect(DeploymentPlan(deployment, sets: [old, new]).scaling(oldPodsLeft: false) == [new.uid: 3])
    }

    @Test func `a paused deployment is scaled but not rolled`() {
        var deployment = deployment(replicas: 5)
        deployment.spec["paused"] = true
        let old = set("old", of: deployment, image: "one", replicas: 3, revision: 1)
        #expect(DeploymentPlan(deployment, sets: [old]).scaling(oldPodsLeft: false) == [old.uid: 5])
    }

    @Test func `scaling in the middle of a rollout is shared out`() {
        let deployment = deployment(replicas: 8, surge: 0, unavailable: 1)
        var old = set("old", of: deployment, image: "one", replicas: 3, revision: 1)
        var new = set("new", of: deployment, image: "two", replicas: 1, revision: 2)
        old.annotations[DeploymentPlan.desiredAnnotation] = "4"
        new.annotations[DeploymentPlan.desiredAnnotation] = "4"
        #expect(DeploymentPlan(deployment, sets: [old, new]).scaling(oldPodsLeft: false) == [old.uid: 6, new.uid: 2])
    }

    @Test func `going back to an old template takes up its set with a new revision`() {
        let deployment = deployment()
        let first = set("first", of: deployment, image: "two", replicas: 0, revision: 1)
        let second = set("second", of: deployment, image: "one", replicas: 4, revision: 2)
        let plan = DeploymentPlan(deployment, sets: [first, second])
        #expect(plan.current?.name == "first")
        let annotations = plan.annotations(over: first.annotations)
        #expect(annotations[PodTemplate.revision] == "3")
        #expect(annotations["deployment.kubernetes.io/revision-history"] == "1")
    }

    @Test func `old sets beyond the limit go once the rollout is through`() {
        var deployment = deployment()
        deployment.spec["revisionHistoryLimit"] = 1
        let old = (1...3).map { set("old\($0)", of: deployment, image: "old\($0)", replicas: 0, revision: $0) }
        let new = set("new", of: deployment, image: "two", replicas: 4, revision: 4)
        #expect(DeploymentPlan(deployment, sets: old + [new]).expendable.map(\.name) == ["old1", "old2"])
        let unfinished = set("new", of: deployment, image: "two", replicas: 4, available: 3, revision: 4)
        #expect(DeploymentPlan(deployment, sets: old + [unfinished]).expendable.isEmpty)
    }

    @Test func `the status tells kubectl how far a rollout is`() {
        var deployment = deployment()
        let old = set("old", of: deployment, image: "one", replicas: 3, revision: 1)
        let new = set("new", of: deployment, image: "two", replicas: 2, available: 1, revision: 2)
        deployment.status = DeploymentPlan(deployment, sets: [old, new]).status(at: noon).status
        #expect(deployment.status["updatedReplicas"] == 2)
        #expect(deployment.status["replicas"] == 5)
        #expect(deployment.status["unavailableReplicas"] == 1)
        #expect(deployment.condition("Available")["status"] == "True")
        #expect(deployment.condition("Progressing")["reason"] == "ReplicaSetUpdated")
        let late = DeploymentPlan(deployment, sets: [old, new]).status(at: noon + .seconds(601))
        deployment.status = late.status
        #expect(deployment.condition("Progressing")["reason"] == "ProgressDeadlineExceeded")
        let done = set("new", of: deployment, image: "two", replicas: 4, revision: 2)
        let idle = set("old", of: deployment, image: "one", replicas: 0, revision: 1)
        deployment.status = DeploymentPlan(deployment, sets: [idle, done]).status(at: noon + .seconds(700)).status
        #expect(deployment.condition("Progressing")["reason"] == "NewReplicaSetAvailable")
        #expect(deployment.condition("Progressing")["message"] == "ReplicaSet \"new\" has successfully progressed.")
        #expect(deployment.status["unavailableReplicas"].isNull)
        // A pod that fails later is no new rollout.
        let broken = set("new", of: deployment, image: "two", replicas: 4, available: 1, revision: 2)
        deployment.status = DeploymentPlan(deployment, sets: [idle, broken]).status(at: noon + .seconds(9000)).status
        #expect(deployment.condition("Progressing")["reason"] == "NewReplicaSetAvailable")
        #expect(deployment.condition("Available")["status"] == "False")
    }

    @Test func `the hash of a template does not depend on the order of its members`() {
        let one: JSONValue = ["metadata": ["labels": ["a": "b"]], "spec": ["x": 1, "y": 2]]
        let other: JSONValue = ["spec": ["y": 2, "x": 1], "metadata": ["labels": ["a": "b", "pod-template-hash": "zz"], "creationTimestamp": nil]]
        #expect(PodTemplate.hash(one) == PodTemplate.hash(other))
        #expect(PodTemplate.hash(one) != PodTemplate.hash(one, collisions: 1))
        #expect(PodTemplate.areEqual(one, other))
    }
}

@Suite struct DaemonSetPlanTests {
    private let set = Make.workload("DaemonSet", "agent")

    private func pod(_ name: String, on node: String, of set: KubeObject, hash: String? = nil) -> KubeObject {
        var pod = DaemonSetPlan.pod(of: set, on: node, hash: hash ?? PodTemplate.hash(set.spec["template"]))
        pod.name = name
        pod.uid = name
        pod.spec["nodeName"] = .string(node)
        return Make.ready(pod)
    }

    @Test(arguments: [
        ("plain", Make.node("a"), true, true), ("not ready", Make.node("a", ready: "False"), true, true),
        ("cordoned", Make.node("a", taints: [["key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"]]), true, true),
        ("unreachable", Make.node("a", taints: [["key": "node.kubernetes.io/unreachable", "effect": "NoExecute"]]), true, true),
        ("foreign taint", Make.node("a", taints: [["key": "edge", "effect": "NoSchedule"]]), false, true),
        ("foreign eviction", Make.node("a", taints: [["key": "edge", "effect": "NoExecute"]]), false, false),
    ])
    func `a node gets a pod, or may keep one`(_ name: String, node: KubeObject, runs: Bool, stays: Bool) {
        let placement = DaemonSetPlan.placement(of: set, on: node)
        #expect(placement.runs == runs && placement.stays == stays, "\(name)")
    }

    @Test func `the template's own selection counts`() {
        var set = set
        set.spec["template"]["spec"]["nodeSelector"] = ["disk": "ssd"]
        #expect(DaemonSetPlan.placement(of: set, on: Make.node("a")).runs == false)
        #expect(DaemonSetPlan.placement(of: set, on: Make.node("a", labels: ["disk": "ssd"])).runs)
    }

    @Test func `each node has one pod, failed and foreign ones go`() {
        var failed = pod("failed", on: "b", of: set)
        failed.status["phase"] = "Failed"
        let pods = [pod("one", on: "a", of: set), pod("two", on: "a", of: set), failed, pod("lost", on: "gone", of: set)]
        let plan = DaemonSetPlan(set, nodes: [Make.node("a"), Make.node("b"), Make.node("c")], pods: pods, now: noon)
        #expect(plan.create == ["c"])
        #expect(plan.delete.map(\.name).sorted() == ["failed", "lost", "two"])
        #expect(plan.status["desiredNumberScheduled"] == 3)
        #expect(plan.status["currentNumberScheduled"] == 1)
    }

    @Test(arguments: [("RollingUpdate", 1), ("OnDelete", 0)])
    func `outdated pods are replaced as the strategy says`(_ strategy: String, replaced: Int) {
        var set = set
        set.spec["updateStrategy"] = ["type": .string(strategy)]
        let nodes = ["a", "b", "c"].map { Make.node($0) }
        let pods = nodes.map { pod("p-\($0.name)", on: $0.name, of: set, hash: "old") }
        let plan = DaemonSetPlan(set, nodes: nodes, pods: pods, now: noon)
        #expect(plan.delete.count == replaced)
        #expect(plan.status["updatedNumberScheduled"].isNull)
        let broken = DaemonSetPlan(set, nodes: nodes, pods: Array(pods.dropLast()), now: noon)
        #expect(broken.delete.isEmpty)
    }

    @Test func `its pods are bound by name and tolerate what drives others away`() {
        let pod = DaemonSetPlan.pod(of: set, on: "a", hash: "h")
        #expect(DaemonSetPlan.node(of: pod) == "a")
        #expect(pod.labels["controller-revision-hash"] == "h")
        #expect(NodeAffinity.isMet(by: Make.node("a"), pod))
        #expect(!NodeAffinity.isMet(by: Make.node("b"), pod))
        #expect(pod.spec["tolerations"].elements.count == 6)
    }
}

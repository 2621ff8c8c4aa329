import KubeMachinery
import Primitives
import Testing

@testable import ControlPlane

@Suite struct NodeHealthTests {
    private func lease(_ time: String) -> KubeObject {
        var lease = KubeObject(apiVersion: "coordination.k8s.io/v1", kind: "Lease", namespace: "kube-node-lease", name: "a")
        lease.spec["renewTime"] = .string(time)
        return lease
    }

    @Test func `a node is silent once neither lease nor heartbeat moved for 40 s`() {
        var health = NodeHealth()
        let node = Make.node("a")
        #expect(health.look(at: node, lease: lease("1"), now: .seconds(100)) == .reporting)
        #expect(health.look(at: node, lease: lease("1"), now: .seconds(139)) == .reporting)
        #expect(health.look(at: node, lease: lease("1"), now: .seconds(140)) == .silent)
        #expect(health.look(at: node, lease: lease("2"), now: .seconds(141)) == .reporting)
        #expect(health.look(at: node, lease: lease("2"), now: .seconds(181)) == .silent)
    }

    @Test func `a node that never reported gets a minute`() {
        var health = NodeHealth()
        var node = Make.node("a")
        node.status = [:]
        #expect(health.look(at: node, lease: nil, now: .seconds(0)) == .reporting)
        #expect(health.look(at: node, lease: nil, now: .seconds(59)) == .reporting)
        #expect(health.look(at: node, lease: nil, now: .seconds(60)) == .neverReported)
    }

    @Test func `a silent node becomes unknown, with the taints of that, once`() throws {
        let node = Make.node("a", taints: [["key": "own", "effect": "NoSchedule"]])
        let plan = NodePlan(node, .silent, now: noon)
        var silent = node
        silent.status = try #require(plan.status)
        #expect(silent.condition("Ready")["status"] == "Unknown")
        #expect(silent.condition("Ready")["reason"] == "NodeStatusUnknown")
        #expect(silent.condition("Ready")["message"] == "Kubelet stopped posting node status.")
        #expect(silent.condition("Ready")["lastHeartbeatTime"] == "2024-01-01T00:00:00Z")
        #expect(silent.condition("DiskPressure")["status"] == "Unknown")
        let taints = try #require(plan.taints)
        #expect(taints.map(\.key) == ["own", "node.kubernetes.io/unreachable", "node.kubernetes.io/unreachable"])
        #expect(taints.last?.timeAdded == noon)
        silent.spec["taints"] = .array(taints.map(\.json))
        let again = NodePlan(silent, .silent, now: noon + .seconds(5))
        #expect(again.status == nil && again.taints == nil)
    }

    @Test(arguments: [
        ("True", [] as [String]), ("False", ["node.kubernetes.io/not-ready", "node.kubernetes.io/not-ready"]),
        ("Unknown", ["node.kubernetes.io/unreachable", "node.kubernetes.io/unreachable"]),
    ])
    func `taints follow the Ready condition`(_ ready: String, keys: [String]) {
        let tainted = Make.node("a", ready: ready, taints: [["key": "node.kubernetes.io/memory-pressure", "effect": "NoSchedule"]])
        #expect(NodePlan(tainted, .reporting, now: noon).taints?.map(\.key) == keys)
    }

    @Test func `taints follow pressures and cordoning`() {
        var node = Make.node("a")
        node.status["conditions"] = [["type": "Ready", "status": "True"], ["type": "DiskPressure", "status": "True"]]
        node.spec["unschedulable"] = true
        #expect(NodePlan(node, .reporting, now: noon).taints?.map(\.key) == ["node.kubernetes.io/disk-pressure", "node.kubernetes.io/unschedulable"])
    }

    private static let unreachable: JSONValue = [
        "key": "node.kubernetes.io/unreachable", "effect": "NoExecute", "timeAdded": .string(noon.rfc3339),
    ]
    private static let own: JSONValue = ["key": "own", "effect": "NoExecute", "timeAdded": .string(noon.rfc3339)]
    private static let patient = Make.pod(
        "p", spec: ["tolerations": [["key": "node.kubernetes.io/unreachable", "operator": "Exists", "tolerationSeconds": 300]]])
    private static let stoic = Make.pod("p", spec: ["tolerations": [["operator": "Exists"]]])

    @Test(arguments: [
        ("no toleration", Make.pod("p"), [unreachable], false, TaintEviction.at(noon)),
        ("for five minutes", patient, [unreachable], false, .at(noon + .seconds(300))), ("for ever", stoic, [unreachable, own], false, .never),
        ("kept at the edge", Make.pod("p"), [unreachable], true, .never),
        ("the edge's own taints count", Make.pod("p"), [unreachable, own], true, .at(noon)),
        ("the first deadline counts", patient, [unreachable, own], false, .at(noon)), ("no taint", Make.pod("p"), [], false, .never),
    ])
    func `pods leave when their tolerations say so`(
        _ name: String, pod: KubeObject, taints: [JSONValue], keeps: Bool, expected: TaintEviction
    ) {
        #expect(TaintEviction(of: pod, on: Make.node("a", taints: taints), keepsUnreachable: keeps) == expected, "\(name)")
    }

    @Test func `orphans are pods of gone nodes and terminating ones without a node`() {
        var dying = Make.pod("dying")
        dying.metadata["deletionTimestamp"] = .string(noon.rfc3339)
        let pods = [Make.pod("new"), dying, Make.pod("here", node: "a"), Make.pod("gone", node: "b")]
        #expect(PodCollector.orphans(pods, goneNodes: ["b"]).map(\.name) == ["dying", "gone"])
    }
}

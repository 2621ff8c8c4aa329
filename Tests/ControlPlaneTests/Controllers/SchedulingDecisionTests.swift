import KubeMachinery
import Primitives
import Testing

@testable import ControlPlane

@Suite struct SchedulingDecisionTests {
    private func decide(_ pod: KubeObject, _ nodes: [KubeObject], _ pods: [KubeObject] = []) -> SchedulingDecision {
        SchedulingDecision(pod, nodes: nodes, podsByNode: Dictionary(grouping: pods, by: \.nodeName))
    }

    private static let edgeTaint: JSONValue = ["key": "edge", "value": "yes", "effect": "NoSchedule"]
    private static func affinity(_ term: JSONValue) -> JSONValue {
        ["affinity": ["nodeAffinity": ["requiredDuringSchedulingIgnoredDuringExecution": ["nodeSelectorTerms": [term]]]]]
    }

    @Test(arguments: [
        ("plain", Make.node("a"), Make.pod("p"), nil as String?),
        ("not ready", Make.node("a", ready: "False"), Make.pod("p"), "node(s) had untolerated taint {node.kubernetes.io/not-ready: }"),
        ("silent", Make.node("a", ready: "Unknown"), Make.pod("p"), "node(s) had untolerated taint {node.kubernetes.io/unreachable: }"),
        (
            "not ready but tolerated", Make.node("a", ready: "False"),
            Make.pod("p", spec: ["tolerations": [["key": "node.kubernetes.io/not-ready", "operator": "Exists"]]]), nil
        ),
        ("taint", Make.node("a", taints: [edgeTaint]), Make.pod("p"), "node(s) had untolerated taint {edge: yes}"),
        ("taint tolerated", Make.node("a", taints: [edgeTaint]), Make.pod("p", spec: ["tolerations": [["key": "edge", "value": "yes"]]]), nil),
        (
            "toleration of another value", Make.node("a", taints: [edgeTaint]),
            Make.pod("p", spec: ["tolerations": [["key": "edge", "value": "no"]]]),
            "node(s) had untolerated taint {edge: yes}"
        ),
        ("toleration of everything", Make.node("a", taints: [edgeTaint]), Make.pod("p", spec: ["tolerations": [["operator": "Exists"]]]), nil),
        ("soft taint", Make.node("a", taints: [["key": "k", "effect": "PreferNoSchedule"]]), Make.pod("p"), nil),
        (
            "selector", Make.node("a", labels: ["zone": "x"]), Make.pod("p", spec: ["nodeSelector": ["zone": "y"]]),
            "node(s) didn't match Pod's node affinity/selector"
        ),
        ("selector met", Make.node("a", labels: ["zone": "y"]), Make.pod("p", spec: ["nodeSelector": ["zone": "y"]]), nil),
        (
            "affinity by field", Make.node("a"),
            Make.pod("p", spec: affinity(["matchFields": [["key": "metadata.name", "operator": "In", "values": ["b"]]]])),
            "node(s) didn't match Pod's node affinity/selector"
        ),
        (
            "affinity by expression", Make.node("a", labels: ["cores": "8"]),
            Make.pod("p", spec: affinity(["matchExpressions": [["key": "cores", "operator": "Gt", "values": ["4"]]]])), nil
        ),
        ("empty affinity term", Make.node("a"), Make.pod("p", spec: affinity([:])), "node(s) didn't match Pod's node affinity/selector"),
        ("too much", Make.node("a"), Make.pod("p", cpu: "5"), "Insufficient cpu"),
        ("just enough", Make.node("a"), Make.pod("p", cpu: "4"), nil),
    ])
    func `a node fits or the reason is kube-scheduler's`(_ name: String, node: KubeObject, pod: KubeObject, reason: String?) {
        let expected = reason.map { SchedulingDecision.unschedulable(message: "0/1 nodes are available: 1 \($0).") } ?? .bind(node: "a")
        #expect(decide(pod, [node]) == expected, "\(name)")
    }

    @Test func `a cordoned node takes only who tolerates it`() {
        var node = Make.node("a")
        node.spec["unschedulable"] = true
        #expect(decide(Make.pod("p"), [node]) == .unschedulable(message: "0/1 nodes are available: 1 node(s) were unschedulable."))
    }

    @Test func `the reasons of all nodes are counted`() {
        let nodes = [Make.node("a", ready: "False"), Make.node("b", ready: "False"), Make.node("c", cpu: "1")]
        #expect(
            decide(Make.pod("p", cpu: "2"), nodes)
                == .unschedulable(
                    message: "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {node.kubernetes.io/not-ready: }."))
        #expect(decide(Make.pod("p"), []) == .unschedulable(message: "no nodes available to schedule pods"))
    }

    @Test func `what runs on a node already counts`() {
        let ports: JSONValue = ["containers": [["name": "c", "image": "i", "ports": [["containerPort": 80, "hostPort": 8080]]]]]
        #expect(
            decide(Make.pod("p", cpu: "2"), [Make.node("a")], [Make.pod("q", node: "a", cpu: "3")])
                == .unschedulable(message: "0/1 nodes are available: 1 Insufficient cpu."))
        #expect(
            decide(Make.pod("p", spec: ports), [Make.node("a")], [Make.pod("q", node: "a", spec: ports)])
                == .unschedulable(message: "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."))
        var full = Make.node("a")
        full.status["allocatable"]["pods"] = "1"
        #expect(decide(Make.pod("p"), [full], [Make.pod("q", node: "a")]) == .unschedulable(message: "0/1 nodes are available: 1 Too many pods."))
    }

    @Test func `pods go where the fewest are, brothers first`() {
        let nodes = [Make.node("a"), Make.node("b")]
        #expect(decide(Make.pod("p"), nodes, [Make.pod("q", node: "a")]) == .bind(node: "b"))
        let owner = Make.workload("ReplicaSet")
        let brother = Make.owned(Make.pod("q", node: "a"), by: owner)
        let strangers = [Make.pod("r", node: "b"), Make.pod("s", node: "b")]
        #expect(decide(Make.owned(Make.pod("p"), by: owner), nodes, [brother] + strangers) == .bind(node: "b"))
        #expect(decide(Make.pod("p"), nodes, [brother] + strangers) == .bind(node: "a"))
    }

    @Test func `preferences come before spreading`() {
        let preferred: JSONValue = [
            "affinity": [
                "nodeAffinity": [
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        ["weight": 10, "preference": ["matchExpressions": [["key": "disk", "operator": "In", "values": ["ssd"]]]]]
                    ]
                ]
            ]
        ]
        let nodes = [Make.node("a"), Make.node("b", labels: ["disk": "ssd"])]
        #expect(decide(Make.pod("p", spec: preferred), nodes, [Make.pod("q", node: "b")]) == .bind(node: "b"))
    }

    @Test func `init containers count by their peak`() {
        let pod = Make.pod(
            "p",
            spec: [
                "containers": [["name": "c", "resources": ["requests": ["cpu": "1"]]]],
                "initContainers": [
                    ["name": "side", "restartPolicy": "Always", "resources": ["requests": ["cpu": "1"]]],
                    ["name": "init", "resources": ["limits": ["cpu": "2"]]],
                ],
                "overhead": ["cpu": "250m"],
            ])
        #expect(PodRequests(pod).amounts["cpu"] == Quantity("3250m"))
    }
}

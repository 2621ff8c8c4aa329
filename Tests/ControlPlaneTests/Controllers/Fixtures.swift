import EdgeTesting
import KubeMachinery
import KubeResources
import Logging
import Primitives

@testable import ControlPlane

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
let noon = Timestamp(seconds: 1_700_000_000)

/// Objects as tests need them.
enum Make {
    static func node(_ name: String, ready: String = "True", labels: [String: String] = [:], taints: [JSONValue] = [], cpu: String = "4")
        -> KubeObject
    {
        var node = KubeObject(apiVersion: "v1", kind: "Node", name: name)
        node.labels = labels
        node.uid = "node-\(name)"
        if !taints.isEmpty { node.spec["taints"] = .array(taints) }
        node.status = [
            "allocatable": ["cpu": .string(cpu), "memory": "4Gi", "pods": "110"],
            "conditions": [["type": "Ready", "status": .string(ready), "lastHeartbeatTime": "2024-01-01T00:00:00Z"]],
        ]
        return node
    }

    static func pod(_ name: String, node: String = "", labels: [String: String] = [:], spec: JSONValue = [:], cpu: String? = nil) -> KubeObject {
        var pod = KubeObject(apiVersion: "v1", kind: "Pod", namespace: "default", name: name)
        pod.uid = "pod-\(name)"
        pod.labels = labels
        pod.spec = spec
        if pod.spec["containers"].isNull { pod.spec["containers"] = [["name": "c", "image": "i"]] }
        if let cpu, case .array(var containers) = pod.spec["containers"] {
            containers[0]["resources"] = ["requests": ["cpu": .string(cpu)]]
            pod.spec["containers"] = .array(containers)
        }
        if !node.isEmpty { pod.spec["nodeName"] = .string(node) }
        pod.status["phase"] = "Pending"
        return pod
    }

    static func ready(_ pod: KubeObject, since: Timestamp = noon) -> KubeObject {
        var pod = pod
        pod.status["phase"] = "Running"
        pod.status["conditions"] = [["type": "Ready", "status": "True", "lastTransitionTime": .string(since.rfc3339)]]
        return pod
    }

    static func owned(_ object: KubeObject, by owner: KubeObject) -> KubeObject {
        var object = object
        object.metadata["ownerReferences"] = [owner.controllerReference]
        return object
    }

    static func workload(_ kind: String, _ name: String = "web", replicas: Int = 3, image: String = "one", spec: JSONValue = [:]) -> KubeObject {
        var object = KubeObject(apiVersion: "apps/v1", kind: kind, namespace: "default", name: name)
        object.uid = "\(kind)-\(name)"
        object.generation = 1
        object.spec = spec
        if kind != "DaemonSet" { object.spec["replicas"] = .integer(Int64(replicas)) }
        object.spec["selector"] = ["matchLabels": ["app": .string(name)]]
        object.spec["template"] = [
            "metadata": ["labels": ["app": .string(name)]], "spec": ["containers": [["name": "c", "image": .string(image)]]],
        ]
        return object
    }
}

/// Does for bound pods what a kubelet does: runs them, and lets go of them when they are deleted.
struct FakeKubelet {
    let api: FakeKubeAPI

    /// Serves all nodes until cancelled.
    func run() async throws {
        for try await event in try await api.watch(Resources.pods, ListQuery(), resourceVersion: "0") {
            let pod: KubeObject
            switch event {
            case .added(let object), .modified(let object): pod = object
            default: continue
            }
            guard !pod.nodeName.isEmpty else { continue }
            if pod.isTerminating {
                _ = try? await api.delete(Resources.pods, pod.key, options: ["gracePeriodSeconds": 0])
            } else if pod.phase != "Running" {
                var running = Make.ready(pod)
                running.resourceVersion = ""
                running.status["podIP"] = .string("10.0.0.\(pod.version % 250 + 1)")
                _ = try? await api.update(Resources.pods, running, subresource: "status")
            }
        }
    }
}

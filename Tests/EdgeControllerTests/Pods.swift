import KubeMachinery
import Primitives

/// A pod bound to a node, with the given spec besides.
func pod(_ name: String, node: String? = "edge-1", uid: String? = nil, version: UInt64 = 1, namespace: String = "default", spec: JSONValue = [:])
    -> KubeObject
{
    var pod = KubeObject(apiVersion: "v1", kind: "Pod", namespace: namespace, name: name)
    pod.uid = uid ?? "uid-of-\(name)"
    pod.resourceVersion = String(version)
    pod.json["spec"] = spec
    if let node { pod.spec["nodeName"] = .string(node) }
    return pod
}

func edgeNode(_ name: String, isEdge: Bool = true) -> KubeObject {
    var node = KubeObject(apiVersion: "v1", kind: "Node", name: name)
    node.uid = "uid-of-\(name)"
    if isEdge { node.labels = ["node-role.kubernetes.io/edge": ""] }
    return node
}

func object(_ kind: String, _ name: String, version: UInt64 = 1, namespace: String? = "default") -> KubeObject {
    var object = KubeObject(apiVersion: "v1", kind: kind, namespace: namespace, name: name)
    object.uid = "uid-of-\(name)"
    object.resourceVersion = String(version)
    return object
}

/// The spec of a pod that uses a config map, a secret and a claim, each in a container or volume of its own kind.
let usingSpec: JSONValue = [
    "serviceAccountName": "runner",
    "imagePullSecrets": [["name": "pull"]],
    "initContainers": [["name": "i", "env": [["name": "A", "valueFrom": ["secretKeyRef": ["name": "init-secret", "key": "k"]]]]]],
    "containers": [["name": "c", "envFrom": [["configMapRef": ["name": "env-map"]], ["secretRef": ["name": "env-secret"]]]]],
    "ephemeralContainers": [["name": "e", "env": [["name": "B", "valueFrom": ["configMapKeyRef": ["name": "debug-map", "key": "k"]]]]]],
    "volumes": [
        ["name": "cm", "configMap": ["name": "map"]], ["name": "s", "secret": ["secretName": "secret"]],
        [
            "name": "p",
            "projected": [
                "sources": [
                    ["configMap": ["name": "kube-root-ca.crt"]], ["secret": ["name": "projected-secret"]], ["serviceAccountToken": ["path": "t"]],
                ]
            ],
        ],
        ["name": "pvc", "persistentVolumeClaim": ["claimName": "claim"]], ["name": "scratch", "ephemeral": [:]],
        ["name": "csi", "csi": ["driver": "d", "nodePublishSecretRef": ["name": "csi-secret"]]],
    ],
]

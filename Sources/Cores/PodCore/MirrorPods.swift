package import KubeMachinery
import Primitives

/// The cluster's pictures of static pods: which to make and which to take away (`spec/05 §28.3`).
package struct MirrorPods: Sendable {
    package enum Directive: Sendable, Hashable {
        case create(KubeObject)
        case delete(ObjectKey, uid: String)
    }

    package static let annotation = "kubernetes.io/config.mirror"

    /// The mirrors that the cluster has, by key.
    package private(set) var known: [ObjectKey: KubeObject] = [:]
    /// UIDs of mirrors whose deletion has been asked for: the backend sees to it.
    private var deleted: Set<String> = []

    package init() {}

    /// Takes the newest object of a mirror in.
    package mutating func set(_ mirror: KubeObject) { known[mirror.key] = mirror }

    /// The mirror is gone from the cluster; true where it was known. An empty UID means whatever has that name.
    package mutating func remove(_ key: ObjectKey, uid: String) -> Bool {
        guard let mirror = known[key], uid.isEmpty || mirror.uid == uid else { return false }
        deleted.remove(mirror.uid)
        known[key] = nil
        return true
    }

    /// The deletion of a mirror has been handed over.
    package mutating func deletionAccepted(_ uid: String) { deleted.insert(uid) }

    /// The mirror that shows this very pod; nil where there is none or it shows an earlier one.
    package func mirror(of pod: KubeObject) -> KubeObject? {
        guard let mirror = known[pod.key], Self.matches(mirror, pod), mirror.metadata["deletionTimestamp"].isNull else { return nil }
        return mirror
    }

    /// What is to be done now. `wanted` are the static pods that should run, `ending` the names of those that are on their way out,
    /// whose mirrors stay until they are gone. Nothing is made before the node's UID is known, for a mirror belongs to its node.
    package func directives(wanted: [KubeObject], ending: Set<ObjectKey>, node: String, nodeUID: String) -> [Directive] {
        var directives: [Directive] = []
        var keys = ending
        for pod in wanted {
            keys.insert(pod.key)
            guard !ending.contains(pod.key) else { continue }
            if let mirror = known[pod.key] {
                let isGood = Self.matches(mirror, pod) && mirror.metadata["deletionTimestamp"].isNull
                if !isGood, !deleted.contains(mirror.uid) { directives.append(.delete(mirror.key, uid: mirror.uid)) }
            } else if !nodeUID.isEmpty {
                directives.append(.create(Self.mirror(pod, node: node, nodeUID: nodeUID)))
            }
        }
        for (key, mirror) in known where !keys.contains(key) && !deleted.contains(mirror.uid) {
            directives.append(.delete(key, uid: mirror.uid))
        }
        return directives
    }

    private static func matches(_ mirror: KubeObject, _ pod: KubeObject) -> Bool {
        mirror.annotations[annotation] == pod.annotations[StaticPod.hashAnnotation]
    }

    private static func mirror(_ pod: KubeObject, node: String, nodeUID: String) -> KubeObject {
        var mirror = KubeObject(apiVersion: "v1", kind: "Pod", namespace: pod.namespace, name: pod.name)
        mirror.labels = pod.labels
        mirror.metadata["annotations"] = pod.metadata["annotations"]
        mirror.metadata["annotations"][annotation] = pod.metadata["annotations"][StaticPod.hashAnnotation]
        mirror.metadata["ownerReferences"] = [
            ["apiVersion": "v1", "kind": "Node", "name": .string(node), "uid": .string(nodeUID), "controller": true]
        ]
        mirror.json["spec"] = pod.spec
        return mirror
    }
}

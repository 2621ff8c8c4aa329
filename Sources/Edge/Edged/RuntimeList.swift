import KubeMachinery
import PodCore
import Primitives

/// The runtime's two lists, by pod. What carries no pod UID is not ours and is left out (`spec/05 §8.4`).
struct RuntimeList {
    /// Two equal numbers: nothing has changed for that pod.
    private(set) var fingerprints: [String: Int] = [:]
    private var names: [String: ObjectKey] = [:]

    init(sandboxes: [SandboxState], containers: [ContainerState]) {
        for sandbox in sandboxes { add(sandbox.id, sandbox.isReady ? 1 : 2, sandbox.labels) }
        for container in containers {
            let state =
                switch container.phase {
                case .created: 3
                case .running: 4
                case .exited: 5
                case .unknown: 6
                }
            add(container.id, state, container.labels)
        }
    }

    private mutating func add(_ id: String, _ state: Int, _ labels: [String: String]) {
        guard let uid = labels[ContainerLabel.podUID], !uid.isEmpty else { return }
        var hasher = Hasher()
        hasher.combine(id)
        hasher.combine(state)
        // The order of a list says nothing.
        fingerprints[uid, default: 0] ^= hasher.finalize()
        if let name = labels[ContainerLabel.podName] {
            names[uid] = ObjectKey(namespace: labels[ContainerLabel.podNamespace], name: name)
        }
    }

    /// As much of a pod as its labels tell, for one that nobody wants.
    func pod(_ uid: String) -> KubeObject? {
        guard let key = names[uid] else { return nil }
        var pod = KubeObject(apiVersion: "v1", kind: "Pod", namespace: key.namespace, name: key.name)
        pod.uid = uid
        return pod
    }
}

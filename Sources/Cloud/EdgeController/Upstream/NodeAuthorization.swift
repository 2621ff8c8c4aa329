import KubeMachinery
import KubeResources
import Primitives

/// What a node may ask for: its own node object and lease, its own pods, and what those pods use.
///
/// The cluster sees cloudcore's identity alone, so what the API server's node authorizer and `NodeRestriction` do for kubelets
/// is done here for edges (`spec/01` D-08).
struct NodeAuthorization {
    let node: String
    /// For clusters whose edges do odd things: everything is allowed.
    let allowsAll: Bool

    enum Decision: Hashable {
        case allowed
        case denied(KubeStatus)
        /// It depends on the pod, which is not known yet: to be read and asked for again with `decide(pod:)`.
        case dependsOnPod(ObjectKey)
        /// It depends on what is read: to be asked for with `mayHave`.
        case dependsOnResult
    }

    func decide(_ request: NodeRequest, in contents: NodeContents) -> Decision {
        if allowsAll { return .allowed }
        switch request {
        case .read(let kind, let key): return decide(reading: kind, key, in: contents)
        case .readLease(let key): return own(key, Resources.leases)
        case .readServices(let namespace):
            let isUsed = contents.pods(on: node).contains { $0.key.namespace == namespace }
            return isUsed ? .allowed : deny(Resources.services, namespace, "no pod of node \"\(node)\" is in the namespace")
        case .writeLease(let lease, _): return own(lease.key, Resources.leases)
        case .createNode(let object): return own(name: object.name, Resources.nodes)
        case .updateNode(let name, _, _), .patchNode(let name, _), .reportNode(let name, _): return own(name: name, Resources.nodes)
        case .token(let account, let request): return decide(token: account, request, in: contents)
        case .createPod(let pod): return decide(creating: pod)
        case .patchPod(let key, _), .deletePod(let key, _): return decide(pod: key, in: contents)
        case .reportPods: return .allowed
        case .createSigningRequest(let object): return own(signingRequest: object.name)
        case .createEvent(let event), .patchEvent(let event, _): return decide(event: event, in: contents)
        }
    }

    /// Whether a pod that was read is of this node.
    func decide(pod: KubeObject) -> Decision {
        if allowsAll || pod.spec["nodeName"].string == node { return .allowed }
        return deny(Resources.pods, pod.name, "it is not bound to node \"\(node)\"")
    }

    /// Whether a node may have the object that was read.
    func mayHave(_ object: KubeObject, _ kind: ReadableKind, in contents: NodeContents) -> Decision {
        if allowsAll { return .allowed }
        switch kind {
        case .persistentVolume:
            let claim = object.spec["claimRef"]
            let key = ObjectKey(namespace: claim["namespace"].string, name: claim["name"].string ?? "")
            return contents.uses(claim: key, node: node) ? .allowed : deny(kind.resource, object.name, "no pod of node \"\(node)\" uses its claim")
        case .volumeAttachment:
            return object.spec["nodeName"].string == node ? .allowed : deny(kind.resource, object.name, "it is not of node \"\(node)\"")
        default: return .allowed
        }
    }

    private func decide(reading kind: ReadableKind, _ key: ObjectKey, in contents: NodeContents) -> Decision {
        let isUsed: Bool
        switch kind {
        case .node: return own(name: key.name, kind.resource)
        case .signingRequest: return own(signingRequest: key.name)
        case .persistentVolume, .volumeAttachment: return .dependsOnResult
        // Nothing in it is secret, and kubelets may read them all.
        case .runtimeClass: return .allowed
        case .configMap: isUsed = contents.uses(configMap: key, node: node)
        case .secret: isUsed = contents.uses(secret: key, node: node)
        case .persistentVolumeClaim: isUsed = contents.uses(claim: key, node: node)
        }
        return isUsed ? .allowed : deny(kind.resource, key.name, "no pod of node \"\(node)\" uses it")
    }

    /// A token is for a pod of the node that runs as the account, and dies with it.
    private func decide(token account: ObjectKey, _ request: JSONValue, in contents: NodeContents) -> Decision {
        let bound = request["spec"]["boundObjectRef"]
        guard bound["kind"].string == "Pod", let name = bound["name"].string, let uid = bound["uid"].string, !uid.isEmpty else {
            return deny(Resources.serviceAccounts, account.name, "node \"\(node)\" asked for a token that is not bound to a pod")
        }
        guard let pod = contents.pod(ObjectKey(namespace: account.namespace, name: name)), pod.uid == uid, pod.node == node,
            pod.references.serviceAccount == account.name
        else {
            return deny(Resources.serviceAccounts, account.name, "no pod \"\(name)\" with this account and UID is bound to node \"\(node)\"")
        }
        return .allowed
    }

    /// Nodes create mirror pods only, which use nothing of the cluster.
    private func decide(creating pod: KubeObject) -> Decision {
        guard pod.spec["nodeName"].string == node else {
            return deny(Resources.pods, pod.name, "node \"\(node)\" can only create pods with its own spec.nodeName")
        }
        guard pod.annotations["kubernetes.io/config.mirror"] != nil else {
            return deny(Resources.pods, pod.name, "node \"\(node)\" can only create mirror pods")
        }
        let references = PodReferences(pod: pod)
        guard references.configMaps.isEmpty, references.secrets.isEmpty, references.claims.isEmpty, references.serviceAccount == "default" else {
            return deny(Resources.pods, pod.name, "a mirror pod may not use config maps, secrets, claims or service accounts")
        }
        return .allowed
    }

    private func decide(pod key: ObjectKey, in contents: NodeContents) -> Decision {
        contents.pod(key)?.node == node ? .allowed : .dependsOnPod(key)
    }

    private func own(_ key: ObjectKey, _ resource: GroupVersionResource) -> Decision {
        guard key.namespace == "kube-node-lease" else { return deny(resource, key.name, "node leases are in namespace kube-node-lease") }
        return own(name: key.name, resource)
    }

    private func own(name: String, _ resource: GroupVersionResource) -> Decision {
        name == node ? .allowed : deny(resource, name, "node \"\(node)\" may use its own only")
    }

    private func own(signingRequest name: String) -> Decision {
        name == "metaserver-csr-\(node)"
            ? .allowed : deny(Resources.certificateSigningRequests, name, "node \"\(node)\" may use \"metaserver-csr-\(node)\" only")
    }

    func deny(_ resource: GroupVersionResource, _ name: String, _ reason: String) -> Decision {
        let resource = resource.groupResource
        return .denied(
            KubeStatus(
                code: 403, reason: "Forbidden", message: "\(resource) \"\(name)\" is forbidden: \(reason)",
                details: resource.group.isEmpty
                    ? ["name": .string(name), "kind": .string(resource.resource)]
                    : ["name": .string(name), "group": .string(resource.group), "kind": .string(resource.resource)]))
    }
}

package import KubeMachinery
package import Primitives

/// The claim that a volume of a pod names, and what it has to be before the pod may use it (`spec/05 §19.11`).
package struct VolumeClaim: Sendable, Hashable {
    /// In the pod's namespace.
    package let name: String
    /// Whether the pod wants to read only.
    package let isReadOnly: Bool
    /// A claim made for this pod alone, which it must own.
    private let isOwned: Bool

    /// nil for a volume that names no claim.
    package init?(_ volume: JSONValue, in pod: PodView) {
        if volume["ephemeral"].object != nil {
            name = "\(pod.name)-\(volume["name"].string ?? "")"
            isReadOnly = false
            isOwned = true
        } else if volume["persistentVolumeClaim"].object != nil {
            name = volume["persistentVolumeClaim"]["claimName"].string ?? ""
            isReadOnly = volume["persistentVolumeClaim"]["readOnly"].bool ?? false
            isOwned = false
        } else {
            return nil
        }
    }

    /// The name of the persistent volume that the claim is bound to. Throws in the kubelet's words where the pod has to wait.
    package func volumeName(_ claim: KubeObject, for pod: PodView) throws(VolumeFailure) -> String {
        if isOwned, !claim.metadata["ownerReferences"].elements.contains(where: { $0["controller"] == true && $0["uid"].string == pod.uid }) {
            throw VolumeFailure("PVC \(pod.namespace)/\(name) was not created for pod \(pod.namespace)/\(pod.name) (pod is not owner)")
        }
        // A pod that has run already keeps what it has: the claim stays until the pod has ended.
        if claim.deletionTimestamp != nil, pod.phase.isEmpty || pod.phase == "Pending" { throw VolumeFailure("PVC is being deleted") }
        guard claim.status["phase"].string == "Bound", let volume = claim.spec["volumeName"].string, !volume.isEmpty else {
            throw VolumeFailure("PVC is not bound")
        }
        return volume
    }
}

/// A persistent volume as a pod of this node uses it.
package struct ClaimedVolume: Sendable, Hashable {
    package var plan: VolumePlan
    /// The group that may use the volume (`pv.beta.kubernetes.io/gid`): containers get it.
    package var group: Int64?

    /// Throws in the kubelet's words where the volume is not this claim's, not for this node, or not of the asked mode.
    ///
    /// - Parameter volume: The element of `spec.volumes` that names the claim.
    package init(
        _ volume: JSONValue, _ reference: VolumeClaim, claim: KubeObject, persistent: KubeObject, in pod: PodView, node: NodeFacts
    ) throws(VolumeFailure) {
        let owner = persistent.spec["claimRef"]
        guard owner.object != nil else {
            throw VolumeFailure("found PV object \(persistent.name) with nil pv.Spec.ClaimRef indicating it is not yet bound to the claim")
        }
        let uid = owner["uid"].string ?? ""
        let isNamed = owner["name"].string == claim.name && owner["namespace"].string == claim.namespace
        guard uid == claim.uid || (uid.isEmpty && isNamed) else {
            throw VolumeFailure("found PV object \(persistent.name) with unexpected pv.Spec.ClaimRef.UID \(uid), expected \(claim.uid)")
        }
        guard NodeAffinity.matches(persistent.spec.at("nodeAffinity", "required"), node: node) else {
            throw VolumeFailure("MountVolume.NodeAffinity check failed for volume \"\(persistent.name)\" : no matching NodeSelectorTerms")
        }
        let name = volume["name"].string ?? ""
        let isBlock = persistent.spec["volumeMode"].string == "Block"
        if isBlock, pod.allContainers.contains(where: { $0.mounts(name) }) {
            throw VolumeFailure("volume \(name) has volumeMode Block, but is specified in volumeMounts")
        }
        if !isBlock, pod.allContainers.contains(where: { $0.takesDevice(name) }) {
            throw VolumeFailure("volume \(name) has volumeMode Filesystem, but is specified in volumeDevices")
        }
        group = persistent.annotations["pv.beta.kubernetes.io/gid"].flatMap(Int64.init)
        plan = VolumePlan(persistent, isBlock: isBlock, isReadOnly: reference.isReadOnly, in: pod, node: node)
    }
}

extension VolumePlan {
    /// What a persistent volume is made of.
    fileprivate init(_ persistent: KubeObject, isBlock: Bool, isReadOnly: Bool, in pod: PodView, node: NodeFacts) {
        let spec = persistent.spec
        func path(_ plugin: String) -> String { node.volumeDirectory(pod.uid, plugin: "kubernetes.io~\(plugin)", volume: persistent.name) }
        let options = spec["mountOptions"].strings
        if spec["local"].object != nil {
            let source = spec["local"]["path"].string ?? ""
            if isBlock {
                self = .device(path: source, isReadOnly: isReadOnly)
            } else {
                self = .local(
                    source: source, path: path("local-volume"), fileSystem: spec["local"]["fsType"].string, options: options, isReadOnly: isReadOnly)
            }
        } else if isBlock {
            self = .unsupported(
                "persistent volume \"\(persistent.name)\" has volumeMode Block, which only volumes of type local can have on this node")
        } else if spec["hostPath"].object != nil {
            guard let type = HostPathType(rawValue: spec["hostPath"]["type"].string ?? "") else {
                self = .unsupported(
                    "persistent volume \"\(persistent.name)\" has hostPath type \"\(spec["hostPath"]["type"].string ?? "")\", which does not exist")
                return
            }
            self = .hostPath(path: spec["hostPath"]["path"].string ?? "", type: type, isReadOnly: isReadOnly)
        } else if spec["nfs"].object != nil {
            let nfs = spec["nfs"]
            self = .nfs(
                server: nfs["server"].string ?? "", export: nfs["path"].string ?? "", path: path("nfs"), options: options,
                isReadOnly: isReadOnly || nfs["readOnly"].bool ?? false)
        } else {
            let general: Set = [
                "accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy", "storageClassName",
                "volumeAttributesClassName", "volumeMode",
            ]
            let kind = spec.members.keys.first { !general.contains($0) } ?? "none"
            self = .unsupported(VolumePlan.refusal("persistent volume \"\(persistent.name)\"", kind))
        }
    }

    /// Why a volume of a kind that this node does not have is refused, and what to use in its place.
    static func refusal(_ volume: String, _ kind: String) -> String {
        let advice =
            switch kind {
            case "csi", "flexVolume": "no storage drivers are run here: use a persistent volume of type local, hostPath or nfs"
            case "gitRepo": "clone into an emptyDir in an init container"
            case "none": "give it a source, such as emptyDir"
            default: "attach the storage to the node and use a persistent volume of type local, or use nfs"
            }
        return "\(volume) is of type \(kind), which this node does not support: \(advice)"
    }
}

extension ContainerView {
    package var volumeDevices: [JSONValue] { json["volumeDevices"].elements }
    func mounts(_ volume: String) -> Bool { volumeMounts.contains { $0["name"].string == volume } }
    func takesDevice(_ volume: String) -> Bool { volumeDevices.contains { $0["name"].string == volume } }
}

extension PodView {
    /// The volumes that containers use; the others are not made.
    package var usedVolumes: [JSONValue] {
        volumes.filter { volume in
            let name = volume["name"].string ?? ""
            return allContainers.contains { $0.mounts(name) || $0.takesDevice(name) }
        }
    }
}

internal import EdgeMessages
package import KubeMachinery
internal import KubeResources
internal import Primitives

/// Under which resource each kind of thing lies in the edge's store.
package enum EdgeRecords {
    package static let pods = Resources.pods.groupResource
    package static let configMaps = Resources.configMaps.groupResource
    package static let secrets = Resources.secrets.groupResource
    package static let nodes = Resources.nodes.groupResource
    package static let persistentVolumes = Resources.persistentVolumes.groupResource
    package static let persistentVolumeClaims = Resources.persistentVolumeClaims.groupResource
    package static let runtimeClasses = GroupResource(group: "node.k8s.io", resource: "runtimeclasses")
    static let runtimeClassWord = EdgeType.word(kind: "RuntimeClass")
    /// The services of each namespace as last heard, a `ServiceList` by its namespace.
    static let serviceLists = GroupResource(group: edgeGroup, resource: "servicelists")
    /// Answered `TokenRequest`s, keyed by what was asked.
    package static let tokens = GroupResource(group: edgeGroup, resource: "serviceaccounttokens")
    /// The status of each pod that the cloud has not confirmed yet.
    package static let pendingStatuses = GroupResource(group: edgeGroup, resource: "pendingpodstatuses")
    /// Deletions of finished pods that the cloud has not confirmed yet.
    package static let pendingDeletions = GroupResource(group: edgeGroup, resource: "pendingpoddeletions")
    /// Events of the kubelet that the cloud has not heard yet.
    package static let events = GroupResource(group: edgeGroup, resource: "waitingevents")
    /// Reports of other modules that the cloud has not confirmed yet.
    package static let outbox = GroupResource(group: edgeGroup, resource: "waitingreports")

    /// One object, which names the store that was filled by the cloud.
    static let fillings = GroupResource(group: edgeGroup, resource: "fillings")
    static let filling = ObjectKey(name: "store")

    private static let edgeGroup = "edge.kubeedge.io"

    /// Where an object of the type word of the wire belongs; nil for words that name no object.
    static func resource(ofType type: String) -> GroupResource? {
        switch type {
        case EdgeType.pod: pods
        case EdgeType.configMap: configMaps
        case EdgeType.secret: secrets
        case EdgeType.node: nodes
        case EdgeType.persistentVolume: persistentVolumes
        case EdgeType.persistentVolumeClaim: persistentVolumeClaims
        case EdgeType.volumeAttachment: Resources.volumeAttachments.groupResource
        case runtimeClassWord: runtimeClasses
        case EdgeType.device: GroupResource(group: "devices.kubeedge.io", resource: "devices")
        case EdgeType.deviceModel: GroupResource(group: "devices.kubeedge.io", resource: "devicemodels")
        case EdgeType.serviceAccountAccess: GroupResource(group: "policy.kubeedge.io", resource: "serviceaccountaccesses")
        case "", EdgeType.serviceList, EdgeType.podList, EdgeType.podStatus, EdgeType.podPatch, EdgeType.nodePatch, EdgeType.nodeStatus,
            EdgeType.lease:
            nil
        // A kind that a dynamic watch of the cloud brings: kept under its own word.
        default: GroupResource(group: edgeGroup, resource: type)
        }
    }

    /// `kind` and `apiVersion` for objects that arrive without them (`spec/01 §5.3, §5.4`).
    static func complete(_ object: KubeObject, ofType type: String) -> KubeObject {
        let identity: (String, String)? =
            switch type {
            case EdgeType.pod: ("v1", "Pod")
            case EdgeType.configMap: ("v1", "ConfigMap")
            case EdgeType.secret: ("v1", "Secret")
            case EdgeType.node: ("v1", "Node")
            case EdgeType.persistentVolume: ("v1", "PersistentVolume")
            case EdgeType.persistentVolumeClaim: ("v1", "PersistentVolumeClaim")
            case EdgeType.volumeAttachment: ("storage.k8s.io/v1", "VolumeAttachment")
            case runtimeClassWord: ("node.k8s.io/v1", "RuntimeClass")
            case EdgeType.device: ("devices.kubeedge.io/v1beta1", "Device")
            case EdgeType.deviceModel: ("devices.kubeedge.io/v1beta1", "DeviceModel")
            default: nil
            }
        guard let identity, object.kind.isEmpty || object.apiVersion.isEmpty else { return object }
        var completed = object
        completed.apiVersion = identity.0
        completed.kind = identity.1
        return completed
    }
}

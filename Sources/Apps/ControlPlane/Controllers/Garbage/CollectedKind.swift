import KubeMachinery
import KubeResources
import Primitives

/// A kind whose objects are deleted with their owners and with their namespace.
struct CollectedKind: Hashable, Sendable {
    var resource: GroupVersionResource
    var kind: String
    var isNamespaced = true

    static let builtIn: [CollectedKind] = [
        CollectedKind(resource: Resources.deployments, kind: "Deployment"), CollectedKind(resource: Resources.daemonSets, kind: "DaemonSet"),
        CollectedKind(resource: Resources.replicaSets, kind: "ReplicaSet"), CollectedKind(resource: Resources.services, kind: "Service"),
        CollectedKind(resource: Resources.endpoints, kind: "Endpoints"), CollectedKind(resource: Resources.pods, kind: "Pod"),
        CollectedKind(resource: Resources.configMaps, kind: "ConfigMap"), CollectedKind(resource: Resources.secrets, kind: "Secret"),
        CollectedKind(resource: Resources.persistentVolumeClaims, kind: "PersistentVolumeClaim"),
        CollectedKind(resource: Resources.serviceAccounts, kind: "ServiceAccount"), CollectedKind(resource: Resources.roles, kind: "Role"),
        CollectedKind(resource: Resources.roleBindings, kind: "RoleBinding"), CollectedKind(resource: Resources.leases, kind: "Lease"),
        CollectedKind(resource: Resources.events, kind: "Event"),
        CollectedKind(resource: Resources.nodes, kind: "Node", isNamespaced: false),
        CollectedKind(resource: Resources.namespaces, kind: "Namespace", isNamespaced: false),
        CollectedKind(resource: Resources.persistentVolumes, kind: "PersistentVolume", isNamespaced: false),
    ]

    /// The built-in kinds and those of established custom resource definitions.
    static func all(definitions: [KubeObject]) -> [CollectedKind] { builtIn + definitions.compactMap(CollectedKind.init(definition:)) }
}

extension CollectedKind {
    /// nil for a definition that is not established.
    init?(definition: KubeObject) {
        let names = definition.spec["names"]
        guard definition.isTrue("Established"), let group = definition.spec["group"].string, let plural = names["plural"].string,
            let kind = names["kind"].string,
            let version = definition.spec["versions"].elements.first(where: { $0["served"].bool == true })?["name"].string
        else { return nil }
        self.init(
            resource: GroupVersionResource(group: group, version: version, resource: plural), kind: kind,
            isNamespaced: definition.spec["scope"].string == "Namespaced")
    }
}

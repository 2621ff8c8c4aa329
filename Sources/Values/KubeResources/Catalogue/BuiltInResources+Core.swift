import KubeMachinery

/// The kinds that Kubernetes 1.28 itself brings, as far as this house serves them.
package enum BuiltInResources {
    typealias Subresource = ResourceDefinition.Subresource

    /// The core group, `v1`.
    package static let core: [ResourceDefinition] = [
        ResourceDefinition(
            Resources.configMaps, kind: "ConfigMap", shortNames: ["cm"], layout: CoreTables.configMaps, rules: ConfigurationRules.configMap),
        ResourceDefinition(Resources.endpoints, kind: "Endpoints", shortNames: ["ep"], layout: CoreTables.endpoints).singular("endpoints"),
        ResourceDefinition(
            Resources.events, kind: "Event", shortNames: ["ev"], layout: CoreTables.events, fields: SelectableFields.event),
        ResourceDefinition(
            Resources.namespaces, kind: "Namespace", shortNames: ["ns"], isNamespaced: false,
            verbs: ResourceDefinition.allVerbs.filter { $0 != "deletecollection" },
            subresources: [.status, Subresource("finalize", verbs: ["update"])], layout: CoreTables.namespaces,
            fields: ["status.phase": SelectableFields.text("status", "phase")], rules: NamespaceRules.namespace),
        ResourceDefinition(
            Resources.nodes, kind: "Node", shortNames: ["no"], isNamespaced: false,
            subresources: [.status, Subresource("proxy", verbs: ["create", "delete", "get", "patch", "update"])],
            layout: CoreTables.nodes, fields: ["spec.unschedulable": SelectableFields.flag("spec", "unschedulable")], rules: NodeRules.node),
        ResourceDefinition(
            Resources.persistentVolumeClaims, kind: "PersistentVolumeClaim", shortNames: ["pvc"], subresources: [.status],
            layout: CoreTables.persistentVolumeClaims, rules: VolumeRules.claim),
        ResourceDefinition(
            Resources.persistentVolumes, kind: "PersistentVolume", shortNames: ["pv"], isNamespaced: false, subresources: [.status],
            layout: CoreTables.persistentVolumes, rules: VolumeRules.volume),
        ResourceDefinition(
            Resources.pods, kind: "Pod", shortNames: ["po"], categories: ["all"], subresources: podSubresources, layout: PodTable.layout,
            fields: SelectableFields.pod, rules: PodRules.pod),
        ResourceDefinition(
            Resources.secrets, kind: "Secret", layout: CoreTables.secrets, fields: ["type": SelectableFields.text("type")],
            rules: ConfigurationRules.secret),
        ResourceDefinition(
            Resources.serviceAccounts, kind: "ServiceAccount", shortNames: ["sa"],
            subresources: [Subresource("token", verbs: ["create"], kind: GroupVersionKind("authentication.k8s.io/v1", "TokenRequest"))],
            layout: CoreTables.serviceAccounts),
        ResourceDefinition(
            Resources.services, kind: "Service", shortNames: ["svc"], categories: ["all"], subresources: [.status],
            layout: CoreTables.services,
            fields: ["spec.clusterIP": SelectableFields.text("spec", "clusterIP"), "spec.type": SelectableFields.text("spec", "type")],
            rules: ServiceRules.service),
    ]

    private static let podSubresources = [
        Subresource("attach", verbs: ["create", "get"], kind: GroupVersionKind("v1", "PodAttachOptions")),
        Subresource("binding", verbs: ["create"], kind: GroupVersionKind("v1", "Binding")),
        Subresource("ephemeralcontainers"),
        Subresource("eviction", verbs: ["create"], kind: GroupVersionKind("policy/v1", "Eviction")),
        Subresource("exec", verbs: ["create", "get"], kind: GroupVersionKind("v1", "PodExecOptions")),
        Subresource("log", verbs: ["get"]),
        Subresource("portforward", verbs: ["create", "get"], kind: GroupVersionKind("v1", "PodPortForwardOptions")),
        Subresource("proxy", verbs: ["create", "delete", "get", "patch", "update"], kind: GroupVersionKind("v1", "PodProxyOptions")),
        .status,
    ]
}

extension ResourceDefinition {
    fileprivate func singular(_ name: String) -> ResourceDefinition {
        var definition = self
        definition.singular = name
        return definition
    }
}

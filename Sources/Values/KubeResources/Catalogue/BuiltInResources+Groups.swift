import KubeMachinery

extension BuiltInResources {
    /// Group `apps`.
    package static let apps: [ResourceDefinition] = [
        ResourceDefinition(
            GroupVersionResource(group: "apps", resource: "controllerrevisions"), kind: "ControllerRevision",
            layout: GroupTables.controllerRevisions),
        ResourceDefinition(
            Resources.daemonSets, kind: "DaemonSet", shortNames: ["ds"], categories: ["all"], subresources: [.status],
            layout: GroupTables.daemonSets, rules: WorkloadRules.daemonSet),
        ResourceDefinition(
            Resources.deployments, kind: "Deployment", shortNames: ["deploy"], categories: ["all"], subresources: [.scale, .status],
            layout: GroupTables.deployments, rules: WorkloadRules.deployment),
        ResourceDefinition(
            Resources.replicaSets, kind: "ReplicaSet", shortNames: ["rs"], categories: ["all"], subresources: [.scale, .status],
            layout: GroupTables.replicaSets,
            fields: ["status.replicas": { String($0.status["replicas"].int ?? 0) }], rules: WorkloadRules.replicaSet),
    ]

    /// Groups about the cluster itself: leases, certificates, storage, custom resources.
    package static let cluster: [ResourceDefinition] = [
        ResourceDefinition(
            Resources.customResourceDefinitions, kind: "CustomResourceDefinition", shortNames: ["crd", "crds"],
            categories: ["api-extensions"], isNamespaced: false, subresources: [.status], rules: CustomResourceRules.definition),
        ResourceDefinition(
            Resources.certificateSigningRequests, kind: "CertificateSigningRequest", shortNames: ["csr"], isNamespaced: false,
            subresources: [Subresource("approval"), .status], layout: GroupTables.certificateSigningRequests,
            fields: ["spec.signerName": SelectableFields.text("spec", "signerName")], rules: ClusterRules.signingRequest),
        ResourceDefinition(Resources.leases, kind: "Lease", layout: GroupTables.leases, rules: ClusterRules.lease),
        ResourceDefinition(
            GroupVersionResource(group: "storage.k8s.io", resource: "storageclasses"), kind: "StorageClass", shortNames: ["sc"],
            isNamespaced: false, layout: GroupTables.storageClasses, rules: VolumeRules.storageClass),
        ResourceDefinition(
            Resources.volumeAttachments, kind: "VolumeAttachment", isNamespaced: false, subresources: [.status],
            layout: GroupTables.volumeAttachments),
    ]

    /// Group `rbac.authorization.k8s.io`.
    package static let access: [ResourceDefinition] = [
        ResourceDefinition(
            Resources.clusterRoleBindings, kind: "ClusterRoleBinding", isNamespaced: false, layout: GroupTables.clusterRoleBindings,
            rules: AccessRules.binding),
        ResourceDefinition(Resources.clusterRoles, kind: "ClusterRole", isNamespaced: false, rules: AccessRules.role),
        ResourceDefinition(Resources.roleBindings, kind: "RoleBinding", layout: GroupTables.roleBindings, rules: AccessRules.binding),
        ResourceDefinition(Resources.roles, kind: "Role", rules: AccessRules.role),
    ]

    /// Kinds that are answered and never stored.
    package static let reviews: [ResourceDefinition] = [
        ResourceDefinition(Resources.tokenReviews, kind: "TokenReview", isNamespaced: false, verbs: ["create"]),
        ResourceDefinition(
            GroupVersionResource(group: "authentication.k8s.io", resource: "selfsubjectreviews"), kind: "SelfSubjectReview",
            isNamespaced: false, verbs: ["create"]),
        ResourceDefinition(
            GroupVersionResource(group: "authorization.k8s.io", resource: "localsubjectaccessreviews"), kind: "LocalSubjectAccessReview",
            verbs: ["create"]),
        ResourceDefinition(
            GroupVersionResource(group: "authorization.k8s.io", resource: "selfsubjectaccessreviews"), kind: "SelfSubjectAccessReview",
            isNamespaced: false, verbs: ["create"]),
        ResourceDefinition(
            GroupVersionResource(group: "authorization.k8s.io", resource: "selfsubjectrulesreviews"), kind: "SelfSubjectRulesReview",
            isNamespaced: false, verbs: ["create"]),
        ResourceDefinition(Resources.subjectAccessReviews, kind: "SubjectAccessReview", isNamespaced: false, verbs: ["create"]),
    ]
}

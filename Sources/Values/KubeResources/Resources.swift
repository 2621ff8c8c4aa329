package import KubeMachinery

/// The resources that this house names, by their plural.
package enum Resources {
    package static let namespaces = GroupVersionResource(resource: "namespaces")
    package static let nodes = GroupVersionResource(resource: "nodes")
    package static let pods = GroupVersionResource(resource: "pods")
    package static let configMaps = GroupVersionResource(resource: "configmaps")
    package static let secrets = GroupVersionResource(resource: "secrets")
    package static let services = GroupVersionResource(resource: "services")
    package static let endpoints = GroupVersionResource(resource: "endpoints")
    package static let events = GroupVersionResource(resource: "events")
    package static let serviceAccounts = GroupVersionResource(resource: "serviceaccounts")
    package static let persistentVolumes = GroupVersionResource(resource: "persistentvolumes")
    package static let persistentVolumeClaims = GroupVersionResource(resource: "persistentvolumeclaims")
    package static let deployments = GroupVersionResource(group: "apps", resource: "deployments")
    package static let replicaSets = GroupVersionResource(group: "apps", resource: "replicasets")
    package static let daemonSets = GroupVersionResource(group: "apps", resource: "daemonsets")
    package static let leases = GroupVersionResource(group: "coordination.k8s.io", resource: "leases")
    package static let volumeAttachments = GroupVersionResource(group: "storage.k8s.io", resource: "volumeattachments")
    package static let certificateSigningRequests = GroupVersionResource(group: "certificates.k8s.io", resource: "certificatesigningrequests")
    package static let customResourceDefinitions = GroupVersionResource(group: "apiextensions.k8s.io", resource: "customresourcedefinitions")
    package static let tokenReviews = GroupVersionResource(group: "authentication.k8s.io", resource: "tokenreviews")
    package static let subjectAccessReviews = GroupVersionResource(group: "authorization.k8s.io", resource: "subjectaccessreviews")
    package static let roles = GroupVersionResource(group: "rbac.authorization.k8s.io", resource: "roles")
    package static let roleBindings = GroupVersionResource(group: "rbac.authorization.k8s.io", resource: "rolebindings")
    package static let clusterRoles = GroupVersionResource(group: "rbac.authorization.k8s.io", resource: "clusterroles")
    package static let clusterRoleBindings = GroupVersionResource(group: "rbac.authorization.k8s.io", resource: "clusterrolebindings")
    package static let objectSyncs = GroupVersionResource(group: "reliablesyncs.kubeedge.io", version: "v1alpha1", resource: "objectsyncs")
    package static let clusterObjectSyncs = GroupVersionResource(
        group: "reliablesyncs.kubeedge.io", version: "v1alpha1", resource: "clusterobjectsyncs")
}

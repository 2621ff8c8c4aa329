import KubeMachinery
import KubeResources
import Primitives

/// The roles that every cluster has, and who holds them.
enum BootstrapRoles {
    static let all: [BootstrapObjects.Item] = roles + bindings

    private struct Rule {
        var groups: [String] = [""]
        var resources: [String] = []
        var verbs: [String]
        var paths: [String] = []

        var json: JSONValue {
            paths.isEmpty
                ? ["apiGroups": JSONValue(groups), "resources": JSONValue(resources), "verbs": JSONValue(verbs)]
                : ["nonResourceURLs": JSONValue(paths), "verbs": JSONValue(verbs)]
        }
    }

    private static let read = ["get", "list", "watch"]
    private static let write = ["create", "delete", "deletecollection", "patch", "update"]
    private static let labels = ["kubernetes.io/bootstrapping": "rbac-defaults"]

    private static let roles: [BootstrapObjects.Item] = [
        role("cluster-admin", [Rule(groups: ["*"], resources: ["*"], verbs: ["*"]), Rule(verbs: ["*"], paths: ["*"])]),
        role("admin", viewing + editing + sharing),
        role("edit", viewing + editing),
        role("view", viewing),
        role("system:discovery", [Rule(verbs: ["get"], paths: discoveryPaths)]),
        role("system:public-info-viewer", [Rule(verbs: ["get"], paths: ["/healthz", "/livez", "/readyz", "/version", "/version/"])]),
        role(
            "system:basic-user",
            [
                Rule(
                    groups: ["authorization.k8s.io"], resources: ["selfsubjectaccessreviews", "selfsubjectrulesreviews"], verbs: ["create"]),
                Rule(groups: ["authentication.k8s.io"], resources: ["selfsubjectreviews"], verbs: ["create"]),
            ]),
        role("system:node", node),
        role(
            "system:auth-delegator",
            [
                Rule(groups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"]),
                Rule(groups: ["authorization.k8s.io"], resources: ["subjectaccessreviews"], verbs: ["create"]),
            ]),
    ]

    private static let discoveryPaths = [
        "/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz", "/version", "/version/",
    ]

    private static let viewing: [Rule] = [
        Rule(
            resources: [
                "bindings", "configmaps", "endpoints", "events", "limitranges", "namespaces", "namespaces/status", "persistentvolumeclaims",
                "persistentvolumeclaims/status", "pods", "pods/log", "pods/status", "replicationcontrollers", "resourcequotas",
                "serviceaccounts", "services", "services/status",
            ], verbs: read),
        Rule(
            groups: ["apps"],
            resources: [
                "controllerrevisions", "daemonsets", "daemonsets/status", "deployments", "deployments/scale", "deployments/status",
                "replicasets", "replicasets/scale", "replicasets/status", "statefulsets", "statefulsets/scale", "statefulsets/status",
            ], verbs: read),
        Rule(groups: ["batch"], resources: ["cronjobs", "jobs"], verbs: read),
        Rule(groups: ["policy"], resources: ["poddisruptionbudgets"], verbs: read),
    ]

    private static let editing: [Rule] = [
        Rule(resources: ["secrets"], verbs: read),
        Rule(
            resources: [
                "configmaps", "endpoints", "events", "persistentvolumeclaims", "pods", "pods/attach", "pods/exec", "pods/portforward",
                "pods/proxy", "replicationcontrollers", "secrets", "serviceaccounts", "services", "services/proxy",
            ], verbs: write),
        Rule(resources: ["pods/attach", "pods/exec", "pods/portforward", "pods/proxy"], verbs: ["get"]),
        Rule(resources: ["pods/eviction", "serviceaccounts/token"], verbs: ["create"]),
        Rule(
            groups: ["apps"],
            resources: [
                "daemonsets", "deployments", "deployments/rollback", "deployments/scale", "replicasets", "replicasets/scale", "statefulsets",
                "statefulsets/scale",
            ], verbs: write),
        Rule(groups: ["batch"], resources: ["cronjobs", "jobs"], verbs: write),
        Rule(groups: ["policy"], resources: ["poddisruptionbudgets"], verbs: write),
        Rule(groups: ["coordination.k8s.io"], resources: ["leases"], verbs: read + write),
    ]

    private static let sharing: [Rule] = [
        Rule(groups: ["rbac.authorization.k8s.io"], resources: ["rolebindings", "roles"], verbs: read + write),
        Rule(groups: ["authorization.k8s.io"], resources: ["localsubjectaccessreviews"], verbs: ["create"]),
    ]

    /// What a kubelet does through the API.
    private static let node: [Rule] = [
        Rule(groups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"]),
        Rule(groups: ["authorization.k8s.io"], resources: ["localsubjectaccessreviews", "subjectaccessreviews"], verbs: ["create"]),
        Rule(resources: ["services"], verbs: read),
        Rule(resources: ["nodes"], verbs: read + ["create", "patch", "update"]),
        Rule(resources: ["nodes/status"], verbs: ["patch", "update"]),
        Rule(resources: ["events"], verbs: ["create", "patch", "update"]),
        Rule(resources: ["pods"], verbs: read + ["create", "delete"]),
        Rule(resources: ["pods/status"], verbs: ["patch", "update"]),
        Rule(resources: ["pods/eviction", "serviceaccounts/token"], verbs: ["create"]),
        Rule(resources: ["configmaps", "secrets", "persistentvolumeclaims", "persistentvolumes"], verbs: read),
        Rule(groups: ["certificates.k8s.io"], resources: ["certificatesigningrequests"], verbs: read + ["create"]),
        Rule(groups: ["coordination.k8s.io"], resources: ["leases"], verbs: read + ["create", "delete", "patch", "update"]),
        Rule(groups: ["storage.k8s.io"], resources: ["volumeattachments", "csidrivers", "csinodes"], verbs: read),
    ]

    private static let bindings: [BootstrapObjects.Item] = [
        binding("cluster-admin", groups: ["system:masters"]),
        binding("system:discovery", groups: ["system:authenticated"]),
        binding("system:basic-user", groups: ["system:authenticated"]),
        binding("system:public-info-viewer", groups: ["system:authenticated", "system:unauthenticated"]),
        binding("system:node", groups: ["system:nodes"]),
    ]

    private static func role(_ name: String, _ rules: [Rule]) -> BootstrapObjects.Item {
        var role = KubeObject(apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", name: name)
        role.labels = labels
        role.json["rules"] = .array(rules.map(\.json))
        return BootstrapObjects.Item(resource: Resources.clusterRoles, object: role)
    }

    private static func binding(_ name: String, groups: [String]) -> BootstrapObjects.Item {
        var binding = KubeObject(apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRoleBinding", name: name)
        binding.labels = labels
        binding.json["roleRef"] = ["apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": .string(name)]
        binding.json["subjects"] = .array(groups.map { ["apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": .string($0)] })
        return BootstrapObjects.Item(resource: Resources.clusterRoleBindings, object: binding)
    }
}

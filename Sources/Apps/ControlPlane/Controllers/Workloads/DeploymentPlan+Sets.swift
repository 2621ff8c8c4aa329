import KubeMachinery
import Primitives

extension DeploymentPlan {
    private static let historyAnnotation = "deployment.kubernetes.io/revision-history"
    /// Annotations that belong to one object and are not handed on.
    private static let own: Set<String> = [
        "kubectl.kubernetes.io/last-applied-configuration", PodTemplate.revision, historyAnnotation, desiredAnnotation,
        "deployment.kubernetes.io/max-replicas", "deprecated.deployment.rollback.to",
    ]

    /// The set for the deployment's present template, to be created.
    func newSet() -> KubeObject {
        let collisions = deployment.status["collisionCount"].count ?? 0
        let hash = PodTemplate.hash(deployment.spec["template"], collisions: collisions)
        var set = KubeObject(apiVersion: "apps/v1", kind: "ReplicaSet", namespace: deployment.namespace, name: "\(deployment.name)-\(hash)")
        var template = deployment.spec["template"]
        template["metadata"]["labels"][PodTemplate.hashLabel] = .string(hash)
        set.labels = template["metadata"]["labels"].stringMap
        set.metadata["ownerReferences"] = [deployment.controllerReference]
        set.annotations = annotations(over: [:])
        var selector = deployment.spec["selector"]
        selector["matchLabels"][PodTemplate.hashLabel] = .string(hash)
        let room = wanted + bounds.surge - old.reduce(0) { $0 + $1.replicas }
        let start = isRecreate ? (old.allSatisfy { $0.replicas == 0 && $0.statusReplicas == 0 } ? wanted : 0) : max(0, min(wanted, room))
        set.spec = ["replicas": .integer(Int64(start)), "selector": selector, "template": template]
        if let minReady = deployment.spec.member("minReadySeconds") { set.spec["minReadySeconds"] = minReady }
        return set
    }

    /// The annotations of the current set: the deployment's, its revision, and what was scaled for.
    func annotations(over existing: [String: String]) -> [String: String] {
        var result = existing
        for (key, value) in deployment.annotations where !Self.own.contains(key) { result[key] = value }
        let revision = String(nextRevision)
        if let before = existing[PodTemplate.revision], before != revision {
            let history = existing[Self.historyAnnotation].map { "\($0),\(before)" } ?? before
            result[Self.historyAnnotation] = String(history.suffix(2000))
        }
        result[PodTemplate.revision] = revision
        return result.merging(sizeAnnotations) { _, new in new }
    }

    /// What a set remembers of the size of its deployment.
    var sizeAnnotations: [String: String] {
        [
            Self.desiredAnnotation: String(wanted),
            "deployment.kubernetes.io/max-replicas": String(wanted + bounds.surge),
        ]
    }

    /// Sets of the past beyond what the deployment keeps, once the rollout is through.
    var expendable: [KubeObject] {
        guard isComplete else { return [] }
        let limit = deployment.spec["revisionHistoryLimit"].count ?? 10
        let idle = old.filter { $0.replicas == 0 && $0.statusReplicas == 0 && !$0.isTerminating }
        let byRevision = idle.sorted { ($0.revision ?? 0, $0.name) < ($1.revision ?? 0, $1.name) }
        return Array(byRevision.prefix(max(0, idle.count - max(limit, 0))))
    }

    /// Whether all pods are of the current template and available, and none of another is left.
    var isComplete: Bool {
        guard let current else { return false }
        return current.statusReplicas == wanted && current.available >= wanted && all.reduce(0) { $0 + $1.statusReplicas } == wanted
            && current.replicas == wanted && old.allSatisfy { $0.replicas == 0 }
    }
}

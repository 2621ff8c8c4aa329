import KubeClient
import KubeMachinery
import KubeResources
import Logging
import Primitives

/// Leads the ReplicaSets of a Deployment from one template to the next.
struct DeploymentController: Sendable {
    let api: any KubeAPI
    let informers: InformerSet
    let clock: any MomentSource
    let logger: Logger

    private var events: EventRecorder { EventRecorder(api: api, component: "deployment-controller", clock: clock, logger: logger) }

    func run() async throws {
        let sets = informers.replicaSets
        let reconciler = Reconciler<ObjectKey>(
            sources: [
                .init(informer: informers.deployments) { [$0.object.key] },
                .init(informer: sets) { Self.owner(of: $0.object) },
                .init(informer: informers.pods) { change in
                    // `Recreate` waits for the last pod of an old set.
                    guard case .deleted(let pod) = change, pod.controller?["kind"].string == "ReplicaSet",
                        let name = pod.controller?["name"].string,
                        let set = await sets.object(ObjectKey(namespace: pod.namespace, name: name))
                    else { return [] }
                    return Self.owner(of: set)
                },
            ], clock: clock, logger: logger, reconcile: reconcile)
        try await reconciler.run()
    }

    private static func owner(of set: KubeObject) -> [ObjectKey] {
        guard let owner = set.controller, owner["kind"].string == "Deployment", let name = owner["name"].string else { return [] }
        return [ObjectKey(namespace: set.namespace, name: name)]
    }

    @Sendable private func reconcile(_ key: ObjectKey) async throws -> Duration? {
        let deployment: KubeObject
        do { deployment = try await api.get(Resources.deployments, key) } catch let status as KubeStatus where status.isNotFound { return nil }
        let selector = try LabelSelector(json: deployment.spec["selector"])
        let candidates = try await api.list(Resources.replicaSets, ListQuery(namespace: key.namespace)).items
        let ownership = OwnershipPlan(owner: deployment, selector: selector, candidates: candidates)
        try await ownership.perform(api, Resources.replicaSets, owner: deployment)
        var plan = DeploymentPlan(deployment, sets: ownership.owned)
        guard !deployment.isTerminating else { return try await write(plan) }
        if plan.current == nil, !plan.isPaused {
            guard let made = try await makeSet(plan) else { return .zero }
            plan = DeploymentPlan(plan.deployment, sets: ownership.owned + [made])
        }
        plan = try await annotate(plan)
        plan = try await scale(plan)
        for set in plan.expendable {
            _ = try await api.delete(Resources.replicaSets, set.key, options: ["preconditions": ["uid": .string(set.uid)]])
        }
        return try await write(plan)
    }

    /// nil where the name was taken by another template: then the next look uses another hash.
    private func makeSet(_ plan: DeploymentPlan) async throws -> KubeObject? {
        let set = plan.newSet()
        do {
            let made = try await api.create(Resources.replicaSets, set)
            await events.record(.normal, "ScalingReplicaSet", "Scaled up replica set \(made.name) to \(made.replicas)", about: plan.deployment)
            return made
        } catch let status as KubeStatus where status.isAlreadyExists {
            let existing = try await api.get(Resources.replicaSets, set.key)
            if existing.isOwned(by: plan.deployment), PodTemplate.areEqual(existing.spec["template"], set.spec["template"]) { return existing }
            var collided = plan.deployment
            collided.status["collisionCount"] = .integer(Int64((collided.status["collisionCount"].count ?? 0) + 1))
            _ = try await api.update(Resources.deployments, collided, subresource: "status")
            return nil
        }
    }

    /// Gives the current set its revision and the deployment the same.
    private func annotate(_ plan: DeploymentPlan) async throws -> DeploymentPlan {
        guard let current = plan.current, !plan.isPaused else { return plan }
        var sets = plan.old
        var updated = current
        updated.annotations = plan.annotations(over: current.annotations)
        if updated.annotations != current.annotations { updated = try await api.update(Resources.replicaSets, updated) }
        sets.append(updated)
        var deployment = plan.deployment
        if deployment.annotations[PodTemplate.revision] != updated.annotations[PodTemplate.revision] {
            deployment.annotations[PodTemplate.revision] = updated.annotations[PodTemplate.revision]
            deployment = try await api.update(Resources.deployments, deployment)
        }
        return DeploymentPlan(deployment, sets: sets)
    }

    private func scale(_ plan: DeploymentPlan) async throws -> DeploymentPlan {
        let sizes = plan.scaling(oldPodsLeft: try await oldPodsLeft(plan))
        var sets: [KubeObject] = []
        for set in plan.all {
            let size = sizes[set.uid] ?? set.replicas
            var resized = set
            resized.spec["replicas"] = .integer(Int64(size))
            if size > 0 { resized.annotations.merge(plan.sizeAnnotations) { _, new in new } }
            sets.append(resized == set ? set : try await api.update(Resources.replicaSets, resized))
            guard size != set.replicas else { continue }
            let direction = size > set.replicas ? "up" : "down"
            await events.record(
                .normal, "ScalingReplicaSet", "Scaled \(direction) replica set \(set.name) to \(size) from \(set.replicas)", about: plan.deployment)
        }
        return DeploymentPlan(plan.deployment, sets: sets)
    }

    private func oldPodsLeft(_ plan: DeploymentPlan) async throws -> Bool {
        guard plan.isRecreate, !plan.old.isEmpty else { return false }
        let pods = try await api.list(Resources.pods, ListQuery(namespace: plan.deployment.namespace)).items
        return pods.contains { pod in !pod.isFinished && plan.old.contains { pod.isOwned(by: $0) } }
    }

    private func write(_ plan: DeploymentPlan) async throws -> Duration? {
        let (status, lookAgain) = plan.status(at: clock.now().wall)
        guard status != plan.deployment.status else { return lookAgain }
        var updated = plan.deployment
        updated.status = status
        do {
            _ = try await api.update(Resources.deployments, updated, subresource: "status")
        } catch let status as KubeStatus where status.isNotFound {
            return nil
        }
        return lookAgain
    }
}

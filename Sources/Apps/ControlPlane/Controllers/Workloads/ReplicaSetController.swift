import KubeClient
import KubeMachinery
import KubeResources
import Logging
import Primitives

/// Keeps as many pods of a template as a ReplicaSet says.
///
/// Each look reads the pods from the API itself, so that what was just made or deleted counts.
struct ReplicaSetController: Sendable {
    let api: any KubeAPI
    let informers: InformerSet
    let clock: any MomentSource
    let logger: Logger

    func run() async throws {
        let sets = informers.replicaSets
        let reconciler = Reconciler<ObjectKey>(
            sources: [
                .init(informer: sets) { [$0.object.key] },
                .init(informer: informers.pods) { change in
                    let pod = change.object
                    if let owner = pod.controller {
                        guard owner["kind"].string == "ReplicaSet", let name = owner["name"].string else { return [] }
                        return [ObjectKey(namespace: pod.namespace, name: name)]
                    }
                    return await sets.objects { set in
                        set.namespace == pod.namespace && (try? LabelSelector(json: set.spec["selector"]))?.matches(pod) == true
                    }.map(\.key)
                },
            ], clock: clock, logger: logger, reconcile: reconcile)
        try await reconciler.run()
    }

    @Sendable private func reconcile(_ key: ObjectKey) async throws -> Duration? {
        let set: KubeObject
        do { set = try await api.get(Resources.replicaSets, key) } catch let status as KubeStatus where status.isNotFound { return nil }
        let selector = try LabelSelector(json: set.spec["selector"])
        let pods = try await api.list(Resources.pods, ListQuery(namespace: key.namespace)).items
        let ownership = OwnershipPlan(owner: set, selector: selector, candidates: pods)
        try await ownership.perform(api, Resources.pods, owner: set)
        let plan = ReplicaSetPlan(set, pods: ownership.owned, now: clock.now().wall)
        var failure: (any Error)?
        do { try await perform(plan, on: set) } catch { failure = error }
        try await write(plan, of: set, failure: failure)
        if let failure { throw failure }
        return plan.lookAgain
    }

    private func perform(_ plan: ReplicaSetPlan, on set: KubeObject) async throws {
        let events = EventRecorder(api: api, component: "replicaset-controller", clock: clock, logger: logger)
        for _ in 0..<plan.create {
            do {
                let pod = try await api.create(Resources.pods, PodTemplate.pod(set.spec["template"], ownedBy: set))
                await events.record(.normal, "SuccessfulCreate", "Created pod: \(pod.name)", about: set)
            } catch {
                await events.record(.warning, "FailedCreate", "Error creating: \(error)", about: set)
                throw error
            }
        }
        for pod in plan.delete {
            do {
                _ = try await api.delete(Resources.pods, pod.key, options: ["preconditions": ["uid": .string(pod.uid)]])
                await events.record(.normal, "SuccessfulDelete", "Deleted pod: \(pod.name)", about: set)
            } catch let status as KubeStatus where status.isNotFound {
                continue
            }
        }
    }

    private func write(_ plan: ReplicaSetPlan, of set: KubeObject, failure: (any Error)?) async throws {
        var updated = set
        updated.status = plan.status
        if let failure {
            updated.status["conditions"] = setting(
                "ReplicaFailure", "True", reason: plan.create > 0 ? "FailedCreate" : "FailedDelete", message: "\(failure)",
                in: updated.status["conditions"], at: clock.now().wall)
        } else if !updated.condition("ReplicaFailure").isNull {
            updated.status["conditions"] = .array(updated.status["conditions"].elements.filter { $0["type"].string != "ReplicaFailure" })
        }
        guard updated.status != set.status else { return }
        do {
            _ = try await api.update(Resources.replicaSets, updated, subresource: "status")
        } catch let status as KubeStatus where status.isNotFound {
            return
        }
    }
}

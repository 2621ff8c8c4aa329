import KubeClient
import KubeMachinery
import KubeResources
import Logging
import Primitives

/// Keeps one pod of a template on every node that it is meant for.
struct DaemonSetController: Sendable {
    let api: any KubeAPI
    let informers: InformerSet
    let clock: any MomentSource
    let logger: Logger

    func run() async throws {
        let sets = informers.daemonSets
        let reconciler = Reconciler<ObjectKey>(
            sources: [
                .init(informer: sets) { [$0.object.key] },
                .init(informer: informers.pods) { change in
                    let pod = change.object
                    if let owner = pod.controller {
                        guard owner["kind"].string == "DaemonSet", let name = owner["name"].string else { return [] }
                        return [ObjectKey(namespace: pod.namespace, name: name)]
                    }
                    return await sets.objects { set in
                        set.namespace == pod.namespace && (try? LabelSelector(json: set.spec["selector"]))?.matches(pod) == true
                    }.map(\.key)
                },
                .init(informer: informers.nodes) { change in
                    if case .updated(let old, let new) = change, old.labels == new.labels, old.spec == new.spec { return [] }
                    return await sets.objects().map(\.key)
                },
            ], clock: clock, logger: logger, reconcile: reconcile)
        try await reconciler.run()
    }

    @Sendable private func reconcile(_ key: ObjectKey) async throws -> Duration? {
        let set: KubeObject
        do { set = try await api.get(Resources.daemonSets, key) } catch let status as KubeStatus where status.isNotFound { return nil }
        let selector = try LabelSelector(json: set.spec["selector"])
        let nodes = await informers.nodes.objects()
        let pods = try await api.list(Resources.pods, ListQuery(namespace: key.namespace)).items
        let ownership = OwnershipPlan(owner: set, selector: selector, candidates: pods)
        try await ownership.perform(api, Resources.pods, owner: set)
        let plan = DaemonSetPlan(set, nodes: nodes, pods: ownership.owned, now: clock.now().wall)
        try await perform(plan, on: set)
        if plan.status != set.status {
            var updated = set
            updated.status = plan.status
            do {
                _ = try await api.update(Resources.daemonSets, updated, subresource: "status")
            } catch let status as KubeStatus where status.isNotFound {
                return nil
            }
        }
        return plan.lookAgain
    }

    private func perform(_ plan: DaemonSetPlan, on set: KubeObject) async throws {
        let events = EventRecorder(api: api, component: "daemonset-controller", clock: clock, logger: logger)
        for node in plan.create {
            let pod = try await api.create(Resources.pods, DaemonSetPlan.pod(of: set, on: node, hash: plan.hash))
            await events.record(.normal, "SuccessfulCreate", "Created pod: \(pod.name)", about: set)
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
}

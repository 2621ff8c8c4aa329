import KubeClient
import KubeMachinery
import KubeResources
import Logging
import Primitives

/// Keeps the Endpoints of services with a selector up to date.
struct EndpointsController: Sendable {
    let api: any KubeAPI
    let informers: InformerSet
    let clock: any MomentSource
    let logger: Logger

    func run() async throws {
        let services = informers.services
        await informers.endpoints.synced()
        let reconciler = Reconciler<ObjectKey>(
            sources: [
                .init(informer: services) { [$0.object.key] },
                .init(informer: informers.endpoints) { change in
                    if case .added = change { return [] }
                    return [change.object.key]
                },
                .init(informer: informers.pods) { change in
                    var labels = [change.object.labels]
                    if case .updated(let old, _) = change { labels.append(old.labels) }
                    let seen = labels
                    let namespace = change.object.namespace
                    return await services.objects { service in
                        let selector = service.spec["selector"].stringMap
                        return service.namespace == namespace && !selector.isEmpty
                            && seen.contains { labels in selector.allSatisfy { labels[$0.key] == $0.value } }
                    }.map(\.key)
                },
            ], workers: 2, clock: clock, logger: logger, reconcile: reconcile)
        try await reconciler.run()
    }

    @Sendable private func reconcile(_ key: ObjectKey) async throws -> Duration? {
        guard let service = await informers.services.object(key) else {
            // Endpoints that others wrote for a name without a service are theirs.
            guard await informers.endpoints.object(key)?.annotations[Self.mark] != nil else { return nil }
            do { try await api.delete(Resources.endpoints, key) } catch let status as KubeStatus where status.isNotFound {}
            return nil
        }
        let namespace = key.namespace
        let pods = await informers.pods.objects { $0.namespace == namespace }
        guard var wanted = EndpointsPlan.endpoints(of: service, pods: pods) else { return nil }
        wanted.annotations[Self.mark] = "true"
        guard let existing = await informers.endpoints.object(key) else {
            _ = try await api.create(Resources.endpoints, wanted)
            return nil
        }
        guard existing.json["subsets"] != wanted.json["subsets"] || existing.labels != wanted.labels || existing.annotations[Self.mark] == nil
        else { return nil }
        var updated = existing
        updated.labels = wanted.labels
        updated.annotations.merge(wanted.annotations) { _, new in new }
        updated.json.setMember("subsets", wanted.json.member("subsets"))
        _ = try await api.update(Resources.endpoints, updated)
        return nil
    }

    /// Marks what this controller made.
    private static let mark = "endpoints.kubernetes.io/managed-by-controller"
}

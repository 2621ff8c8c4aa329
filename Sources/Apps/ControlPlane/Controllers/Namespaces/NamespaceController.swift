import KubeClient
import KubeMachinery
import KubeResources
import Logging
import Primitives

/// Empties a namespace that is deleted, then lets go of it.
struct NamespaceController: Sendable {
    let api: any KubeAPI
    let informers: InformerSet
    let clock: any MomentSource
    let logger: Logger

    func run() async throws {
        let reconciler = Reconciler<ObjectKey>(
            sources: [.init(informer: informers.namespaces) { $0.object.isTerminating ? [$0.object.key] : [] }], workers: 2, clock: clock,
            logger: logger, reconcile: reconcile)
        await informers.definitions.synced()
        try await reconciler.run()
    }

    @Sendable private func reconcile(_ key: ObjectKey) async throws -> Duration? {
        let namespace: KubeObject
        do { namespace = try await api.get(Resources.namespaces, key) } catch let status as KubeStatus where status.isNotFound { return nil }
        guard namespace.isTerminating else { return nil }
        var left = 0
        for kind in CollectedKind.all(definitions: await informers.definitions.objects()) where kind.isNamespaced {
            left += try await empty(kind.resource, in: key.name)
        }
        guard left == 0 else {
            logger.debug("namespace not empty yet", metadata: ["namespace": "\(key.name)", "left": "\(left)"])
            return .seconds(1)
        }
        var finalized = namespace
        finalized.spec["finalizers"] = .array(namespace.spec["finalizers"].elements.filter { $0.string != "kubernetes" })
        _ = try await api.update(Resources.namespaces, finalized, subresource: "finalize")
        return nil
    }

    /// Deletes all objects of a resource and returns how many are still there afterwards.
    private func empty(_ resource: GroupVersionResource, in namespace: String) async throws -> Int {
        let objects: [KubeObject]
        do {
            objects = try await api.list(resource, ListQuery(namespace: namespace)).items
        } catch let status as KubeStatus where status.isNotFound {
            return 0
        }
        guard !objects.isEmpty else { return 0 }
        for object in objects where !object.isTerminating {
            do {
                _ = try await api.delete(resource, object.key, options: ["propagationPolicy": "Background"])
            } catch let status as KubeStatus where status.isNotFound {
                continue
            }
        }
        return try await api.list(resource, ListQuery(namespace: namespace)).items.count
    }
}

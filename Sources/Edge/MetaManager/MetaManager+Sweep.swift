internal import KubeMachinery
internal import ObjectStore
internal import PodCore
internal import Primitives

/// A copy in the store that no pod of this node refers to.
struct UnusedCopy: Sendable, Hashable {
    let resource: GroupResource
    let key: ObjectKey
}

extension MetaManager {
    /// The cloud tells of changes only of what pods here use: what nobody uses any more it lets lie, with all the namespaces that are gone.
    ///
    /// Removes the copies of configMaps, secrets and lists of services that no pod refers to, if they were in `before` too: a pod that is
    /// made anew finds its configuration here though the line breaks. Returns what is unused now. Throws `StoreError`.
    func sweep(unusedBefore before: Set<UnusedCopy>) async throws -> Set<UnusedCopy> {
        let unused = try await store.transact { store -> Set<UnusedCopy> in
            let unused = try Self.unusedCopies(in: store)
            try store.apply(unused.intersection(before).map { .remove($0.resource, $0.key) })
            return unused
        }
        let removed = unused.intersection(before)
        if !removed.isEmpty {
            logger.info("copies that no pod here refers to are removed", metadata: ["count": "\(removed.count)"])
        }
        return unused.subtracting(removed)
    }

    private static func unusedCopies(in store: isolated ObjectStore) throws -> Set<UnusedCopy> {
        var used: Set<UnusedCopy> = []
        for pod in try store.list(EdgeRecords.pods, namespace: nil, limit: nil, after: nil).objects {
            used.insert(UnusedCopy(resource: EdgeRecords.serviceLists, key: ObjectKey(name: pod.namespace ?? "")))
            for reference in PodView(pod).allObjects {
                let resource =
                    switch reference.kind {
                    case .configMap: EdgeRecords.configMaps
                    case .secret: EdgeRecords.secrets
                    }
                used.insert(UnusedCopy(resource: resource, key: ObjectKey(namespace: pod.namespace, name: reference.name)))
            }
        }
        var unused: Set<UnusedCopy> = []
        for resource in [EdgeRecords.configMaps, EdgeRecords.secrets, EdgeRecords.serviceLists] {
            var last: ObjectKey?
            repeat {
                let page = try store.list(resource, namespace: nil, limit: 32, after: last)
                unused.formUnion(page.objects.map { UnusedCopy(resource: resource, key: $0.key) })
                last = page.next
            } while last != nil
        }
        return unused.subtracting(used)
    }
}

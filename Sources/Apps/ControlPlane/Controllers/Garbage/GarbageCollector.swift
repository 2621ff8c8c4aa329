import KubeClient
import KubeMachinery
import KubeResources
import Logging
import Primitives

/// Deletes what has lost its owners, and leads foreground and orphaning deletions to their end.
///
/// An owner counts as gone only when the API itself says so: an informer that is behind, or a read that failed, deletes nothing.
actor GarbageCollector {
    private let api: any KubeAPI
    private let informers: InformerSet
    private let clock: any MomentSource
    private let logger: Logger
    private var index = OwnerIndex()
    private var queue: Reconciler<CollectedObject>?
    private var custom: Set<CollectedKind> = []

    init(api: any KubeAPI, informers: InformerSet, clock: any MomentSource, logger: Logger) {
        self.api = api
        self.informers = informers
        self.clock = clock
        self.logger = logger
    }

    func run() async throws {
        let reconciler = Reconciler<CollectedObject>(sources: [], workers: 4, clock: clock, logger: logger) { [self] object in
            try await settle(object)
            return nil
        }
        queue = reconciler
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask { try await reconciler.run() }
            for kind in CollectedKind.builtIn where kind.kind != "Event" { watch(kind, in: &group) }
            for await change in await informers.definitions.changes() {
                guard let kind = CollectedKind(definition: change.object) else { continue }
                if case .deleted = change { continue }
                if custom.insert(kind).inserted { watch(kind, in: &group) }
            }
            group.cancelAll()
        }
    }

    /// Follows the objects of a kind with the shared informer where there is one, else with one of its own.
    private func watch(_ kind: CollectedKind, in group: inout ThrowingDiscardingTaskGroup<any Error>) {
        let shared = informers.informer(kind.resource)
        let informer = shared ?? Informer(api: api, resource: kind.resource, clock: clock, logger: logger)
        if shared == nil { group.addTask { try await informer.run() } }
        group.addTask { for await change in await informer.changes() { await self.take(change, of: kind) } }
    }

    private func take(_ change: InformerChange, of kind: CollectedKind) async {
        let concerned = index.take(change, of: kind).filter { place in
            guard let object = index.objects[place] else { return false }
            return object.isTerminating || !OwnerIndex.owners(object).isEmpty
        }
        await queue?.enqueue(concerned)
    }

    private func settle(_ place: CollectedObject) async throws {
        guard var object = index.objects[place] else { return }
        var decision = try await decide(object)
        if decision == .keep { return }
        // The informer may be behind: what is done is decided by the object as it is.
        do { object = try await api.get(place.kind.resource, place.key) } catch let status as KubeStatus where status.isNotFound { return }
        decision = try await decide(object)
        switch decision {
        case .keep: return
        case .orphanDependents:
            for (dependent, _) in try await presentDependents(of: object) { try await dropOwners([object.uid], of: dependent) }
            try await removeFinalizer("orphan", of: place)
        case .deleteDependents: try await deleteDependents(of: place, object)
        case .delete(let foreground):
            logger.info("object has lost its owners", metadata: ["kind": "\(place.kind.kind)", "key": "\(place.key)"])
            try await delete(place, object, foreground: foreground)
        case .dropOwners(let lost): try await dropOwners(lost, of: place)
        }
    }

    private func decide(_ object: KubeObject) async throws -> GarbageDecision {
        var owners: [String: GarbageDecision.OwnerState] = [:]
        if !object.isTerminating {
            for reference in object.metadata["ownerReferences"].elements {
                guard let uid = reference["uid"].string else { continue }
                owners[uid] = try await state(of: reference, in: object.namespace)
            }
        }
        return GarbageDecision(object, owners: owners, hasDependents: !index.dependents(of: object).isEmpty)
    }

    /// Asks the API; a kind that is not known here is taken as present.
    private func state(of reference: JSONValue, in namespace: String?) async throws -> GarbageDecision.OwnerState {
        let group = GroupVersion(reference["apiVersion"].string ?? "").group
        let kinds = CollectedKind.builtIn + custom
        guard let kind = kinds.first(where: { $0.kind == reference["kind"].string && $0.resource.group == group }) else { return .present }
        let key = ObjectKey(namespace: kind.isNamespaced ? namespace : nil, name: reference["name"].string ?? "")
        do {
            let owner = try await api.get(kind.resource, key)
            guard owner.uid == reference["uid"].string else { return .gone }
            let waits = owner.isTerminating && owner.finalizers.contains("foregroundDeletion")
            return waits && reference["blockOwnerDeletion"].bool == true ? .waiting : .present
        } catch let status as KubeStatus where status.isNotFound {
            return .gone
        }
    }

    /// The dependents of an object as the API has them: before its finalizer goes, none may have been overlooked.
    private func presentDependents(of owner: KubeObject) async throws -> [(CollectedObject, KubeObject)] {
        var found: [(CollectedObject, KubeObject)] = []
        for kind in CollectedKind.builtIn + custom where kind.kind != "Event" && (kind.isNamespaced || owner.namespace == nil) {
            do {
                for object in try await api.list(kind.resource, ListQuery(namespace: owner.namespace)).items
                where OwnerIndex.owners(object).contains(owner.uid) {
                    found.append((CollectedObject(kind: kind, key: object.key), object))
                }
            } catch let status as KubeStatus where status.isNotFound {
                continue
            }
        }
        return found
    }

    private func deleteDependents(of place: CollectedObject, _ owner: KubeObject) async throws {
        var blocking = 0
        for (dependent, object) in try await presentDependents(of: owner) {
            let reference = object.metadata["ownerReferences"].elements.first { $0["uid"].string == owner.uid }
            if reference?["blockOwnerDeletion"].bool == true { blocking += 1 }
            if !object.isTerminating { await queue?.enqueue([dependent]) }
        }
        if blocking == 0 { try await removeFinalizer("foregroundDeletion", of: place) }
    }

    /// Deletes the very version that was decided on; a conflict leads to another look.
    private func delete(_ place: CollectedObject, _ object: KubeObject, foreground: Bool) async throws {
        let options: JSONValue = [
            "preconditions": ["uid": .string(object.uid), "resourceVersion": .string(object.resourceVersion)],
            "propagationPolicy": foreground ? "Foreground" : "Background",
        ]
        do { _ = try await api.delete(place.kind.resource, place.key, options: options) } catch let status as KubeStatus where status.isNotFound {}
    }

    private func dropOwners(_ uids: [String], of place: CollectedObject) async throws {
        try await change(place) { object in
            let left = object.metadata["ownerReferences"].elements.filter { !uids.contains($0["uid"].string ?? "") }
            object.metadata.setMember("ownerReferences", left.isEmpty ? nil : .array(left))
        }
    }

    private func removeFinalizer(_ finalizer: String, of place: CollectedObject) async throws {
        try await change(place) { $0.finalizers.removeAll { $0 == finalizer } }
    }

    /// Writes a change to the object as it is now; nothing where it is gone.
    private func change(_ place: CollectedObject, _ body: (inout KubeObject) -> Void) async throws {
        do {
            var object = try await api.get(place.kind.resource, place.key)
            let before = object
            body(&object)
            if object != before { _ = try await api.update(place.kind.resource, object) }
        } catch let status as KubeStatus where status.isNotFound {
            return
        }
    }
}

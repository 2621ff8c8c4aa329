import KubeClient
import KubeMachinery
import Primitives

/// An object as the garbage collector names it.
struct CollectedObject: Hashable, Sendable {
    var kind: CollectedKind
    var key: ObjectKey
}

/// Who depends on whom, as the informers have shown it.
struct OwnerIndex {
    private(set) var objects: [CollectedObject: KubeObject] = [:]
    private var dependents: [String: Set<CollectedObject>] = [:]
    private var places: [String: CollectedObject] = [:]

    /// The objects whose fate may have changed with this change.
    mutating func take(_ change: InformerChange, of kind: CollectedKind) -> [CollectedObject] {
        let object = change.object
        let place = CollectedObject(kind: kind, key: object.key)
        var concerned: [CollectedObject] = []
        let known = objects[place]
        if let old = known {
            for owner in Self.owners(old) { dependents[owner]?.remove(place) }
            // An owner that waits for its dependents looks again when one goes.
            concerned += Self.owners(old).compactMap { places[$0] }.filter { objects[$0]?.isTerminating == true }
        }
        if case .deleted = change {
            objects[place] = nil
            places[object.uid] = nil
            concerned += dependents[object.uid] ?? []
            return concerned
        }
        objects[place] = object
        places[object.uid] = place
        for owner in Self.owners(object) { dependents[owner, default: []].insert(place) }
        // Most updates are of the status and change nobody's fate.
        let references = object.metadata["ownerReferences"]
        if object.isTerminating || known?.uid != object.uid || known?.metadata["ownerReferences"] != references { concerned.append(place) }
        return concerned
    }

    /// Forgets all objects of a kind.
    mutating func drop(_ kind: CollectedKind) {
        for (place, object) in objects where place.kind == kind { _ = take(.deleted(object), of: kind) }
    }

    func dependents(of object: KubeObject) -> [CollectedObject] { Array(dependents[object.uid] ?? []) }

    static func owners(_ object: KubeObject) -> [String] { object.metadata["ownerReferences"].elements.compactMap(\.["uid"].string) }
}

/// What becomes of an object because of its owners, its dependents and its finalizers.
enum GarbageDecision: Equatable {
    case keep
    /// Its dependents lose the reference to it, then it goes.
    case orphanDependents
    /// Its dependents are deleted, then it goes.
    case deleteDependents
    /// None of its owners is left; `foreground` where an owner waits for it and it has dependents of its own.
    case delete(foreground: Bool)
    /// Some owners are left: the references to these others go.
    case dropOwners([String])

    enum OwnerState { case present, gone, waiting }

    init(_ object: KubeObject, owners: [String: OwnerState], hasDependents: Bool) {
        if object.isTerminating {
            if object.finalizers.contains("orphan") {
                self = .orphanDependents
            } else if object.finalizers.contains("foregroundDeletion") {
                self = .deleteDependents
            } else {
                self = .keep
            }
            return
        }
        let lost = owners.filter { $0.value != .present }.map(\.key).sorted()
        if owners.isEmpty || lost.isEmpty {
            self = .keep
        } else if lost.count < owners.count {
            self = .dropOwners(lost)
        } else {
            self = .delete(foreground: hasDependents && owners.values.contains(.waiting))
        }
    }
}

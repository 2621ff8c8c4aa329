package import KubeMachinery

/// What happened to one object of an informer's collection.
package enum InformerChange: Sendable {
    case added(KubeObject)
    case updated(old: KubeObject, new: KubeObject)
    /// The last content that was seen; after a list that no longer held the object it may be older than its true last one.
    case deleted(KubeObject)

    /// The object as it is now, or as it was last.
    package var object: KubeObject {
        switch self {
        case .added(let object), .updated(_, let object), .deleted(let object): object
        }
    }
}

/// The objects an informer has seen: lists and watch events go in, changes come out.
///
/// An object that comes back under its key with another uid is a deletion and an addition, never an update.
/// `managedFields` are left out: nobody in the house reads them, and they are a good part of an object's size.
struct InformerCache {
    private(set) var objects: [ObjectKey: KubeObject] = [:]

    /// Takes a whole, successful list: what it does not hold is gone.
    mutating func replace(with items: [KubeObject]) -> [InformerChange] {
        var changes: [InformerChange] = []
        var rest = objects
        for item in items {
            rest[item.key] = nil
            changes += store(item)
        }
        for (key, last) in rest.sorted(by: { $0.key < $1.key }) {
            objects[key] = nil
            changes.append(.deleted(last))
        }
        return changes
    }

    mutating func apply(_ event: WatchEvent) -> [InformerChange] {
        switch event {
        case .added(let object), .modified(let object):
            return store(object)
        case .deleted(let object):
            guard objects.removeValue(forKey: object.key) != nil else { return [] }
            return [.deleted(Self.lean(object))]
        case .bookmark:
            return []
        }
    }

    private mutating func store(_ object: KubeObject) -> [InformerChange] {
        let new = Self.lean(object)
        guard let old = objects.updateValue(new, forKey: new.key) else { return [.added(new)] }
        if old.uid != new.uid { return [.deleted(old), .added(new)] }
        if old.resourceVersion == new.resourceVersion, !new.resourceVersion.isEmpty { return [] }
        return [.updated(old: old, new: new)]
    }

    private static func lean(_ object: KubeObject) -> KubeObject {
        guard object.metadata.member("managedFields") != nil else { return object }
        var lean = object
        lean.metadata.removeMember("managedFields")
        return lean
    }
}

package import KubeMachinery
package import Primitives

/// A configMap or secret that a pod refers to, in the pod's namespace.
package struct ObjectReference: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The kinds that a pod may refer to by name.
    package enum Kind: String, Sendable, Comparable {
        case configMap = "configmap"
        case secret = "secret"
        package static func < (left: Kind, right: Kind) -> Bool { left.rawValue < right.rawValue }
    }

    package var kind: Kind
    package var name: String

    package init(_ kind: Kind, _ name: String) {
        self.kind = kind
        self.name = name
    }

    package var description: String { "\(kind.rawValue) \"\(name)\"" }
    package static func < (left: ObjectReference, right: ObjectReference) -> Bool { (left.kind, left.name) < (right.kind, right.name) }
}

/// The configMaps and secrets of a pod as the backend answered for them.
///
/// What is not in here does not exist. Where nobody could tell, the caller does not come this far: it retries.
package struct PodObjects: Sendable, Hashable {
    private var objects: [ObjectReference: KubeObject] = [:]

    package init() {}

    package subscript(reference: ObjectReference) -> KubeObject? {
        get { objects[reference] }
        set { objects[reference] = newValue }
    }

    /// All keys of an object with their bytes; nil where the object does not exist.
    func entries(_ reference: ObjectReference) -> [String: [UInt8]]? {
        guard let object = objects[reference] else { return nil }
        var entries: [String: [UInt8]] = [:]
        switch reference.kind {
        case .configMap:
            for (key, value) in object.json["data"].stringMap { entries[key] = Array(value.utf8) }
            for (key, value) in object.json["binaryData"].stringMap { entries[key] = Base64.decode(value) ?? [] }
        case .secret:
            for (key, value) in object.json["data"].stringMap { entries[key] = Base64.decode(value) ?? [] }
            for (key, value) in object.json["stringData"].stringMap { entries[key] = Array(value.utf8) }
        }
        return entries
    }
}

extension PodView {
    /// What the environment of a container is made from.
    package func environmentObjects(_ container: ContainerView) -> Set<ObjectReference> {
        var references: Set<ObjectReference> = []
        for source in container.json["envFrom"].elements {
            if let name = source["configMapRef"]["name"].string { references.insert(ObjectReference(.configMap, name)) }
            if let name = source["secretRef"]["name"].string { references.insert(ObjectReference(.secret, name)) }
        }
        for variable in container.json["env"].elements {
            let source = variable["valueFrom"]
            if let name = source["configMapKeyRef"]["name"].string { references.insert(ObjectReference(.configMap, name)) }
            if let name = source["secretKeyRef"]["name"].string { references.insert(ObjectReference(.secret, name)) }
        }
        return references
    }

    /// What the files of a volume are made from.
    package func volumeObjects(_ volume: JSONValue) -> Set<ObjectReference> {
        var references: Set<ObjectReference> = []
        if let name = volume["configMap"]["name"].string { references.insert(ObjectReference(.configMap, name)) }
        if let name = volume["secret"]["secretName"].string { references.insert(ObjectReference(.secret, name)) }
        for source in volume["projected"]["sources"].elements {
            if let name = source["configMap"]["name"].string { references.insert(ObjectReference(.configMap, name)) }
            if let name = source["secret"]["name"].string { references.insert(ObjectReference(.secret, name)) }
        }
        return references
    }

    package var volumes: [JSONValue] { spec["volumes"].elements }
    package var imagePullSecrets: [String] { spec["imagePullSecrets"].elements.compactMap { $0["name"].string } }

    /// Everything that a change of configMaps and secrets may concern.
    package var allObjects: Set<ObjectReference> {
        var references = Set(imagePullSecrets.map { ObjectReference(.secret, $0) })
        for container in allContainers { references.formUnion(environmentObjects(container)) }
        for volume in volumes { references.formUnion(volumeObjects(volume)) }
        return references
    }
}

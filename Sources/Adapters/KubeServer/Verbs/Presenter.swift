import KubeMachinery
import KubeResources
import Primitives

/// Turns stored objects into what a client asked to see: themselves, a table, or metadata alone.
struct Presenter: Sendable {
    let definition: ResourceDefinition
    let apiVersion: String
    let representation: Representation
    /// What each row of a table carries.
    let includeObject: KubeTable.IncludedObject
    /// Rows show ages as of the moment they are made: a watch lasts.
    let clock: any MomentSource

    func one(_ object: KubeObject) -> JSONValue {
        switch representation {
        case .table: table([object], metadata: ["resourceVersion": .string(object.resourceVersion)])
        case .metadata: partial(object.json)
        default: versioned(object.json)
        }
    }

    func list(_ objects: [KubeObject], metadata: JSONValue) -> JSONValue {
        switch representation {
        case .table: return table(objects, metadata: metadata)
        case .metadata:
            return [
                "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
                "items": .array(objects.map { partial($0.json) }),
            ]
        default:
            return [
                "kind": .string(definition.listKind), "apiVersion": .string(apiVersion), "metadata": metadata,
                "items": .array(objects.map { versioned($0.json) }),
            ]
        }
    }

    /// An object as it stands in a watch line; a table has its columns in the first line only, as clients expect them.
    func watched(_ object: KubeObject, isFirst: Bool) -> JSONValue {
        guard representation == .table else { return one(object) }
        return table([object], metadata: ["resourceVersion": .string(object.resourceVersion)], withColumns: isFirst)
    }

    func bookmark(_ revision: UInt64) -> JSONValue {
        let metadata: JSONValue = ["resourceVersion": .string(String(revision)), "creationTimestamp": nil]
        switch representation {
        case .table:
            return [
                "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": ["resourceVersion": .string(String(revision))], "columnDefinitions": [],
                "rows": [],
            ]
        case .metadata: return ["kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata]
        default: return ["kind": .string(definition.kind), "apiVersion": .string(apiVersion), "metadata": metadata]
        }
    }

    private func table(_ objects: [KubeObject], metadata: JSONValue, withColumns: Bool = true) -> JSONValue {
        let shown = includeObject == .object ? objects.map { KubeObject(versioned($0.json)) } : objects
        return KubeTable.json(
            shown, layout: definition.layout, now: clock.now().wall, include: includeObject, metadata: metadata, withColumns: withColumns)
    }

    private func partial(_ json: JSONValue) -> JSONValue {
        ["kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": json["metadata"]]
    }

    /// The object under the version of the request: of several served versions one is stored.
    private func versioned(_ json: JSONValue) -> JSONValue {
        guard json["apiVersion"].string != apiVersion || json["kind"].string != definition.kind else { return json }
        var json = json
        json["apiVersion"] = .string(apiVersion)
        json["kind"] = .string(definition.kind)
        return json
    }
}

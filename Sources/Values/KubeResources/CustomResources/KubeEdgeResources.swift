package import KubeMachinery
import Primitives

/// The custom resources of KubeEdge, from one compact table.
package enum KubeEdgeResources {
    /// The CustomResourceDefinitions to install in a cluster (`spec/02 §5.9`).
    package static let customResourceDefinitions: [KubeObject] = [
        definition(Resources.objectSyncs, kind: "ObjectSync", isNamespaced: true),
        definition(Resources.clusterObjectSyncs, kind: "ClusterObjectSync", isNamespaced: false),
    ]

    /// The same as resources of a server, as if established.
    package static let resources: [ResourceDefinition] = customResourceDefinitions.flatMap { object in
        var established = object
        established.status = CustomResources.establishedStatus(of: object, others: [], now: Timestamp(seconds: 0))
        return CustomResources.resources(of: established)
    }

    static let table = SchemaTable([
        """
        @io.kubeedge.reliablesyncs.v1alpha1
        ObjectSync -- The version of an object that an edge node has acknowledged.
          spec ObjectSyncSpec
          status ObjectSyncStatus
        ClusterObjectSync -- The version of a cluster-wide object that an edge node has acknowledged.
          spec ObjectSyncSpec
          status ObjectSyncStatus
        ObjectSyncSpec -- Which object.
          objectAPIVersion string -- The API version of the object.
          objectKind string -- The kind of the object.
          objectName string -- The name of the object.
        ObjectSyncStatus -- What the edge has.
          objectResourceVersion string -- The resourceVersion that was acknowledged last.
        """
    ])

    private static func definition(_ resource: GroupVersionResource, kind: String, isNamespaced: Bool) -> KubeObject {
        var object = KubeObject(
            apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition", name: "\(resource.resource).\(resource.group)")
        var schema = table.structuralSchema(kind)
        schema["properties"]["apiVersion"] = ["type": "string"]
        schema["properties"]["kind"] = ["type": "string"]
        schema["properties"]["metadata"] = ["type": "object"]
        object.spec = [
            "group": .string(resource.group),
            "names": [
                "plural": .string(resource.resource), "singular": .string(kind.lowercased()), "kind": .string(kind),
                "listKind": .string(kind + "List"),
            ],
            "scope": isNamespaced ? "Namespaced" : "Cluster",
            "versions": [
                [
                    "name": .string(resource.version), "served": true, "storage": true, "subresources": ["status": [:]],
                    "schema": ["openAPIV3Schema": schema],
                ]
            ],
        ]
        return object
    }
}

extension SchemaTable {
    /// The `openAPIV3Schema` of a type, with all types it uses written out in place.
    func structuralSchema(_ name: String) -> JSONValue { schema(.named(name), details: "") }

    private func schema(_ type: FieldType, details: String) -> JSONValue {
        var schema: JSONValue
        switch type {
        case .string, .bytes: schema = ["type": "string"]
        case .integer: schema = ["type": "integer", "format": "int64"]
        case .number: schema = ["type": "number"]
        case .boolean: schema = ["type": "boolean"]
        case .time, .microTime: schema = ["type": "string", "format": "date-time"]
        case .quantity, .integerOrString: schema = ["x-kubernetes-int-or-string": true]
        case .any: schema = ["x-kubernetes-preserve-unknown-fields": true]
        case .list(let element): schema = ["type": "array", "items": self.schema(element, details: "")]
        case .map(let element): schema = ["type": "object", "additionalProperties": self.schema(element, details: "")]
        case .named(let name):
            schema = ["type": "object"]
            guard let type = types[name] else { break }
            if details.isEmpty, !type.details.isEmpty { schema["description"] = .string(type.details) }
            for field in type.fields { schema["properties"][field.name] = self.schema(field.type, details: field.details) }
            let required = type.fields.filter(\.isRequired).map(\.name)
            if !required.isEmpty { schema["required"] = JSONValue(required) }
        }
        if !details.isEmpty { schema["description"] = .string(details) }
        return schema
    }
}

import KubeMachinery
import Primitives

/// Collects the schemas that a document needs, from the schema table and from custom resources.
struct OpenAPISchemas {
    enum Style { case v2, v3 }

    private let prefix: String
    private let style: Style
    private let table = BuiltInSchemas.table
    private var schemas = JSONObject()
    /// Kinds that have to be marked on a type: qualified name → group, version, kind.
    private var kinds: [String: [JSONValue]] = [:]

    init(prefix: String, style: Style) {
        self.prefix = prefix
        self.style = style
    }

    /// Adds the kind of a resource, its list, and everything they refer to.
    mutating func add(_ definition: ResourceDefinition) {
        _ = reference(definition, kind: definition.kind)
        if definition.verbs.contains("list") { _ = reference(definition, kind: definition.listKind) }
        for part in definition.subresources {
            guard let kind = part.kind, let type = table.types[kind.kind] else { continue }
            need(type.name)
            mark(type.qualifiedName, kind.groupVersion, kind.kind)
        }
        if definition.verbs.contains("delete") {
            need("DeleteOptions")
            need("Status")
        }
    }

    func finished() -> JSONObject {
        var result = schemas
        for (name, marks) in kinds { result[name]?["x-kubernetes-group-version-kind"] = .array(marks) }
        result.sort { $0.key < $1.key }
        return result
    }

    /// A reference to the kind of a resource or to its list.
    mutating func reference(_ definition: ResourceDefinition, kind: String) -> JSONValue {
        let groupVersion = definition.resource.groupVersion
        let name: String
        if kind == definition.listKind {
            let item = reference(definition, kind: definition.kind)
            name = qualifiedName(definition) + "List"
            if schemas[name] == nil {
                schemas[name] = list(definition, item: item)
                mark(name, groupVersion, kind)
            }
        } else {
            name = qualifiedName(definition)
            if schemas[name] == nil {
                if let custom = definition.structuralSchema { addCustom(name, custom) } else { need(definition.kind) }
                mark(name, groupVersion, kind)
            }
        }
        return ["$ref": .string(prefix + name)]
    }

    private mutating func mark(_ name: String, _ groupVersion: GroupVersion, _ kind: String) {
        let mark: JSONValue = ["group": .string(groupVersion.group), "version": .string(groupVersion.version), "kind": .string(kind)]
        if kinds[name]?.contains(mark) != true { kinds[name, default: []].append(mark) }
    }

    private func qualifiedName(_ definition: ResourceDefinition) -> String {
        if definition.structuralSchema == nil, let type = table.types[definition.kind] { return type.qualifiedName }
        let reversed = definition.resource.group.split(separator: ".").reversed().joined(separator: ".")
        return "\(reversed).\(definition.resource.version).\(definition.kind)"
    }

    private mutating func list(_ definition: ResourceDefinition, item: JSONValue) -> JSONValue {
        need("ListMeta")
        return [
            "description": .string("A list of \(definition.kind)."), "type": "object", "required": ["items"],
            "properties": [
                "apiVersion": ["type": "string"], "kind": ["type": "string"],
                "metadata": wrapped("io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta", details: ""),
                "items": ["type": "array", "items": item],
            ],
        ]
    }

    private mutating func addCustom(_ name: String, _ custom: StructuralSchema) {
        need("ObjectMeta")
        var schema = custom.json
        if schema["type"].isNull { schema["type"] = "object" }
        schema["properties"]["apiVersion"] = ["type": "string", "description": "The version of the schema that this object is written in."]
        schema["properties"]["kind"] = ["type": "string", "description": "The type that this object represents."]
        schema["properties"]["metadata"] = wrapped(
            "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", details: "Standard metadata of the object.")
        schemas[name] = schema
    }

    /// Adds a type of the table and, through its fields, all others it uses.
    private mutating func need(_ name: String) {
        guard let type = table.types[name], schemas[type.qualifiedName] == nil else { return }
        schemas[type.qualifiedName] = .null
        var properties = JSONObject()
        for field in type.fields { properties[field.name] = property(field) }
        var schema: JSONValue = [:]
        if !type.details.isEmpty { schema["description"] = .string(type.details) }
        schema["type"] = "object"
        let required = type.fields.filter(\.isRequired).map(\.name)
        if !required.isEmpty { schema["required"] = JSONValue(required) }
        schema["properties"] = .object(properties)
        schemas[type.qualifiedName] = schema
    }

    private mutating func property(_ field: FieldSchema) -> JSONValue {
        var schema = self.schema(field.type, details: field.details)
        var strategies: [String] = []
        if case .merge(let key) = field.mergeRule {
            strategies.append("merge")
            if !key.isEmpty { schema["x-kubernetes-patch-merge-key"] = .string(key) }
        }
        if field.retainsKeys { strategies.append("retainKeys") }
        if !strategies.isEmpty { schema["x-kubernetes-patch-strategy"] = .string(strategies.joined(separator: ",")) }
        return schema
    }

    private mutating func schema(_ type: FieldType, details: String) -> JSONValue {
        var schema: JSONValue
        switch type {
        case .string: schema = ["type": "string"]
        case .integer: schema = ["type": "integer", "format": "int64"]
        case .number: schema = ["type": "number", "format": "double"]
        case .boolean: schema = ["type": "boolean"]
        case .bytes: schema = ["type": "string", "format": "byte"]
        case .any: schema = [:]
        case .time: return named("io.k8s.apimachinery.pkg.apis.meta.v1.Time", ["type": "string", "format": "date-time"], details)
        case .microTime: return named("io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime", ["type": "string", "format": "date-time"], details)
        case .quantity:
            let form: JSONValue = style == .v3 ? ["oneOf": [["type": "string"], ["type": "number"]]] : ["type": "string"]
            return named("io.k8s.apimachinery.pkg.api.resource.Quantity", form, details)
        case .integerOrString:
            let form: JSONValue =
                style == .v3
                ? ["format": "int-or-string", "oneOf": [["type": "integer"], ["type": "string"]]]
                : ["type": "string", "format": "int-or-string"]
            return named("io.k8s.apimachinery.pkg.util.intstr.IntOrString", form, details)
        case .list(let element): schema = ["type": "array", "items": self.schema(element, details: "")]
        case .map(let element): schema = ["type": "object", "additionalProperties": self.schema(element, details: "")]
        case .named(let name):
            need(name)
            return wrapped(table.types[name]?.qualifiedName ?? name, details: details)
        }
        if !details.isEmpty { schema["description"] = .string(details) }
        return schema
    }

    private mutating func named(_ name: String, _ form: JSONValue, _ details: String) -> JSONValue {
        schemas[name] = form
        return wrapped(name, details: details)
    }

    /// A reference with a description beside it, in the form that each version of OpenAPI allows.
    private func wrapped(_ name: String, details: String) -> JSONValue {
        let reference: JSONValue = ["$ref": .string(prefix + name)]
        guard style == .v3 else {
            var schema = reference
            if !details.isEmpty { schema["description"] = .string(details) }
            return schema
        }
        var schema: JSONValue = [:]
        if !details.isEmpty { schema["description"] = .string(details) }
        schema["allOf"] = [reference]
        return schema
    }
}

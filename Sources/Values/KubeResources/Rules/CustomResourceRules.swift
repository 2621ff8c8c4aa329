import KubeMachinery
import Primitives

enum CustomResourceRules {
    static let definition: ResourceRules = {
        var rules = ResourceRules()
        rules.countsGenerations = true
        rules.applyDefaults = { definition in
            guard definition.spec.object != nil else { return }
            let kind = definition.spec["names"]["kind"].string ?? ""
            definition.spec["names"].setDefault("singular", .string(kind.lowercased()))
            definition.spec["names"].setDefault("listKind", .string(kind + "List"))
            definition.spec["conversion"].setDefault("strategy", "None")
        }
        rules.prepareForCreate = { definition in
            let storage = definition.spec["versions"].elements.first { $0["storage"].bool == true }?["name"].string
            definition.status = [
                "conditions": [], "acceptedNames": ["plural": "", "kind": ""], "storedVersions": JSONValue(storage.map { [$0] } ?? []),
            ]
        }
        rules.validate = check
        rules.validateUpdate = { new, old in
            var errors = FieldErrors()
            for field in ["group", "scope"] where new.spec[field] != old.spec[field] {
                errors.invalid("spec.\(field)", new.spec[field], "field is immutable")
            }
            if new.spec["names"]["plural"] != old.spec["names"]["plural"] {
                errors.invalid("spec.names.plural", new.spec["names"]["plural"], "field is immutable")
            }
            return errors
        }
        return rules
    }()

    private static func check(_ definition: KubeObject) -> FieldErrors {
        var errors = FieldErrors()
        let spec = definition.spec
        let names = spec["names"]
        let group = spec["group"].string ?? ""
        let plural = names["plural"].string ?? ""
        if definition.name != "\(plural).\(group)" {
            errors.invalid("metadata.name", .string(definition.name), "must be spec.names.plural+\".\"+spec.group")
        }
        if group.isEmpty {
            errors.required("spec.group")
        } else {
            errors.check(.dnsSubdomain, "spec.group", group)
            if !group.contains(".") { errors.invalid("spec.group", .string(group), "should be a domain with at least one dot") }
        }
        if !["Cluster", "Namespaced"].contains(spec["scope"].string) {
            errors.notSupported("spec.scope", .string(spec["scope"].string ?? ""), ["Cluster", "Namespaced"])
        }
        for field in ["plural", "singular", "kind", "listKind"] {
            let name = names[field].string ?? ""
            if name.isEmpty { errors.required("spec.names.\(field)") } else { errors.check(.dnsLabel1035, "spec.names.\(field)", name.lowercased()) }
        }
        if let kind = names["kind"].string, kind == names["listKind"].string {
            errors.invalid("spec.names.listKind", .string(kind), "kind and listKind may not be the same")
        }
        checkVersions(spec["versions"].elements, &errors)
        return errors
    }

    private static func checkVersions(_ versions: [JSONValue], _ errors: inout FieldErrors) {
        if versions.isEmpty { return errors.required("spec.versions", "must have at least one version") }
        if versions.count(where: { $0["storage"].bool == true }) != 1 {
            errors.invalid("spec.versions", .array(versions.map { $0["name"] }), "must have exactly one version marked as storage version")
        }
        var seen: Set<String> = []
        for (index, version) in versions.enumerated() {
            let place = "spec.versions[\(index)]"
            let name = version["name"].string ?? ""
            errors.check(.dnsLabel1035, "\(place).name", name)
            if !seen.insert(name).inserted { errors.invalid("spec.versions", .string(name), "must contain unique version names") }
            for (number, column) in version["additionalPrinterColumns"].elements.enumerated() {
                if JSONPath(column["jsonPath"].string ?? "") == nil {
                    errors.invalid("\(place).additionalPrinterColumns[\(number)].jsonPath", column["jsonPath"], "is not a JSON path that can be read")
                }
            }
            let path = "\(place).schema.openAPIV3Schema"
            let schema = version["schema"]["openAPIV3Schema"]
            guard schema.object != nil else {
                errors.required(path, "schemas are required")
                continue
            }
            if schema["type"].string != "object" {
                errors.invalid("\(path).type", .string(schema["type"].string ?? ""), "must be object at the root")
            }
            checkSchema(schema, path: path, depth: 0, &errors)
        }
    }

    private static let types = ["array", "boolean", "integer", "number", "object", "string"]

    private static func checkSchema(_ schema: JSONValue, path: String, depth: Int, _ errors: inout FieldErrors) {
        guard depth < 100 else { return errors.forbidden(path, "the schema is nested too deeply") }
        let type = schema["type"].string ?? ""
        let isOpen = schema["x-kubernetes-preserve-unknown-fields"].bool == true || schema["x-kubernetes-int-or-string"].bool == true
        if type.isEmpty {
            if !isOpen { errors.required("\(path).type", "must not be empty for specified object fields") }
        } else if !types.contains(type) {
            errors.notSupported("\(path).type", .string(type), types)
        }
        if !schema["$ref"].isNull { errors.forbidden("\(path).$ref", "$ref is not supported") }
        if schema["uniqueItems"].bool == true {
            errors.forbidden("\(path).uniqueItems", "uniqueItems cannot be set to true since the runtime complexity becomes quadratic")
        }
        if schema["properties"].object != nil, schema["additionalProperties"].object != nil {
            errors.forbidden("\(path).additionalProperties", "additionalProperties and properties are mutual exclusive")
        }
        if type == "array", schema["items"].object == nil { errors.required("\(path).items", "must be specified") }
        if let pattern = schema["pattern"].string, !TextPattern.isReadable(pattern) {
            errors.invalid("\(path).pattern", .string(pattern), "must be a valid regular expression, but isn't")
        }
        for (name, property) in schema["properties"].members {
            // Metadata may be restricted without a type.
            if depth == 0, StructuralSchema.objectMembers.contains(name) { continue }
            checkSchema(property, path: "\(path).properties[\(name)]", depth: depth + 1, &errors)
        }
        for field in ["items", "additionalProperties"] where schema[field].object != nil {
            checkSchema(schema[field], path: "\(path).\(field)", depth: depth + 1, &errors)
        }
    }
}

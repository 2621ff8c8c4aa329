package import Primitives

/// The schema of a custom resource, an `openAPIV3Schema` object.
package struct StructuralSchema: Sendable, Hashable {
    package var json: JSONValue

    package init(_ json: JSONValue) { self.json = json }

    /// Members that every object has, whatever its schema says.
    static let objectMembers: Set<String> = ["apiVersion", "kind", "metadata"]
}

extension StructuralSchema {
    /// The object without what the schema does not know, and the paths of what was left out (`spec.foo`).
    package func pruned(_ object: JSONValue) -> (object: JSONValue, unknownFields: [String]) {
        var unknown: [String] = []
        let result = Self.prune(object, json, path: "", isObjectRoot: true, &unknown)
        return (result, unknown)
    }

    private static func prune(
        _ value: JSONValue, _ schema: JSONValue, path: String, isObjectRoot: Bool, _ unknown: inout [String]
    ) -> JSONValue {
        switch value {
        case .object(let members):
            let properties = schema["properties"]
            let others = schema["additionalProperties"]
            let keepsUnknown = schema["x-kubernetes-preserve-unknown-fields"].bool == true
            var result = JSONObject()
            for (key, item) in members {
                let place = path.isEmpty ? key : "\(path).\(key)"
                if isObjectRoot, objectMembers.contains(key) {
                    result[key] = item
                } else if let known = properties.member(key) {
                    let isEmbedded = known["x-kubernetes-embedded-resource"].bool == true
                    result[key] = prune(item, known, path: place, isObjectRoot: isEmbedded, &unknown)
                } else if others.object != nil {
                    result[key] = prune(item, others, path: place, isObjectRoot: false, &unknown)
                } else if others.bool == true || keepsUnknown {
                    result[key] = item
                } else {
                    unknown.append(place)
                }
            }
            return .object(result)
        case .array(let elements):
            guard schema["items"].object != nil else { return value }
            let isEmbedded = schema["items"]["x-kubernetes-embedded-resource"].bool == true
            var result: [JSONValue] = []
            for (index, element) in elements.enumerated() {
                result.append(prune(element, schema["items"], path: "\(path)[\(index)]", isObjectRoot: isEmbedded, &unknown))
            }
            return .array(result)
        default: return value
        }
    }

    /// The object with the schema's defaults where a member is absent, or null where null is not allowed.
    package func defaulted(_ object: JSONValue) -> JSONValue { Self.fill(object, json) }

    private static func fill(_ value: JSONValue, _ schema: JSONValue) -> JSONValue {
        switch value {
        case .object(var members):
            let properties = schema["properties"].members
            for (key, property) in properties {
                let isAbsent = members[key] == nil || (members[key]?.isNull ?? true) && property["nullable"].bool != true
                if isAbsent, let given = property.member("default") { members[key] = given }
                if let item = members[key] { members[key] = fill(item, property) }
            }
            if schema["additionalProperties"].object != nil {
                for (key, item) in members where properties[key] == nil { members[key] = fill(item, schema["additionalProperties"]) }
            }
            return .object(members)
        case .array(let elements): return schema["items"].object == nil ? value : .array(elements.map { fill($0, schema["items"]) })
        default: return value
        }
    }
}

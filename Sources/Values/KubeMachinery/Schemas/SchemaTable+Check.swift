package import Primitives

extension SchemaTable {
    /// What a document has that its type does not know, and values of the wrong type.
    package struct Findings: Sendable, Hashable {
        /// `unknown field "spec.containers[0].imagee"`: a warning, or a refusal under `fieldValidation=Strict`.
        package var unknownFields: [String] = []
        /// The first value of a wrong type; such a document is always refused.
        package var wrongType: String?
    }

    /// Compares a document with the type of its kind.
    package func findings(in document: JSONValue, type name: String) -> Findings {
        var findings = Findings()
        check(document, .named(name), path: "", owner: name, &findings)
        return findings
    }

    private func check(_ value: JSONValue, _ type: FieldType, path: String, owner: String, _ findings: inout Findings) {
        if value.isNull { return }
        func refuse(_ wanted: String) {
            guard findings.wrongType == nil else { return }
            findings.wrongType = "json: cannot unmarshal \(Self.word(value)) into Go struct field \(owner).\(path) of type \(wanted)"
        }
        switch type {
        case .any: return
        case .string, .bytes: if value.string == nil { refuse("string") }
        case .integer: if value.int == nil { refuse("int32") }
        case .number: if value.double == nil { refuse("float64") }
        case .boolean: if value.bool == nil { refuse("bool") }
        case .time, .microTime:
            guard let text = value.string else { return refuse("string") }
            if Timestamp(rfc3339: text) == nil, findings.wrongType == nil {
                findings.wrongType = "parsing time \"\(text)\" as \"2006-01-02T15:04:05Z07:00\": cannot parse it as a time"
            }
        case .quantity:
            guard let text = value.string ?? (value.double == nil ? nil : value.text()) else { return refuse("string") }
            if Quantity(text) == nil, findings.wrongType == nil {
                findings.wrongType =
                    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$' (\(path): \"\(text)\")"
            }
        case .integerOrString: if value.string == nil, value.int == nil { refuse("intstr.IntOrString") }
        case .list(let element):
            guard let elements = value.array else { return refuse("[]\(Self.goName(element))") }
            for (index, item) in elements.enumerated() { check(item, element, path: "\(path)[\(index)]", owner: owner, &findings) }
        case .map(let element):
            guard let members = value.object else { return refuse("map[string]\(Self.goName(element))") }
            for (key, item) in members { check(item, element, path: "\(path).\(key)", owner: owner, &findings) }
        case .named(let name):
            guard let type = types[name] else { return }
            guard let members = value.object else { return refuse(name) }
            for (key, item) in members {
                let place = path.isEmpty ? key : "\(path).\(key)"
                if let field = type.field(key) {
                    check(item, field.type, path: place, owner: name, &findings)
                } else {
                    findings.unknownFields.append("unknown field \"\(place)\"")
                }
            }
        }
    }

    private static func word(_ value: JSONValue) -> String {
        switch value {
        case .null: "null"
        case .bool: "bool"
        case .integer, .decimal: "number"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }

    private static func goName(_ type: FieldType) -> String {
        switch type {
        case .named(let name): name
        case .integer: "int32"
        case .boolean: "bool"
        case .list(let element): "[]\(goName(element))"
        case .map(let element): "map[string]\(goName(element))"
        default: "string"
        }
    }
}

extension SchemaTable {
    /// The document without what its type does not know, as the API stores it; members of untyped maps and `any` stay.
    package func pruned(_ document: JSONValue, type name: String) -> JSONValue { pruned(document, .named(name)) }

    private func pruned(_ value: JSONValue, _ type: FieldType) -> JSONValue {
        switch (type, value) {
        case (.list(let element), .array(let elements)): return .array(elements.map { pruned($0, element) })
        case (.map(let element), .object(let members)): return .object(members.mapValues { pruned($0, element) })
        case (.named(let name), .object(let members)):
            guard let type = types[name] else { return value }
            var result = JSONObject()
            for (key, item) in members {
                if let field = type.field(key), !item.isNull || key == "creationTimestamp" { result[key] = pruned(item, field.type) }
            }
            return .object(result)
        default: return value
        }
    }
}

package import KubeMachinery
package import Primitives

extension StructuralSchema {
    /// Everything in an object that breaks the schema, worded as the API words it. Metadata is not looked at.
    package func check(_ object: JSONValue) -> FieldErrors {
        var errors = FieldErrors()
        var content = object
        for member in Self.objectMembers { content.removeMember(member) }
        var schema = json
        for member in Self.objectMembers { schema["properties"].removeMember(member) }
        if let required = schema["required"].array {
            schema["required"] = .array(required.filter { !Self.objectMembers.contains($0.string ?? "") })
        }
        SchemaCheck.check(content, schema, path: "", &errors)
        return errors
    }
}

/// One level of a schema against one value.
enum SchemaCheck {
    static func check(_ value: JSONValue, _ schema: JSONValue, path: String, _ errors: inout FieldErrors) {
        if value.isNull, schema["nullable"].bool == true { return }
        guard checkType(value, schema, path: path, &errors) else { return }
        if let allowed = schema["enum"].array, !allowed.contains(value) {
            errors.notSupported(path, value, allowed.map { $0.string ?? $0.text() })
        }
        switch value {
        case .string(let text): checkText(text, schema, path: path, &errors)
        case .integer, .decimal: checkNumber(value, schema, path: path, &errors)
        case .array(let elements): checkList(elements, schema, path: path, &errors)
        case .object(let members): checkObject(members, schema, path: path, &errors)
        case .null, .bool: break
        }
        checkCombinations(value, schema, path: path, &errors)
    }

    private static func typeName(_ value: JSONValue) -> String {
        switch value {
        case .null: "null"
        case .bool: "boolean"
        case .integer: "integer"
        case .decimal: "number"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }

    private static func checkType(_ value: JSONValue, _ schema: JSONValue, path: String, _ errors: inout FieldErrors) -> Bool {
        if schema["x-kubernetes-int-or-string"].bool == true {
            if value.string != nil || value.int != nil { return true }
            errors.typeInvalid(path, .string(typeName(value)), "\(path) in body must be of type integer,string: \"\(typeName(value))\"")
            return false
        }
        guard let wanted = schema["type"].string, !wanted.isEmpty else { return true }
        let fits =
            switch wanted {
            case "integer": value.int != nil
            case "number": value.double != nil
            default: typeName(value) == wanted
            }
        if !fits {
            let found = typeName(value)
            errors.typeInvalid(path, .string(found), "\(path) in body must be of type \(wanted): \"\(found)\"")
        }
        return fits
    }

    private static func checkText(_ text: String, _ schema: JSONValue, path: String, _ errors: inout FieldErrors) {
        let length = Int64(text.unicodeScalars.count)
        if let limit = schema["maxLength"].int, length > limit { errors.tooLong(path, characters: limit) }
        if let limit = schema["minLength"].int, length < limit {
            errors.invalid(path, .string(text), "\(path) in body should be at least \(limit) chars long")
        }
        if let pattern = schema["pattern"].string, !pattern.isEmpty, !TextPattern.matches(pattern, text) {
            errors.invalid(path, .string(text), "\(path) in body should match '\(pattern)'")
        }
        if schema["format"].string == "date-time", Timestamp(rfc3339: text) == nil {
            errors.invalid(path, .string(text), "\(path) in body must be of type date-time: \"\(text)\"")
        }
        if schema["format"].string == "byte", Base64.decode(text) == nil {
            errors.invalid(path, .string(text), "\(path) in body must be of type byte: \"\(text)\"")
        }
    }

    private static func checkNumber(_ value: JSONValue, _ schema: JSONValue, path: String, _ errors: inout FieldErrors) {
        guard let number = value.double else { return }
        if let limit = schema["minimum"].double {
            let isExclusive = schema["exclusiveMinimum"].bool == true
            if isExclusive ? number <= limit : number < limit {
                let words = isExclusive ? "should be greater than" : "should be greater than or equal to"
                errors.invalid(path, value, "\(path) in body \(words) \(schema["minimum"].text())")
            }
        }
        if let limit = schema["maximum"].double {
            let isExclusive = schema["exclusiveMaximum"].bool == true
            if isExclusive ? number >= limit : number > limit {
                let words = isExclusive ? "should be less than" : "should be less than or equal to"
                errors.invalid(path, value, "\(path) in body \(words) \(schema["maximum"].text())")
            }
        }
        if let factor = schema["multipleOf"].double, factor > 0 {
            let rest = number.truncatingRemainder(dividingBy: factor).magnitude
            if min(rest, factor - rest) > factor * 1e-9 {
                errors.invalid(path, value, "\(path) in body should be a multiple of \(schema["multipleOf"].text())")
            }
        }
        if schema["format"].string == "int32", let whole = value.int, Int32(exactly: whole) == nil {
            errors.invalid(path, value, "\(path) in body must be of type int32: \"\(value.text())\"")
        }
    }

    private static func checkList(_ elements: [JSONValue], _ schema: JSONValue, path: String, _ errors: inout FieldErrors) {
        if let limit = schema["maxItems"].int, elements.count > limit {
            errors.tooMany(path, count: elements.count, limit: Int(clamping: limit))
        }
        if let limit = schema["minItems"].int, elements.count < limit {
            errors.invalid(path, .integer(Int64(elements.count)), "\(path) in body should have at least \(limit) items")
        }
        if schema["uniqueItems"].bool == true, Set(elements).count < elements.count {
            errors.invalid(path, .array(elements), "\(path) in body shouldn't contain duplicates")
        }
        if schema["items"].object != nil {
            for (index, element) in elements.enumerated() { check(element, schema["items"], path: "\(path)[\(index)]", &errors) }
        }
        let keys = schema["x-kubernetes-list-map-keys"].strings
        let isSet = schema["x-kubernetes-list-type"].string == "set"
        guard isSet || !keys.isEmpty else { return }
        var seen: Set<JSONValue> = []
        for (index, element) in elements.enumerated() {
            var identity = element
            if !isSet { identity = .object(JSONObject(uniqueKeysWithValues: keys.map { ($0, element[$0]) })) }
            if !seen.insert(identity).inserted { errors.duplicate("\(path)[\(index)]", identity) }
        }
    }

    private static func checkObject(_ members: JSONObject, _ schema: JSONValue, path: String, _ errors: inout FieldErrors) {
        func place(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }
        for key in schema["required"].strings where members[key] == nil { errors.required(place(key)) }
        if let limit = schema["maxProperties"].int, members.count > limit {
            errors.tooMany(path, count: members.count, limit: Int(clamping: limit))
        }
        if let limit = schema["minProperties"].int, members.count < limit {
            errors.invalid(path, .integer(Int64(members.count)), "\(path) in body should have at least \(limit) properties")
        }
        for (key, item) in members {
            if let property = schema["properties"].member(key) {
                check(item, property, path: place(key), &errors)
            } else if schema["additionalProperties"].object != nil {
                check(item, schema["additionalProperties"], path: place(key), &errors)
            }
        }
    }

    private static func checkCombinations(_ value: JSONValue, _ schema: JSONValue, path: String, _ errors: inout FieldErrors) {
        func fits(_ schema: JSONValue) -> Bool {
            var inner = FieldErrors()
            check(value, schema, path: path, &inner)
            return inner.isEmpty
        }
        if let all = schema["allOf"].array, !all.allSatisfy(fits) {
            for part in all { check(value, part, path: path, &errors) }
            errors.invalid(path, "", "\"\(path)\" must validate all the schemas (allOf)")
        }
        if let any = schema["anyOf"].array, !any.isEmpty, !any.contains(where: fits) {
            errors.invalid(path, "", "\"\(path)\" must validate at least one schema (anyOf)")
        }
        if let one = schema["oneOf"].array, !one.isEmpty, one.count(where: fits) != 1 {
            errors.invalid(path, "", "\"\(path)\" must validate one and only one schema (oneOf)")
        }
        if schema["not"].object != nil, fits(schema["not"]) { errors.invalid(path, "", "\"\(path)\" must not validate the schema (not)") }
    }
}

/// Regular expressions of schemas.
enum TextPattern {
    /// Texts longer than this are not looked at: they count as a match.
    private static let lengthLimit = 64 << 10

    /// Whether a part of the text matches; a pattern that cannot be read matches nothing.
    static func matches(_ pattern: String, _ text: String) -> Bool {
        guard text.utf8.count <= lengthLimit else { return true }
        guard let expression = try? Regex(pattern) else { return false }
        return text.firstMatch(of: expression) != nil
    }

    static func isReadable(_ pattern: String) -> Bool { (try? Regex(pattern)) != nil }
}

package import Primitives

/// One thing that is wrong with one field of an object, worded as Kubernetes words it.
package struct FieldError: Sendable, Hashable, CustomStringConvertible {
    package enum Kind: String, Sendable {
        case required = "FieldValueRequired"
        case invalid = "FieldValueInvalid"
        case notSupported = "FieldValueNotSupported"
        case duplicate = "FieldValueDuplicate"
        case forbidden = "FieldValueForbidden"
        case tooLong = "FieldValueTooLong"
        case tooMany = "FieldValueTooMany"
        case notFound = "FieldValueNotFound"
        case typeInvalid = "FieldValueTypeInvalid"
    }

    package var kind: Kind
    /// The path, `spec.containers[0].image`.
    package var field: String
    package var value: JSONValue
    package var detail: String

    /// The words without the field, `Required value: detail`.
    package var body: String {
        let shown = Self.shown(value)
        let opening =
            switch kind {
            case .required: "Required value"
            case .forbidden: "Forbidden"
            case .tooLong: "Too long"
            case .invalid, .typeInvalid: "Invalid value: \(shown)"
            case .notSupported: "Unsupported value: \(shown)"
            case .duplicate: "Duplicate value: \(shown)"
            case .tooMany: "Too many: \(shown)"
            case .notFound: "Not found: \(shown)"
            }
        return detail.isEmpty ? opening : "\(opening): \(detail)"
    }

    package var description: String { field.isEmpty ? body : "\(field): \(body)" }

    private static func shown(_ value: JSONValue) -> String {
        switch value {
        case .null: "null"
        default: value.text(.sortedKeys)
        }
    }
}

/// Everything that is wrong with an object; empty for a valid one.
package struct FieldErrors: Sendable, Hashable {
    package private(set) var errors: [FieldError] = []

    package init() {}

    package var isEmpty: Bool { errors.isEmpty }

    package mutating func append(_ other: FieldErrors) { errors += other.errors }
    package mutating func append(_ error: FieldError) { errors.append(error) }

    package mutating func required(_ field: String, _ detail: String = "") { add(.required, field, .null, detail) }
    package mutating func invalid(_ field: String, _ value: JSONValue, _ detail: String) { add(.invalid, field, value, detail) }
    package mutating func duplicate(_ field: String, _ value: JSONValue) { add(.duplicate, field, value, "") }
    package mutating func forbidden(_ field: String, _ detail: String) { add(.forbidden, field, .null, detail) }
    package mutating func notFound(_ field: String, _ value: JSONValue) { add(.notFound, field, value, "") }
    package mutating func tooLong(_ field: String, limit: Int) { add(.tooLong, field, .null, "must have at most \(limit) bytes") }
    package mutating func tooLong(_ field: String, characters limit: Int64) { add(.tooLong, field, .null, "may not be longer than \(limit)") }
    package mutating func tooMany(_ field: String, count: Int, limit: Int) {
        add(.tooMany, field, .integer(Int64(count)), "must have at most \(limit) items")
    }
    package mutating func typeInvalid(_ field: String, _ value: JSONValue, _ detail: String) { add(.typeInvalid, field, value, detail) }
    package mutating func notSupported(_ field: String, _ value: JSONValue, _ supported: [String]) {
        let names = supported.map { JSONValue.string($0).text() }.joined(separator: ", ")
        add(.notSupported, field, value, "supported values: \(names)")
    }

    /// Adds an `Invalid value` for each problem that the rule has with the text.
    package mutating func check(_ rule: NameRule, _ field: String, _ text: String) {
        for problem in rule.problems(with: text) { invalid(field, .string(text), problem) }
    }

    private mutating func add(_ kind: FieldError.Kind, _ field: String, _ value: JSONValue, _ detail: String) {
        errors.append(FieldError(kind: kind, field: field, value: value, detail: detail))
    }

    /// The 422 `Invalid` answer; nil where nothing is wrong.
    ///
    /// `Pod "x" is invalid: spec.containers: Required value`; several errors stand in brackets, each is a cause.
    package func status(kind: String, group: String, name: String) -> KubeStatus? {
        guard let first = errors.first else { return nil }
        let text = errors.count == 1 ? first.description : "[\(errors.map(\.description).joined(separator: ", "))]"
        let qualified = group.isEmpty ? kind : "\(kind).\(group)"
        var details: JSONValue = ["name": .string(name)]
        if !group.isEmpty { details["group"] = .string(group) }
        details["kind"] = .string(kind)
        details["causes"] = .array(
            errors.map { ["reason": .string($0.kind.rawValue), "message": .string($0.body), "field": .string($0.field)] })
        return KubeStatus(code: 422, reason: "Invalid", message: "\(qualified) \"\(name)\" is invalid: \(text)", details: details)
    }
}

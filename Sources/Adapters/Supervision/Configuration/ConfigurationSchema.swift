package import Primitives

/// One key of a configuration file: its name, what may stand there, and what holds where nothing does.
package struct ConfigurationField: Sendable {
    package indirect enum Kind: Sendable {
        case bool
        case integer(ClosedRange<Int64>, typeName: String)
        case float
        case text
        /// A duration in Go's form.
        case duration
        case texts
        case textMap
        case boolMap
        case object([ConfigurationField])
        /// A list of objects; what is left out in one has no value.
        case objects([ConfigurationField])
    }

    let key: String
    let kind: Kind
    /// nil where the key is left out of what is printed and empty while it is not set.
    let initial: JSONValue?

    package init(_ key: String, _ kind: Kind, _ initial: JSONValue? = nil) {
        self.key = key
        self.kind = kind
        self.initial = initial
    }
}

extension ConfigurationField {
    package static func bool(_ key: String, _ initial: Bool?) -> Self { Self(key, .bool, initial.map(JSONValue.bool)) }
    package static func int32(_ key: String, _ initial: Int64?) -> Self {
        Self(key, .integer(Int64(Int32.min)...Int64(Int32.max), typeName: "int32"), initial.map(JSONValue.integer))
    }
    package static func uint32(_ key: String, _ initial: Int64?) -> Self {
        Self(key, .integer(0...Int64(UInt32.max), typeName: "uint32"), initial.map(JSONValue.integer))
    }
    package static func uint8(_ key: String, _ initial: Int64?) -> Self {
        Self(key, .integer(0...255, typeName: "uint8"), initial.map(JSONValue.integer))
    }
    package static func int(_ key: String, _ initial: Int64?) -> Self {
        Self(key, .integer(Int64.min...Int64.max, typeName: "int"), initial.map(JSONValue.integer))
    }
    package static func float(_ key: String, _ initial: String?) -> Self { Self(key, .float, initial.map(JSONValue.decimal)) }
    package static func text(_ key: String, _ initial: String?) -> Self { Self(key, .text, initial.map(JSONValue.string)) }
    package static func duration(_ key: String, _ initial: String?) -> Self { Self(key, .duration, initial.map(JSONValue.string)) }
    package static func texts(_ key: String, _ initial: [String]?) -> Self { Self(key, .texts, initial.map { JSONValue($0) }) }
    package static func textMap(_ key: String, _ initial: [String: String]?) -> Self { Self(key, .textMap, initial.map { JSONValue($0) }) }
    package static func boolMap(_ key: String) -> Self { Self(key, .boolMap) }
    package static func objects(_ key: String, of fields: [ConfigurationField]) -> Self { Self(key, .objects(fields)) }
    package static func object(_ key: String, _ fields: [ConfigurationField]) -> Self { Self(key, .object(fields)) }
}

/// All keys of a configuration file with their defaults (`spec/02 §4`): one table from which decoding and printing follow.
package struct ConfigurationSchema: Sendable {
    let fields: [ConfigurationField]

    package init(_ fields: [ConfigurationField]) { self.fields = fields }

    /// The configuration where a file says nothing.
    package var defaults: JSONValue { Self.defaults(of: fields) }

    /// A file's values laid over the defaults: objects and maps merge, scalars and lists replace, null leaves or empties.
    ///
    /// Keys are found without regard to case; unknown ones are passed over. Throws `ConfigurationError` with every value of a wrong type.
    package func decode(_ document: JSONValue) throws(ConfigurationError) -> JSONValue {
        var decoder = ConfigurationDecoder()
        let values = decoder.object(document, onto: defaults, fields: fields, path: [])
        guard decoder.problems.isEmpty else { throw ConfigurationError(problems: decoder.problems) }
        return values
    }

    /// The values at the given paths alone, with some of them replaced.
    package func excerpt(_ paths: [String], replacing: [String: JSONValue] = [:]) -> JSONValue {
        let defaults = defaults
        var excerpt: JSONValue = [:]
        for path in paths {
            let keys = path.split(separator: ".").map(String.init)
            let value = replacing[path] ?? keys.reduce(defaults) { $0[$1] }
            Self.set(value, at: keys[...], in: &excerpt)
        }
        return excerpt
    }

    private static func set(_ value: JSONValue, at keys: ArraySlice<String>, in object: inout JSONValue) {
        guard let key = keys.first else {
            object = value
            return
        }
        set(value, at: keys.dropFirst(), in: &object[key])
    }

    private static func defaults(of fields: [ConfigurationField]) -> JSONValue {
        var object: JSONObject = [:]
        for field in fields {
            if case .object(let inner) = field.kind {
                let value = defaults(of: inner)
                if !value.members.isEmpty { object[field.key] = value }
            } else if let initial = field.initial {
                object[field.key] = initial
            }
        }
        return .object(object)
    }
}

/// Lays a document over defaults and collects what does not fit.
private struct ConfigurationDecoder {
    private(set) var problems: [ConfigurationProblem] = []

    mutating func object(_ document: JSONValue, onto base: JSONValue, fields: [ConfigurationField], path: [String]) -> JSONValue {
        guard let members = document.object else {
            if !document.isNull { refuse(document, "object", path) }
            return base
        }
        var result = base
        for (key, value) in members {
            let lowered = key.lowercased()
            guard let field = fields.first(where: { $0.key == key }) ?? fields.first(where: { $0.key.lowercased() == lowered }) else { continue }
            result.setMember(field.key, decode(value, onto: result.member(field.key), field: field, path: path + [field.key]))
        }
        return result
    }

    private mutating func decode(_ value: JSONValue, onto base: JSONValue?, field: ConfigurationField, path: [String]) -> JSONValue? {
        if case .object(let inner) = field.kind {
            return object(value, onto: base ?? [:], fields: inner, path: path)
        }
        if value.isNull {
            switch field.kind {
            case .texts, .objects: return .array([])
            case .textMap, .boolMap: return [:]
            default: return base
            }
        }
        switch field.kind {
        case .bool: return value.bool.map(JSONValue.bool) ?? refuse(value, "bool", path)
        case .integer(let range, let typeName):
            guard let number = value.int, range.contains(number) else { return refuse(value, typeName, path) }
            return .integer(number)
        case .float: return value.double == nil ? refuse(value, "float64", path) : value
        case .text: return text(value) ?? refuse(value, "string", path)
        case .duration:
            guard let text = value.string, GoDuration.parse(text) != nil else { return refuse(value, "duration such as 10s or 1m30s", path) }
            return value
        case .texts:
            guard let elements = value.array else { return refuse(value, "[]string", path) }
            return .array(elements.enumerated().compactMap { index, element in text(element) ?? refuse(element, "string", path, index: index) })
        case .textMap, .boolMap: return map(value, onto: base, field: field, path: path)
        case .objects(let inner):
            guard let elements = value.array else { return refuse(value, "list", path) }
            var decoded: [JSONValue] = []
            for element in elements { decoded.append(object(element, onto: [:], fields: inner, path: path)) }
            return .array(decoded)
        case .object: return base
        }
    }

    private mutating func map(_ value: JSONValue, onto base: JSONValue?, field: ConfigurationField, path: [String]) -> JSONValue? {
        guard let members = value.object else { return refuse(value, "map", path) }
        var result = base ?? [:]
        for (key, member) in members {
            if case .boolMap = field.kind {
                result.setMember(key, member.bool.map(JSONValue.bool) ?? refuse(member, "bool", path + [key]))
            } else {
                result.setMember(key, text(member) ?? refuse(member, "string", path + [key]))
            }
        }
        return result
    }

    /// A text; YAML's numbers and truths where a text is wanted are taken as they are written.
    private func text(_ value: JSONValue) -> JSONValue? {
        switch value {
        case .string: value
        case .integer, .decimal, .bool: .string(value.text())
        default: nil
        }
    }

    @discardableResult
    private mutating func refuse(_ value: JSONValue, _ wanted: String, _ path: [String], index: Int? = nil) -> JSONValue? {
        let found =
            switch value {
            case .null: "null"
            case .bool: "bool"
            case .integer, .decimal: "number \(value)"
            case .string(let text): "string \"\(text.prefix(80))\""
            case .array: "array"
            case .object: "object"
            }
        let field = path.joined(separator: ".") + (index.map { "[\($0)]" } ?? "")
        problems.append(ConfigurationProblem(field: field.isEmpty ? "document" : field, message: "cannot use \(found) as \(wanted)"))
        return nil
    }
}

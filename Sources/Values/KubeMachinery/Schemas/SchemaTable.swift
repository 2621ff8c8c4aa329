/// The type of a field.
package indirect enum FieldType: Sendable, Hashable {
    case string, integer, number, boolean
    /// RFC 3339, whole seconds or microseconds.
    case time, microTime
    /// Text or a number that reads as a quantity.
    case quantity
    case integerOrString
    /// Base64 text.
    case bytes
    /// Any JSON.
    case any
    case list(FieldType)
    case map(FieldType)
    /// A type of the same table, by its short name.
    case named(String)
}

/// A field of a type.
package struct FieldSchema: Sendable, Hashable {
    package var name: String
    package var type: FieldType
    package var isRequired: Bool
    /// How a strategic merge patch treats the list; nil where it is replaced.
    package var mergeRule: MergeRule?
    /// Whether patches of the field come with `$retainKeys`.
    package var retainsKeys: Bool
    package var details: String
}

/// A type with its fields in the order of the table.
package struct TypeSchema: Sendable {
    package var name: String
    /// The name in OpenAPI documents, `io.k8s.api.core.v1.Pod`.
    package var qualifiedName: String
    package var details: String
    package var fields: [FieldSchema]
    private var index: [String: Int]

    init(name: String, qualifiedName: String, details: String, fields: [FieldSchema]) {
        self.name = name
        self.qualifiedName = qualifiedName
        self.details = details
        self.fields = fields
        index = [:]
        for (place, field) in fields.enumerated() { index[field.name] = place }
    }

    package func field(_ name: String) -> FieldSchema? { index[name].map { fields[$0] } }
}

/// Types of API objects, read from a compact text: the one source of OpenAPI documents, of the keys that strategic merge patches
/// merge by, and of the check for unknown fields.
///
///     @io.k8s.api.core.v1
///     PodSpec -- What a pod should be.
///       containers! []Container merge=name -- At least one.
///       nodeSelector {string}
///       strategy DeploymentStrategy retain
///
/// `!` marks a required field, `merge=` the key of a merged list (empty for a list of texts).
package struct SchemaTable: Sendable {
    package private(set) var types: [String: TypeSchema] = [:]
    /// The short names in the order of the text.
    package private(set) var names: [String] = []

    /// Reads the parts of the text in order. A line that cannot be read is a bug of this house and traps.
    package init(_ parts: [String]) {
        var prefix = ""
        var open: (name: String, details: String, fields: [FieldSchema])?
        for part in parts {
            for line in part.split(separator: "\n") {
                if line.hasPrefix("@") {
                    close(&open, prefix)
                    prefix = String(line.dropFirst())
                } else if line.hasPrefix("  ") {
                    open?.fields.append(Self.field(line.dropFirst(2)))
                } else {
                    close(&open, prefix)
                    let (name, details) = Self.split(line)
                    open = (String(name), details, [])
                }
            }
            close(&open, prefix)
        }
    }

    private mutating func close(_ open: inout (name: String, details: String, fields: [FieldSchema])?, _ prefix: String) {
        guard let done = open else { return }
        open = nil
        precondition(types[done.name] == nil, "the schema table has two types \(done.name)")
        types[done.name] = TypeSchema(name: done.name, qualifiedName: "\(prefix).\(done.name)", details: done.details, fields: done.fields)
        names.append(done.name)
    }

    private static func split(_ line: Substring) -> (Substring, String) {
        var index = line.startIndex
        while index < line.endIndex {
            if line[index...].hasPrefix(" -- ") { return (line[..<index], String(line[line.index(index, offsetBy: 4)...])) }
            index = line.index(after: index)
        }
        return (line, "")
    }

    private static func field(_ line: Substring) -> FieldSchema {
        let (facts, details) = split(line)
        let words = facts.split(separator: " ")
        guard words.count >= 2, let type = type(words[1]) else { preconditionFailure("the schema table has a broken line: \(line)") }
        let isRequired = words[0].hasSuffix("!")
        var field = FieldSchema(
            name: String(isRequired ? words[0].dropLast() : words[0]), type: type, isRequired: isRequired, mergeRule: nil, retainsKeys: false,
            details: details)
        for word in words.dropFirst(2) {
            if word == "retain" { field.retainsKeys = true }
            if word.hasPrefix("merge=") { field.mergeRule = .merge(key: String(word.dropFirst(6))) }
        }
        return field
    }

    private static func type(_ text: Substring) -> FieldType? {
        switch text {
        case "string": return .string
        case "integer": return .integer
        case "number": return .number
        case "boolean": return .boolean
        case "time": return .time
        case "micro": return .microTime
        case "quantity": return .quantity
        case "intstr": return .integerOrString
        case "bytes": return .bytes
        case "any": return .any
        default:
            if text.hasPrefix("[]") { return type(text.dropFirst(2)).map(FieldType.list) }
            if text.hasPrefix("{"), text.hasSuffix("}") { return type(text.dropFirst().dropLast()).map(FieldType.map) }
            return text.first?.isUppercase == true ? .named(String(text)) : nil
        }
    }
}

/// A place in the types of a table, as a strategic merge patch walks through them.
package struct SchemaNode: MergeSchema {
    private let table: SchemaTable
    private let type: FieldType?
    private let rule: MergeRule?

    private init(table: SchemaTable, type: FieldType?, rule: MergeRule?) {
        self.table = table
        self.type = type
        self.rule = rule
    }

    package func member(_ name: String) -> SchemaNode {
        var type = type
        while case .list(let element) = type { type = element }
        switch type {
        case .named(let inner):
            let field = table.types[inner]?.field(name)
            return SchemaNode(table: table, type: field?.type, rule: field?.mergeRule)
        case .map(let value): return SchemaNode(table: table, type: value, rule: nil)
        default: return SchemaNode(table: table, type: nil, rule: nil)
        }
    }

    package var listRule: MergeRule { rule ?? .replace }
}

extension SchemaTable {
    /// Where a strategic merge patch of an object of this type begins; nil for a type that is not in the table.
    package func node(_ typeName: String) -> SchemaNode? {
        types[typeName] == nil ? nil : SchemaNode(table: self, type: .named(typeName))
    }
}

extension SchemaNode {
    fileprivate init(table: SchemaTable, type: FieldType) { self.init(table: table, type: type, rule: nil) }
}

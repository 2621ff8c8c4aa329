package import Primitives

/// YAML as Kubernetes reads it: every document is a JSON value.
///
/// Scalars resolve as in Go's yaml.v2 behind `sigs.k8s.io/yaml`: `yes`, `on` and `y` are true, `0x1F`, `0o17` and `017` are integers,
/// `~` and nothing are null, times stay text. A repeated key is an error. Keys keep the text they are written with.
package enum YAML {
    /// Reads a text that holds one document; nothing at all is `null`. Empty documents do not count.
    package static func parse(_ text: String) throws(YAMLError) -> JSONValue {
        let documents = try parseAll(text)
        guard documents.count <= 1 else {
            throw YAMLError(code: .shape, line: 0, column: 0, message: "expected one YAML document, found \(documents.count)")
        }
        return documents.first ?? .null
    }

    /// Reads all documents of a text, without the empty ones.
    package static func parseAll(_ text: String) throws(YAMLError) -> [JSONValue] {
        let reader = try YAMLEventReader(text: text)
        var composer = YAMLComposer(reader: reader)
        return try composer.documents()
    }

    /// Writes a value in block style, two blanks a level, so that `parse` gives the same value back. Ends with a newline.
    package static func text(_ value: JSONValue, sortedKeys: Bool = false) -> String {
        var writer = YAMLWriter(sortedKeys: sortedKeys)
        writer.write(document: value)
        return writer.text
    }
}

/// What a YAML text from outside may cost.
enum YAMLLimits {
    /// Bytes of the whole text.
    static let size = 16 << 20
    /// Mappings and sequences inside each other, aliases expanded.
    static let depth = 256
    /// Nodes of the whole text, aliases expanded.
    static let nodes = 2_000_000
}

/// Why a text is no acceptable YAML.
package struct YAMLError: Error, Hashable, CustomStringConvertible {
    package enum Code: Sendable { case syntax, duplicateKey, unknownAlias, value, shape, tooLarge, tooDeep }

    package let code: Code
    /// Counted from 1; 0 where no line is to blame.
    package let line: Int
    /// Counted from 1.
    package let column: Int
    package let message: String

    package init(code: Code, line: Int, column: Int, message: String) {
        self.code = code
        self.line = line
        self.column = column
        self.message = message
    }

    package var description: String { line > 0 ? "line \(line), column \(column): \(message)" : message }
    package var isRetryable: Bool { false }
}

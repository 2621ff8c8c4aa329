/// A field selector: every term compares the text at a path with a value.
package struct FieldSelector: Sendable, Hashable {
    package struct Term: Sendable, Hashable {
        package var path: String
        package var isEqual: Bool
        package var value: String

        package init(path: String, isEqual: Bool = true, value: String) {
            self.path = path
            self.isEqual = isEqual
            self.value = value
        }
    }

    package var terms: [Term]

    /// The selector of a conjunction of terms; without any it selects every object.
    package init(_ terms: [Term] = []) { self.terms = terms }

    package static let everything = FieldSelector()
    package var isEverything: Bool { terms.isEmpty }

    /// Reads `metadata.name=x,status.phase!=Running`; `\` takes its meaning from `,`, `=` and `\`. Throws `BadRequest`.
    package init(parsing text: String) throws(KubeStatus) {
        var terms: [Term] = []
        for part in Self.split(text) where !part.isEmpty { terms.append(try Self.term(part)) }
        self.init(terms)
    }

    /// Whether an object is selected; `value` answers the text at a path, nil where the object has none (which counts as empty).
    package func matches(_ value: (String) -> String?) -> Bool {
        terms.allSatisfy { ((value($0.path) ?? "") == $0.value) == $0.isEqual }
    }

    /// The one value that a term requires at `path`, nil where none does.
    package func required(_ path: String) -> String? { terms.first { $0.path == path && $0.isEqual }?.value }

    private static func split(_ text: String) -> [Substring] {
        var parts: [Substring] = []
        var start = text.startIndex
        var index = start
        while index < text.endIndex {
            if text[index] == "\\" {
                index = text.index(after: index)
                if index == text.endIndex { break }
            } else if text[index] == "," {
                parts.append(text[start..<index])
                start = text.index(after: index)
            }
            index = text.index(after: index)
        }
        parts.append(text[start...])
        return parts
    }

    private static func term(_ part: Substring) throws(KubeStatus) -> Term {
        var index = part.startIndex
        while index < part.endIndex {
            let rest = part[index...]
            for (sign, isEqual) in [("!=", false), ("==", true), ("=", true)] where rest.hasPrefix(sign) {
                let value = try unescaped(rest.dropFirst(sign.count))
                return Term(path: String(part[..<index]), isEqual: isEqual, value: value)
            }
            index = part.index(after: index)
        }
        throw .badRequest("invalid selector: '\(part)'; can't understand '\(part)'")
    }

    private static func unescaped(_ text: Substring) throws(KubeStatus) -> String {
        var value = ""
        var isEscaped = false
        for character in text {
            if isEscaped {
                guard "\\,=".contains(character) else { throw .badRequest("invalid field selector: invalid escape sequence: \\\(character)") }
                value.append(character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character == "," || character == "=" {
                throw .badRequest("invalid field selector: unescaped character in value: \(character)")
            } else {
                value.append(character)
            }
        }
        guard !isEscaped else { throw .badRequest("invalid field selector: invalid escape sequence: \\") }
        return value
    }
}

extension FieldSelector: CustomStringConvertible {
    /// The text form that `init(parsing:)` reads.
    package var description: String {
        terms.map { term in
            var value = ""
            for character in term.value {
                if "\\,=".contains(character) { value.append("\\") }
                value.append(character)
            }
            return "\(term.path)\(term.isEqual ? "=" : "!=")\(value)"
        }.joined(separator: ",")
    }
}

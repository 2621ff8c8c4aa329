import Primitives

/// Writes block style: maps and lists over several lines, texts plain where that is safe.
struct YAMLWriter {
    let sortedKeys: Bool
    private(set) var text = ""

    init(sortedKeys: Bool) { self.sortedKeys = sortedKeys }

    mutating func write(document value: JSONValue) {
        switch value {
        case .object(let members) where !members.isEmpty: write(members, level: 0, isInline: false)
        case .array(let elements) where !elements.isEmpty: write(elements, level: 0)
        default: text += scalar(value, level: 0) + "\n"
        }
    }

    /// `isInline`: the first key stands behind the dash of a list.
    private mutating func write(_ members: JSONObject, level: Int, isInline: Bool) {
        let entries = sortedKeys ? members.sorted { $0.key < $1.key } : members.map { ($0.key, $0.value) }
        for (index, (key, value)) in entries.enumerated() {
            if index > 0 || !isInline { indent(level) }
            if key.utf8.count > Self.simpleKeyLimit {
                text += "? \(Self.quoted(key))\n"
                indent(level)
                text += ":"
            } else {
                text += Self.flow(key) + ":"
            }
            switch value {
            case .object(let inner) where !inner.isEmpty:
                text += "\n"
                write(inner, level: level + 1, isInline: false)
            case .array(let elements) where !elements.isEmpty:
                text += "\n"
                write(elements, level: level)
            default: text += " " + scalar(value, level: level) + "\n"
            }
        }
    }

    private mutating func write(_ elements: [JSONValue], level: Int) {
        for element in elements {
            indent(level)
            switch element {
            case .object(let members) where !members.isEmpty:
                text += "- "
                write(members, level: level + 1, isInline: true)
            case .array(let inner) where !inner.isEmpty:
                text += "-\n"
                write(inner, level: level + 1)
            default: text += "- " + scalar(element, level: level) + "\n"
            }
        }
    }

    private mutating func indent(_ level: Int) { text += String(repeating: "  ", count: level) }

    private func scalar(_ value: JSONValue, level: Int) -> String {
        guard case .string(let string) = value else { return value.text() }
        return Self.literal(string, level: level) ?? Self.flow(string)
    }

    /// YAML readers find a key without `?` only in the first 1,024 characters of an entry.
    private static let simpleKeyLimit = 800

    private static func flow(_ text: String) -> String { isPlain(text) ? text : quoted(text) }

    /// A literal block for a text of several lines that such a block can hold exactly.
    private static func literal(_ text: String, level: Int) -> String? {
        guard text.contains("\n"), !text.hasPrefix(" "), !text.hasPrefix("\n"), !text.hasPrefix("\t") else { return nil }
        guard text.unicodeScalars.allSatisfy({ $0 == "\n" || $0 == "\t" || isPrintable($0) }) else { return nil }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard !lines.contains(where: { $0.hasSuffix(" ") || $0.hasSuffix("\t") }) else { return nil }
        let indentation = String(repeating: "  ", count: level + 1)
        let body = { (lines: [Substring]) in lines.map { $0.isEmpty ? "" : indentation + $0 }.joined(separator: "\n") }
        guard text.hasSuffix("\n") else { return "|-\n" + body(lines) }
        guard !text.hasSuffix("\n\n") else { return nil }
        return "|\n" + body(lines.dropLast())
    }

    private static func isPlain(_ text: String) -> Bool {
        guard let first = text.first, !YAMLScalarRules.needsQuotes(text) else { return false }
        guard !"?:,[]{}#&*!|>'\"%@` ".contains(first), !text.hasPrefix("---"), !text.hasPrefix("..."), !text.hasSuffix(" ") else { return false }
        if first == "-", text.dropFirst().first.map({ $0 == " " }) ?? true { return false }
        guard !text.contains(": "), !text.contains(" #"), !text.hasSuffix(":") else { return false }
        return text.unicodeScalars.allSatisfy(isPrintable)
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x20...0x7E: true
        case 0xA0...0x2027, 0x202A...0xD7FF, 0xE000...0xFEFE, 0xFF00...0xFFFD, 0x10000...0x10FFFF: true
        default: false
        }
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\t": quoted += "\\t"
            case "\r": quoted += "\\r"
            case _ where isPrintable(scalar): quoted.unicodeScalars.append(scalar)
            default:
                let digits = String(scalar.value, radix: 16)
                let width = scalar.value <= 0xFF ? 2 : scalar.value <= 0xFFFF ? 4 : 8
                quoted += "\\" + (width == 2 ? "x" : width == 4 ? "u" : "U") + String(repeating: "0", count: width - digits.count) + digits
            }
        }
        return quoted + "\""
    }
}

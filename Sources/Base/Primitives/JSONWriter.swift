extension JSONValue {
    /// How a document is written.
    package struct Style: OptionSet, Sendable {
        package let rawValue: Int
        package init(rawValue: Int) { self.rawValue = rawValue }

        /// Members in the order of their names.
        package static let sortedKeys = Style(rawValue: 1)
        /// `<`, `>`, `&`, U+2028 and U+2029 as escapes, as Go's encoder writes them.
        package static let goEscapes = Style(rawValue: 2)
        /// Two blanks of indentation a level.
        package static let indented = Style(rawValue: 4)
    }

    /// The document as UTF-8.
    package func encoded(_ style: Style = []) -> [UInt8] {
        var bytes: [UInt8] = []
        write(into: &bytes, style: style, level: 0)
        return bytes
    }

    /// The document as text.
    package func text(_ style: Style = []) -> String { String(decoding: encoded(style), as: UTF8.self) }

    private func write(into bytes: inout [UInt8], style: Style, level: Int) {
        switch self {
        case .null: bytes.append(contentsOf: "null".utf8)
        case .bool(let value): bytes.append(contentsOf: (value ? "true" : "false").utf8)
        case .integer(let value): bytes.append(contentsOf: String(value).utf8)
        case .decimal(let digits): bytes.append(contentsOf: digits.utf8)
        case .string(let value): Self.write(value, into: &bytes, style: style)
        case .array(let elements):
            bytes.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                Self.newLine(into: &bytes, style: style, level: level + 1)
                element.write(into: &bytes, style: style, level: level + 1)
            }
            if !elements.isEmpty { Self.newLine(into: &bytes, style: style, level: level) }
            bytes.append(UInt8(ascii: "]"))
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            if style.contains(.sortedKeys) {
                Self.write(members.sorted { $0.key < $1.key }, into: &bytes, style: style, level: level)
            } else {
                Self.write(members, into: &bytes, style: style, level: level)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    private static func write(_ members: some Sequence<(key: String, value: JSONValue)>, into bytes: inout [UInt8], style: Style, level: Int) {
        var isFirst = true
        for (key, value) in members {
            if !isFirst { bytes.append(UInt8(ascii: ",")) }
            isFirst = false
            newLine(into: &bytes, style: style, level: level + 1)
            write(key, into: &bytes, style: style)
            bytes.append(UInt8(ascii: ":"))
            if style.contains(.indented) { bytes.append(UInt8(ascii: " ")) }
            value.write(into: &bytes, style: style, level: level + 1)
        }
        if !isFirst { newLine(into: &bytes, style: style, level: level) }
    }

    private static func newLine(into bytes: inout [UInt8], style: Style, level: Int) {
        guard style.contains(.indented) else { return }
        bytes.append(UInt8(ascii: "\n"))
        bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: level * 2))
    }

    private static func write(_ text: String, into bytes: inout [UInt8], style: Style) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): bytes.append(contentsOf: "\\\"".utf8)
            case UInt8(ascii: "\\"): bytes.append(contentsOf: "\\\\".utf8)
            case 0x0A: bytes.append(contentsOf: "\\n".utf8)
            case 0x0D: bytes.append(contentsOf: "\\r".utf8)
            case 0x09: bytes.append(contentsOf: "\\t".utf8)
            case 0..<0x20: writeEscape(byte, into: &bytes)
            case UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "&"):
                if style.contains(.goEscapes) { writeEscape(byte, into: &bytes) } else { bytes.append(byte) }
            case 0xA8, 0xA9:
                // The last byte of U+2028 or U+2029 (E2 80 A8, E2 80 A9).
                if style.contains(.goEscapes), bytes.suffix(2).elementsEqual([0xE2, 0x80]) {
                    bytes.removeLast(2)
                    bytes.append(contentsOf: (byte == 0xA8 ? "\\u2028" : "\\u2029").utf8)
                } else {
                    bytes.append(byte)
                }
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private static func writeEscape(_ byte: UInt8, into bytes: inout [UInt8]) {
        let digits = Array("0123456789abcdef".utf8)
        bytes.append(contentsOf: "\\u00".utf8)
        bytes.append(digits[Int(byte >> 4)])
        bytes.append(digits[Int(byte & 0xF)])
    }
}

extension JSONValue: CustomStringConvertible {
    package var description: String { text() }
}

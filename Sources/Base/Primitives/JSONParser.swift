/// What a JSON document from outside may cost.
package struct JSONLimits: Sendable {
    /// Bytes of the whole document.
    package var size: Int
    /// Objects and arrays inside each other.
    package var depth: Int

    package init(size: Int, depth: Int) {
        self.size = size
        self.depth = depth
    }

    /// What either end of the cloud-edge line accepts: 16 MiB, 512 levels (`spec/01 §3.2`).
    package static let wire = JSONLimits(size: 16 << 20, depth: 512)
}

/// Why bytes are not an acceptable JSON document.
package struct JSONError: Error, Hashable, CustomStringConvertible {
    package enum Code: Sendable { case syntax, invalidText, tooDeep, tooLarge }

    package let code: Code
    /// The offset of the byte at which reading stopped.
    package let offset: Int
    package let message: String

    package var description: String { "\(message) at byte \(offset)" }
}

extension JSONValue {
    /// Reads one document: UTF-8, white space around it allowed, nothing behind it.
    ///
    /// Of a repeated key the last value counts, as in Go. Lone surrogate escapes become U+FFFD, as in Go.
    /// Invalid UTF-8 is refused.
    package init(parsing bytes: some Collection<UInt8>, limits: JSONLimits = .wire) throws(JSONError) {
        var parser = JSONParser(bytes: Array(bytes), limits: limits)
        self = try parser.document()
    }

    package init(parsing text: String, limits: JSONLimits = .wire) throws(JSONError) {
        try self.init(parsing: text.utf8, limits: limits)
    }
}

private struct JSONParser {
    let bytes: [UInt8]
    let limits: JSONLimits
    var position = 0

    init(bytes: [UInt8], limits: JSONLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    mutating func document() throws(JSONError) -> JSONValue {
        guard bytes.count <= limits.size else { throw failure(.tooLarge, "a document over \(limits.size) bytes") }
        let value = try value(depth: 0)
        skipSpace()
        guard position == bytes.count else { throw failure(.syntax, "data behind the document") }
        return value
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        skipSpace()
        guard position < bytes.count else { throw failure(.syntax, "the document ends early") }
        switch bytes[position] {
        case UInt8(ascii: "{"): return try object(depth: depth + 1)
        case UInt8(ascii: "["): return try array(depth: depth + 1)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: throw failure(.syntax, "an unexpected byte")
        }
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
        guard depth <= limits.depth else { throw failure(.tooDeep, "more than \(limits.depth) levels") }
        position += 1
        var members = JSONObject()
        skipSpace()
        if take(UInt8(ascii: "}")) { return .object(members) }
        while true {
            skipSpace()
            guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else { throw failure(.syntax, "a member name is missing") }
            let key = try string()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw failure(.syntax, "':' is missing") }
            members[key] = try value(depth: depth)
            skipSpace()
            if take(UInt8(ascii: ",")) { continue }
            if take(UInt8(ascii: "}")) { return .object(members) }
            throw failure(.syntax, "',' or '}' is missing")
        }
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
        guard depth <= limits.depth else { throw failure(.tooDeep, "more than \(limits.depth) levels") }
        position += 1
        var elements: [JSONValue] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return .array(elements) }
        while true {
            elements.append(try value(depth: depth))
            skipSpace()
            if take(UInt8(ascii: ",")) { continue }
            if take(UInt8(ascii: "]")) { return .array(elements) }
            throw failure(.syntax, "',' or ']' is missing")
        }
    }

    private mutating func number() throws(JSONError) -> JSONValue {
        let start = position
        if bytes[position] == UInt8(ascii: "-") { position += 1 }
        let whole = position
        skipDigits()
        guard position > whole else { throw failure(.syntax, "a digit is missing") }
        guard bytes[whole] != UInt8(ascii: "0") || position == whole + 1 else { throw failure(.syntax, "a number with a leading zero") }
        var isWhole = true
        if take(UInt8(ascii: ".")) {
            isWhole = false
            let fraction = position
            skipDigits()
            guard position > fraction else { throw failure(.syntax, "a digit is missing") }
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            isWhole = false
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            let exponent = position
            skipDigits()
            guard position > exponent else { throw failure(.syntax, "a digit is missing") }
        }
        let digits = String(decoding: bytes[start..<position], as: UTF8.self)
        if isWhole, let value = Int64(digits), digits != "-0" { return .integer(value) }
        return .decimal(digits)
    }

    private mutating func string() throws(JSONError) -> String {
        position += 1
        let start = position
        var cooked: [UInt8]?
        while position < bytes.count {
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: "\""):
                let text = cooked.map { String(validating: $0, as: UTF8.self) } ?? String(validating: bytes[start..<position], as: UTF8.self)
                guard let text else { throw failure(.invalidText, "a string is not valid UTF-8") }
                position += 1
                return text
            case UInt8(ascii: "\\"):
                if cooked == nil { cooked = Array(bytes[start..<position]) }
                try escape(into: &cooked!)
            case 0..<0x20: throw failure(.syntax, "a control character in a string")
            default:
                cooked?.append(byte)
                position += 1
            }
        }
        throw failure(.syntax, "a string without an end")
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSONError) {
        position += 1
        guard position < bytes.count else { throw failure(.syntax, "a string without an end") }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): text.append(contentsOf: String(try escapedScalar()).utf8)
        default: throw failure(.syntax, "an unknown escape")
        }
    }

    private mutating func escapedScalar() throws(JSONError) -> Character {
        let high = try hexUnit()
        if let scalar = Unicode.Scalar(UInt32(high)) { return Character(scalar) }
        let before = position
        if UTF16.isLeadSurrogate(high), take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) {
            let low = try hexUnit()
            if UTF16.isTrailSurrogate(low) {
                let code = 0x10000 + (UInt32(high) - 0xD800) << 10 + (UInt32(low) - 0xDC00)
                if let scalar = Unicode.Scalar(code) { return Character(scalar) }
            }
        }
        position = before
        return "\u{FFFD}"
    }

    private mutating func hexUnit() throws(JSONError) -> UInt16 {
        guard position + 4 <= bytes.count else { throw failure(.syntax, "a string without an end") }
        var unit: UInt16 = 0
        for byte in bytes[position..<position + 4] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { throw failure(.syntax, "a hexadecimal digit is missing") }
            unit = unit << 4 | UInt16(digit)
        }
        position += 4
        return unit
    }

    private mutating func word(_ word: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
        let end = position + word.utf8CodeUnitCount
        guard end <= bytes.count, bytes[position..<end].elementsEqual(UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
        else { throw failure(.syntax, "an unexpected word") }
        position = end
        return value
    }

    private mutating func skipSpace() {
        while position < bytes.count, bytes[position] == 0x20 || (0x09...0x0A).contains(bytes[position]) || bytes[position] == 0x0D { position += 1 }
    }

    private mutating func skipDigits() {
        while position < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[position]) { position += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    private func failure(_ code: JSONError.Code, _ message: String) -> JSONError { JSONError(code: code, offset: position, message: message) }
}

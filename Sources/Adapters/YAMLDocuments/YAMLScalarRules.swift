import Primitives

/// Why a scalar has no JSON value.
struct YAMLScalarError: Error {
    var sentence: String
}

/// What a scalar means.
enum YAMLScalarRules {
    private static let words: [String: JSONValue] = {
        var words: [String: JSONValue] = ["": .null, "~": .null]
        let table: [(JSONValue, [String])] = [
            (.null, ["null"]), (true, ["true", "yes", "on", "y"]), (false, ["false", "no", "off", "n"]),
        ]
        for (value, lowercased) in table {
            for word in lowercased {
                words[word] = value
                words[word.uppercased()] = value
                words[word.prefix(1).uppercased() + word.dropFirst()] = value
            }
        }
        return words
    }()

    private static let notFinite: Set<String> = [
        ".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF",
    ]

    static func value(of scalar: YAMLScalar) throws(YAMLScalarError) -> JSONValue {
        switch scalar.tag {
        case nil: return scalar.isPlain ? try plain(scalar.text) : .string(scalar.text)
        case "!", "tag:yaml.org,2002:str": return .string(scalar.text)
        case "tag:yaml.org,2002:null", "tag:yaml.org,2002:bool", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float":
            return try tagged(scalar)
        case .some(let tag): throw YAMLScalarError(sentence: "the tag \(tag) is not supported")
        }
    }

    /// The value of an unquoted scalar without a tag.
    static func plain(_ text: String) throws(YAMLScalarError) -> JSONValue {
        if let word = words[text] { return word }
        if notFinite.contains(text) { throw YAMLScalarError(sentence: "\(text) cannot be said in JSON") }
        return number(text) ?? .string(text)
    }

    /// Whether an unquoted text would be read as something other than that text, here or by a common YAML reader.
    static func needsQuotes(_ text: String) -> Bool {
        words[text] != nil || notFinite.contains(text) || text == "<<" || text == "=" || number(text) != nil || looksLikeTimeOrBase60(text)
    }

    private static func tagged(_ scalar: YAMLScalar) throws(YAMLScalarError) -> JSONValue {
        let value = try plain(scalar.text)
        switch (scalar.tag, value) {
        case ("tag:yaml.org,2002:null", .null), ("tag:yaml.org,2002:bool", .bool), ("tag:yaml.org,2002:int", .integer),
            ("tag:yaml.org,2002:float", .integer), ("tag:yaml.org,2002:float", .decimal):
            return value
        default: throw YAMLScalarError(sentence: "`\(scalar.text)` is no \(scalar.tag?.split(separator: ":").last ?? "value")")
        }
    }

    /// Integers of base 2, 8, 10 and 16 and floats, `_` between digits allowed, as Go's `ParseInt(…, 0, 64)` and yaml.v2 take them.
    private static func number(_ text: String) -> JSONValue? {
        guard let first = text.utf8.first, isDigit(first) || "+-.".utf8.contains(first), text.utf8.count <= 400 else { return nil }
        let digits = text.filter { $0 != "_" }
        return integer(digits) ?? float(digits)
    }

    private static func integer(_ text: String) -> JSONValue? {
        let sign = text.hasPrefix("-") ? "-" : ""
        let body = text.hasPrefix("-") || text.hasPrefix("+") ? String(text.dropFirst()) : text
        let lower = body.lowercased()
        let (digits, radix): (Substring, Int) =
            if lower.hasPrefix("0x") { (body.dropFirst(2), 16) } else if lower.hasPrefix("0b") {
                (body.dropFirst(2), 2)
            } else if lower.hasPrefix("0o") { (body.dropFirst(2), 8) } else if body.hasPrefix("0"), body.count > 1 { (body.dropFirst(), 8) } else {
                (body[...], 10)
            }
        guard let first = digits.utf8.first, first != UInt8(ascii: "-"), first != UInt8(ascii: "+") else { return nil }
        if let value = Int64(sign + digits, radix: radix) { return .integer(value) }
        if sign.isEmpty, let value = UInt64(digits, radix: radix) { return .decimal(String(value)) }
        if radix == 10, digits.utf8.allSatisfy(isDigit) { return .decimal(sign + digits) }
        return nil
    }

    /// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?` as JSON digits.
    private static func float(_ text: String) -> JSONValue? {
        var rest = Substring(text)
        let sign = rest.hasPrefix("-") ? "-" : ""
        if rest.hasPrefix("-") || rest.hasPrefix("+") { rest = rest.dropFirst() }
        func digits() -> Substring {
            let run = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(run.count)
            return run
        }
        var whole = digits()
        var fraction: Substring = ""
        if rest.hasPrefix(".") {
            rest = rest.dropFirst()
            fraction = digits()
        }
        guard !whole.isEmpty || !fraction.isEmpty else { return nil }
        var exponent = ""
        if rest.hasPrefix("e") || rest.hasPrefix("E") {
            rest = rest.dropFirst()
            if rest.hasPrefix("-") { exponent = "-" }
            if rest.hasPrefix("-") || rest.hasPrefix("+") { rest = rest.dropFirst() }
            let run = digits()
            guard !run.isEmpty else { return nil }
            exponent += run
        }
        guard rest.isEmpty else { return nil }
        while whole.count > 1, whole.hasPrefix("0") { whole = whole.dropFirst() }
        let number = sign + (whole.isEmpty ? "0" : whole) + (fraction.isEmpty ? "" : ".\(fraction)") + (exponent.isEmpty ? "" : "e\(exponent)")
        return .decimal(number)
    }

    private static func looksLikeTimeOrBase60(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard let first = bytes.first, isDigit(first) || first == UInt8(ascii: "+") || first == UInt8(ascii: "-") else { return false }
        let isDate = bytes.count >= 8 && bytes[..<4].allSatisfy(isDigit) && bytes[4] == UInt8(ascii: "-")
        let isBase60 = bytes.contains(UInt8(ascii: ":")) && bytes.dropFirst().allSatisfy { isDigit($0) || ":._".utf8.contains($0) }
        return isDate || isBase60
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}

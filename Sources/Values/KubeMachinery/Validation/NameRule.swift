/// The rules that Kubernetes has for names, with its words for what breaks them.
package enum NameRule: Sendable {
    /// 1–63 of `a-z0-9-`, alphanumeric at both ends.
    case dnsLabel
    /// The same, beginning with a letter.
    case dnsLabel1035
    /// Labels of `a-z0-9-` with dots between, at most 253.
    case dnsSubdomain
    /// `[prefix/]name` as label and annotation keys are.
    case qualifiedName
    /// At most 63 of `A-Za-z0-9-_.`, alphanumeric at both ends, or empty.
    case labelValue
    case environmentVariable
    /// A key of a ConfigMap or Secret.
    case configurationKey
    /// 1–15 of `a-z0-9-` with a letter, as port names are.
    case portName
    /// Anything that can be one segment of a path, as RBAC names are.
    case pathSegment

    /// What is wrong with `text`; empty where it is a name.
    package func problems(with text: String) -> [String] {
        switch self {
        case .dnsLabel: return Self.problems(text, limit: 63, NameRuleText.dnsLabel, NamePattern.isLabel)
        case .dnsLabel1035: return Self.problems(text, limit: 63, NameRuleText.dnsLabel1035, NamePattern.isLabel1035)
        case .dnsSubdomain: return Self.problems(text, limit: 253, NameRuleText.dnsSubdomain, NamePattern.isSubdomain)
        case .labelValue: return Self.problems(text, limit: 63, NameRuleText.labelValue) { $0.isEmpty || NamePattern.isWord($0) }
        case .qualifiedName: return Self.qualifiedNameProblems(text)
        case .environmentVariable:
            let problems = NamePattern.isEnvironmentName(Array(text.utf8)) ? [] : [NameRuleText.environmentVariable]
            return problems + Self.dotProblems(text)
        case .configurationKey:
            return Self.problems(text, limit: 253, NameRuleText.configurationKey) { !$0.isEmpty && $0.allSatisfy(NamePattern.isWordByte) }
                + Self.dotProblems(text)
        case .portName: return Self.portNameProblems(text)
        case .pathSegment:
            if text == "." || text == ".." { return ["may not be '\(text)'"] }
            return ["/", "%"].filter(text.contains).map { "may not contain '\($0)'" }
        }
    }

    package func accepts(_ text: String) -> Bool { problems(with: text).isEmpty }

    private static func problems(_ text: String, limit: Int, _ sentence: String, _ matches: ([UInt8]) -> Bool) -> [String] {
        var problems: [String] = []
        if text.utf8.count > limit { problems.append("must be no more than \(limit) characters") }
        if !matches(Array(text.utf8)) { problems.append(sentence) }
        return problems
    }

    private static func dotProblems(_ text: String) -> [String] {
        if text == "." || text == ".." { return ["must not be '\(text)'"] }
        return text.hasPrefix("..") ? ["must not start with '..'"] : []
    }

    private static func qualifiedNameProblems(_ text: String) -> [String] {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        var problems: [String] = []
        let name: String
        switch parts.count {
        case 1: name = parts[0]
        case 2:
            name = parts[1]
            if parts[0].isEmpty {
                problems.append("prefix part must be non-empty")
            } else {
                problems += NameRule.dnsSubdomain.problems(with: parts[0]).map { "prefix part \($0)" }
            }
        default:
            return ["a qualified name \(NameRuleText.qualifiedNamePart) with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"]
        }
        if name.isEmpty {
            problems.append("name part must be non-empty")
        } else if name.utf8.count > 63 {
            problems.append("name part must be no more than 63 characters")
        }
        if !NamePattern.isWord(Array(name.utf8)) { problems.append("name part \(NameRuleText.qualifiedNamePart)") }
        return problems
    }

    private static func portNameProblems(_ text: String) -> [String] {
        let bytes = Array(text.utf8)
        var problems: [String] = []
        if bytes.count > 15 { problems.append("must be no more than 15 characters") }
        if bytes.isEmpty || !bytes.allSatisfy({ NamePattern.isLowerAlphanumeric($0) || $0 == UInt8(ascii: "-") }) {
            problems.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
        }
        if !bytes.contains(where: NamePattern.isLowerLetter) { problems.append("must contain at least one letter (a-z)") }
        if text.contains("--") { problems.append("must not contain consecutive hyphens") }
        if bytes.first == UInt8(ascii: "-") || bytes.last == UInt8(ascii: "-") { problems.append("must not begin or end with a hyphen") }
        return problems
    }
}

private enum NamePattern {
    static func isLowerLetter(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }
    static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    static func isLowerAlphanumeric(_ byte: UInt8) -> Bool { isLowerLetter(byte) || isDigit(byte) }
    static func isAlphanumeric(_ byte: UInt8) -> Bool { isLowerAlphanumeric(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) }
    static func isWordByte(_ byte: UInt8) -> Bool { isAlphanumeric(byte) || "-_.".utf8.contains(byte) }

    static func isLabel(_ bytes: [UInt8]) -> Bool { isLabel(bytes[...]) }

    static func isLabel(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard let first = bytes.first, let last = bytes.last, isLowerAlphanumeric(first), isLowerAlphanumeric(last) else { return false }
        return bytes.allSatisfy { isLowerAlphanumeric($0) || $0 == UInt8(ascii: "-") }
    }

    static func isLabel1035(_ bytes: [UInt8]) -> Bool { isLabel(bytes) && bytes.first.map(isLowerLetter) ?? false }

    static func isSubdomain(_ bytes: [UInt8]) -> Bool {
        bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy(isLabel)
    }

    static func isWord(_ bytes: [UInt8]) -> Bool {
        guard let first = bytes.first, let last = bytes.last, isAlphanumeric(first), isAlphanumeric(last) else { return false }
        return bytes.allSatisfy(isWordByte)
    }

    static func isEnvironmentName(_ bytes: [UInt8]) -> Bool {
        guard let first = bytes.first, !isDigit(first) else { return false }
        return bytes.allSatisfy(isWordByte)
    }
}

/// The sentences of Kubernetes; users and tests know them by heart.
private enum NameRuleText {
    static let labelPattern = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
    static let dnsLabel =
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
        + "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '\(labelPattern)')"
    static let dnsLabel1035 =
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an "
        + "alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
    static let dnsSubdomain =
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an "
        + "alphanumeric character (e.g. 'example.com', regex used for validation is '\(labelPattern)(\\.\(labelPattern))*')"
    static let qualifiedNamePart =
        "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
        + "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
    static let labelValue =
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
        + "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
        + "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
    static let environmentVariable =
        "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit "
        + "(e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')"
    static let configurationKey =
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', "
        + "regex used for validation is '[-._a-zA-Z0-9]+')"
}

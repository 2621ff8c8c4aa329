extension LabelSelector {
    /// Reads the text form, `a=b,c!=d,e in (x,y),f notin (z),g,!h,i>3`; empty text selects everything.
    ///
    /// Throws `BadRequest` with the place that cannot be read.
    package init(parsing text: String) throws(KubeStatus) {
        var parser = LabelSelectorParser(text)
        self.init(try parser.requirements())
    }
}

private struct LabelSelectorParser {
    private enum Token: Equatable {
        case word(String)
        case symbol(String)
        case end

        var text: String {
            switch self {
            case .word(let text), .symbol(let text): text
            case .end: ""
            }
        }
    }

    private let text: String
    private var rest: Substring
    private var token = Token.end

    init(_ text: String) {
        self.text = text
        rest = text[...]
    }

    mutating func requirements() throws(KubeStatus) -> [LabelSelector.Requirement] {
        var found: [LabelSelector.Requirement] = []
        advance()
        if token == .end { return [] }
        while true {
            found.append(try requirement())
            if token == .end { return found }
            guard token == .symbol(",") else { throw failure("found '\(token.text)', expected: ',' or 'end of string'") }
            advance()
            if token == .end { throw failure("found '', expected: identifier after ','") }
        }
    }

    private mutating func requirement() throws(KubeStatus) -> LabelSelector.Requirement {
        if token == .symbol("!") {
            advance()
            return LabelSelector.Requirement(try key(), .doesNotExist)
        }
        let key = try key()
        let operation = token.text
        switch token {
        case .end, .symbol(","): return LabelSelector.Requirement(key, .exists)
        case .symbol("="), .symbol("=="):
            advance()
            return LabelSelector.Requirement(key, .in, [try value()])
        case .symbol("!="):
            advance()
            return LabelSelector.Requirement(key, .notIn, [try value()])
        case .symbol(">"), .symbol("<"):
            advance()
            let limit = try value()
            guard Int64(limit) != nil else { throw failure("for 'Gt', 'Lt' operators, the value must be an integer") }
            return LabelSelector.Requirement(key, operation == ">" ? .greaterThan : .lessThan, [limit])
        case .word("in"), .word("notin"):
            advance()
            return LabelSelector.Requirement(key, operation == "in" ? .in : .notIn, try values())
        default: throw failure("found '\(operation)', expected: in, notin, =, ==, !=, gt, lt")
        }
    }

    private mutating func key() throws(KubeStatus) -> String {
        guard case .word(let key) = token else { throw failure("found '\(token.text)', expected: !, identifier, or 'end of string'") }
        if let problem = NameRule.qualifiedName.problems(with: key).first { throw failure("invalid label key \"\(key)\": \(problem)") }
        advance()
        return key
    }

    private mutating func value() throws(KubeStatus) -> String {
        guard case .word(let value) = token else {
            if token == .end || token == .symbol(",") { return "" }
            throw failure("found '\(token.text)', expected: identifier")
        }
        if let problem = NameRule.labelValue.problems(with: value).first { throw failure("invalid label value: \"\(value)\": \(problem)") }
        advance()
        return value
    }

    private mutating func values() throws(KubeStatus) -> [String] {
        guard token == .symbol("(") else { throw failure("found '\(token.text)' expected: '('") }
        advance()
        var found: Set<String> = []
        while true {
            found.insert(try value())
            if token == .symbol(",") {
                advance()
                continue
            }
            guard token == .symbol(")") else { throw failure("found '\(token.text)', expected: ',' or ')'") }
            advance()
            return found.sorted()
        }
    }

    private mutating func advance() {
        rest = rest.drop { $0 == " " || $0 == "\t" }
        guard let first = rest.first else {
            token = .end
            return
        }
        for symbol in ["==", "!=", "=", "!", ",", "(", ")", ">", "<"] where rest.hasPrefix(symbol) {
            rest = rest.dropFirst(symbol.count)
            token = .symbol(symbol)
            return
        }
        let word = rest.prefix { !"=!,()<> \t".contains($0) }
        rest = rest.dropFirst(max(word.count, 1))
        token = .word(word.isEmpty ? String(first) : String(word))
    }

    private func failure(_ cause: String) -> KubeStatus { .badRequest("unable to parse requirement: \(cause) in \"\(text)\"") }
}

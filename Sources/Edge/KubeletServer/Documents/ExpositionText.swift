import Primitives

/// Figures of one moment in the text format of Prometheus.
struct ExpositionText: Sendable {
    enum Kind: String, Sendable { case counter, gauge }

    /// The samples of one name.
    struct Family: Sendable {
        fileprivate let name: String
        fileprivate var lines = ""

        /// Adds one sample; `time` where it was taken earlier than it is asked for. Nothing where there is no value.
        mutating func sample(_ labels: KeyValuePairs<String, String>, _ value: Double?, at time: Timestamp? = nil) {
            guard let value else { return }
            let inner = labels.map { "\($0.key)=\"\(ExpositionText.escaped($0.value))\"" }.joined(separator: ",")
            lines += inner.isEmpty ? name : "\(name){\(inner)}"
            lines += " \(ExpositionText.number(value))"
            if let time { lines += " \(time.milliseconds)" }
            lines += "\n"
        }
    }

    private(set) var text = ""

    /// Adds a name with its samples; without a sample there is no name.
    mutating func family(_ name: String, _ kind: Kind, _ help: String, _ fill: (inout Family) -> Void) {
        var family = Family(name: name)
        fill(&family)
        guard !family.lines.isEmpty else { return }
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n\(family.lines)"
    }

    static func number(_ value: Double) -> String { Int64(exactly: value).map { String($0) } ?? "\(value)" }

    static func escaped(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 == 92 || $0 == 34 || $0 == 10 }) else { return text }
        return text.reduce(into: "") { result, character in
            switch character {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.append(character)
            }
        }
    }
}

extension UInt64 {
    var sample: Double { Double(self) }
    /// Of nanoseconds.
    var seconds: Double { Double(self) / 1e9 }
}

/// Arguments in Go's manner: `--name=value`, `--name value`, `-v 4`, `-v=4`, `-v4`; a switch takes a value only behind `=`.
///
/// Positional arguments are ignored, as the programs always did; `--` ends the flags.
package struct CommandLineArguments: Sendable {
    /// One flag that is understood.
    package struct Flag: Sendable {
        package enum Kind: Sendable { case text, number, switching }

        let name: String
        let short: Character?
        let kind: Kind
        let help: String

        /// A flag `--name`, with `short` also `-s`; `help` is its line in the usage text.
        package init(_ name: String, short: Character? = nil, _ kind: Kind = .text, help: String) {
            self.name = name
            self.short = short
            self.kind = kind
            self.help = help
        }
    }

    private var values: [String: String] = [:]

    /// Reads arguments (without the program's name). Throws for an unknown flag and for a value that does not fit.
    package init(_ arguments: [String], flags: [Flag]) throws(ArgumentError) {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            if argument == "--" { break }
            guard argument.hasPrefix("-"), argument != "-" else { continue }
            let (flag, inline) = try Self.flag(in: argument, of: flags)
            let value: String
            switch (flag.kind, inline) {
            case (_, .some(let text)): value = text
            case (.switching, nil): value = "true"
            case (_, nil):
                guard let next = rest.popFirst() else { throw ArgumentError(message: "flag needs an argument: \(argument)") }
                value = next
            }
            try Self.check(value, of: flag)
            values[flag.name] = value
        }
    }

    /// The value of a flag; the last one counts.
    package func text(_ name: String) -> String? { values[name] }

    /// The value of a number.
    package func number(_ name: String) -> Int? { values[name].flatMap { Int($0) } }

    /// Whether a switch is on.
    package func isOn(_ name: String) -> Bool { values[name].flatMap(Self.truth) ?? false }

    /// The lines that `--help` prints for the flags.
    package static func usage(_ flags: [Flag]) -> String {
        let heads = flags.map { flag in (flag.short.map { "  -\($0), " } ?? "      ") + "--\(flag.name)" }
        let width = (heads.map(\.count).max() ?? 0) + 3
        return zip(heads, flags).map { head, flag in head + String(repeating: " ", count: width - head.count) + flag.help + "\n" }.joined()
    }

    private static func flag(in argument: String, of flags: [Flag]) throws(ArgumentError) -> (Flag, String?) {
        let body = argument.drop { $0 == "-" }
        let parts = body.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts.first ?? "")
        let inline = parts.count == 2 ? String(parts[1]) : nil
        if argument.hasPrefix("--") || name.count > 1 {
            if let flag = flags.first(where: { $0.name == name }) { return (flag, inline) }
        }
        if !argument.hasPrefix("--"), let letter = name.first, let flag = flags.first(where: { $0.short == letter || $0.name == String(letter) }) {
            if name.count == 1 { return (flag, inline) }
            if flag.kind != .switching { return (flag, String(body.dropFirst())) }
        }
        throw ArgumentError(
            message: argument.hasPrefix("--") ? "unknown flag: --\(name)" : "unknown shorthand flag: '\(name.prefix(1))' in \(argument)")
    }

    private static func check(_ value: String, of flag: Flag) throws(ArgumentError) {
        let isRight =
            switch flag.kind {
            case .text: true
            case .number: Int(value) != nil
            case .switching: truth(value) != nil
            }
        if !isRight { throw ArgumentError(message: "invalid argument \"\(value)\" for \"--\(flag.name)\" flag") }
    }

    private static func truth(_ text: String) -> Bool? {
        switch text {
        case "true", "TRUE", "True", "t", "T", "1": true
        case "false", "FALSE", "False", "f", "F", "0": false
        default: nil
        }
    }
}

/// Why the arguments make no sense.
package struct ArgumentError: Error, Sendable, Hashable, CustomStringConvertible {
    package let message: String

    package var description: String { message }
}

/// One breach of the house rules, at a line of a file.
package struct Finding: Sendable, Hashable, Comparable, CustomStringConvertible {
    package let path: String
    package let line: Int
    package let rule: String
    package let message: String

    package var description: String { "\(path):\(line): error: [\(rule)] \(message)" }

    package static func < (left: Finding, right: Finding) -> Bool {
        (left.path, left.line, left.rule) < (right.path, right.line, right.rule)
    }
}

/// A Swift file as the rules see it.
package struct SourceFile: Sendable {
    /// Below the root of the project, `Sources/Cores/PodCore/Probe.swift`.
    package let path: String
    package let lines: [Substring]

    package init(path: String, text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    }

    var name: Substring { path.split(separator: "/").last ?? "" }
    var isTest: Bool { path.hasPrefix("Tests/") || path.hasPrefix("Benchmarks/") }
    var isExecutable: Bool { path.hasPrefix("Sources/Executables/") }
    var isGenerated: Bool { path.contains("/Generated/") }

    /// The room of a file below `Sources/<storey>/<room>` or `Testing/<room>`.
    var room: Substring? {
        let parts = path.split(separator: "/")
        return switch parts.first {
        case "Sources" where parts.count > 3: parts[2]
        case "Testing" where parts.count > 2: parts[1]
        default: nil
        }
    }

    /// The lines without what stands in comments and string literals, so that words there are no breach.
    var code: [String] {
        var isInText = false
        return lines.map { line in
            let marks = line.split(separator: "\"\"\"", omittingEmptySubsequences: false).count - 1
            defer { if marks % 2 == 1 { isInText.toggle() } }
            if isInText { return "" }
            return Self.stripped(line)
        }
    }

    private static func stripped(_ line: Substring) -> String {
        var result = ""
        var isInString = false
        var previous: Character = " "
        for character in line {
            if character == "\"", previous != "\\" {
                isInString.toggle()
            } else if !isInString {
                if character == "/", previous == "/" {
                    result.removeLast()
                    return result
                }
                result.append(character)
            }
            previous = character
        }
        return result
    }
}

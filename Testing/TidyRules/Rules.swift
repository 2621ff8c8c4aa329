/// The rules of the house that a compiler does not know and a program can see.
package enum TidyRules {
    /// Everything that is wrong in a file, in the order of its lines.
    package static func findings(in file: SourceFile) -> [Finding] {
        guard !file.isGenerated else { return [] }
        return (size(file) + names(file) + traps(file) + tasks(file) + sleeping(file) + imports(file) + documentation(file)).sorted()
    }

    static let longestFile = 400
    static let longestFunction = 70

    private static func finding(_ file: SourceFile, _ index: Int, _ rule: String, _ message: String) -> Finding {
        Finding(path: file.path, line: index + 1, rule: rule, message: message)
    }

    /// A file has at most 400 lines, a function at most 70.
    private static func size(_ file: SourceFile) -> [Finding] {
        var findings: [Finding] = []
        let length = file.lines.last?.isEmpty == true ? file.lines.count - 1 : file.lines.count
        if length > longestFile, !file.isTest {
            findings.append(finding(file, 0, "file-length", "\(length) lines, at most \(longestFile): split it by facet"))
        }
        var starts: [(index: Int, indentation: Int)] = []
        for (index, line) in file.code.enumerated() {
            let indentation = line.prefix { $0 == " " }.count
            let words = line.split(separator: " ")
            if let start = starts.last, indentation == start.indentation, words.first?.hasPrefix("}") == true {
                starts.removeLast()
                if index - start.index - 1 > longestFunction, !file.isTest {
                    findings.append(
                        finding(
                            file, start.index, "function-length",
                            "\(index - start.index - 1) lines, at most \(longestFunction): take a step out of it"))
                }
            }
            let isFunction = words.contains("func") || words.contains { $0.hasPrefix("init(") || $0.hasPrefix("init<") }
            if isFunction, line.hasSuffix("{") || !line.contains("}") && !line.contains("{") {
                // A declaration without a body (in a protocol) is closed by the next line of its own indentation.
                if line.hasSuffix("{") || line.hasSuffix("(") { starts.append((index, indentation)) }
            }
        }
        return findings
    }

    /// No rooms or types that anybody could put anything into, and no type that carries its module's name.
    private static func names(_ file: SourceFile) -> [Finding] {
        var findings: [Finding] = []
        let vague = ["Helper", "Helpers", "Util", "Utils", "Common", "Manager"]
        let ofUpstream = ["MetaManager", "TaskManager"]
        for (index, line) in file.code.enumerated() {
            let words = line.split { !$0.isLetter && !$0.isNumber && $0 != "_" }
            for (keyword, name) in zip(words, words.dropFirst()) where ["struct", "class", "enum", "actor", "protocol"].contains(keyword) {
                if vague.contains(where: name.hasSuffix), !ofUpstream.contains(where: name.hasPrefix) {
                    findings.append(finding(file, index, "vague-name", "\(name) says nothing about what it is"))
                }
                if file.room == name, !ofUpstream.contains(String(name)), !sharesItsName.contains(String(name)) {
                    findings.append(finding(file, index, "module-name", "\(name) carries the name of its module"))
                }
            }
        }
        return findings
    }

    /// Rooms whose one main type has the room's name because upstream's module is called so.
    static let sharesItsName: Set<String> = [
        "ObjectStore", "CloudHub", "EdgeHub", "EdgeController", "SyncController", "Edged", "KubeClient", "KubeServer", "TidyRules",
    ]

    /// Nothing traps on what comes from outside; each exception says why.
    private static func traps(_ file: SourceFile) -> [Finding] {
        guard !file.isTest else { return [] }
        var findings: [Finding] = []
        for (index, line) in file.code.enumerated() {
            for trap in ["try!", "as!", "fatalError("] where line.contains(trap) {
                findings.append(
                    finding(file, index, "trap", "\(trap) ends the process: throw a typed error, or state an invariant with a precondition"))
            }
            if line.contains("@unchecked Sendable"), !explained(file, index, "SAFETY:") {
                findings.append(finding(file, index, "unchecked", "@unchecked Sendable needs a line `// SAFETY:` above it that says why it holds"))
            }
        }
        return findings
    }

    private static func explained(_ file: SourceFile, _ index: Int, _ mark: String) -> Bool {
        file.lines[max(0, index - 4)...index].contains { $0.contains("// \(mark)") }
    }

    /// Structured concurrency only: tasks live in groups, except in an executable's main file, and where a group for each of thousands would cost
    /// too much: there it is said who waits for the task.
    private static func tasks(_ file: SourceFile) -> [Finding] {
        guard !file.isTest, !file.isExecutable else { return [] }
        return file.code.enumerated().compactMap { index, line in
            let words = line.split { !$0.isLetter && $0 != "." && $0 != "{" && $0 != "(" }
            guard
                line.contains("Task.detached") || zip(words, words.dropFirst()).contains(where: { $0 == "Task" && $1.hasPrefix("{") })
                    || words.contains("Task{")
            else { return nil }
            if explained(file, index, "WAITED:") { return nil }
            return finding(
                file, index, "loose-task", "a task that nobody waits for: put it into a task group under run(), or say after `// WAITED:` who waits")
        }
    }

    /// Tests wait for a signal, never for time to pass.
    private static func sleeping(_ file: SourceFile) -> [Finding] {
        guard file.path.hasPrefix("Tests/") else { return [] }
        return file.code.enumerated().compactMap { index, line in
            guard line.contains("Task.sleep") || line.contains("usleep(") || line.contains(" sleep("), !explained(file, index, "WAITS:") else {
                return nil
            }
            return finding(file, index, "sleep", "a test that sleeps: wait for a signal, or say after `// WAITS:` what is polled and why")
        }
    }

    /// Full Foundation brings the ICU data, tens of megabytes, into every program that links it.
    private static func imports(_ file: SourceFile) -> [Finding] {
        guard !file.isTest else { return [] }
        return file.code.enumerated().compactMap { index, line in
            guard line.hasSuffix("import Foundation") else { return nil }
            return finding(file, index, "foundation", "import FoundationEssentials: Foundation brings the ICU data into the programs")
        }
    }

    /// What other rooms see has a sentence of documentation.
    private static func documentation(_ file: SourceFile) -> [Finding] {
        guard !file.isTest, !file.isExecutable else { return [] }
        var findings: [Finding] = []
        for (index, line) in file.code.enumerated() {
            let words = line.split(separator: " ")
            guard words.first == "package" || words.first == "public",
                words.contains(where: { ["struct", "class", "enum", "actor", "protocol"].contains($0) })
            else { continue }
            var above = index - 1
            while above >= 0, file.lines[above].drop(while: { $0 == " " }).hasPrefix("@") { above -= 1 }
            if above < 0 || !file.lines[above].drop(while: { $0 == " " }).hasPrefix("///") {
                if line.hasPrefix(" ") { continue }
                findings.append(finding(file, index, "documentation", "a declaration that other rooms see needs a sentence that says what it is"))
            }
        }
        return findings
    }
}

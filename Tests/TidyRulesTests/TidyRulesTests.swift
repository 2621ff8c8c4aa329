import Testing
import TidyRules

@Suite("The tidy tool")
struct TidyRulesTests {
    private func rules(_ text: String, at path: String = "Sources/Cores/PodCore/File.swift") -> [String] {
        TidyRules.findings(in: SourceFile(path: path, text: text)).map(\.rule)
    }

    @Test(
        "a breach is found",
        arguments: [
            ("let x = try! f()", "trap"),
            ("let x = y as! Z", "trap"),
            ("fatalError(\"no\")", "trap"),
            ("final class Box: @unchecked Sendable {}", "unchecked"),
            ("struct PodHelper {}", "vague-name"),
            ("enum PodCore {}", "module-name"),
            ("Task { await f() }", "loose-task"),
            ("Task.detached { }", "loose-task"),
            ("import Foundation", "foundation"),
            ("package struct Undocumented {}", "documentation"),
        ])
    func breaches(text: String, rule: String) {
        #expect(rules(text) == [rule])
    }

    @Test(
        "what looks like a breach and is none",
        arguments: [
            "// try! is not allowed",
            "let text = \"try! fatalError(\"",
            "// SAFETY: the lock guards it.\nfinal class Box: @unchecked Sendable {}",
            "let text = \"\"\"\n  try! what you like as! much\n  \"\"\"",
            "actor MetaManager {}",
            "import FoundationEssentials",
            "// WAITED: by `stop`.\nlet work = Task { await f() }",
            "/// A documented one.\npackage struct Documented {}",
            "await withTaskGroup { group in group.addTask { } }",
            "let task: Task<Void, Never>",
        ])
    func innocent(text: String) {
        #expect(rules(text) == [])
    }

    @Test("long files and long functions are found")
    func lengths() {
        let body = Array(repeating: "    f()", count: 71).joined(separator: "\n")
        #expect(rules("func long() {\n\(body)\n}\n") == ["function-length"])
        #expect(rules("func shorter() {\n\(body.dropLast(8))\n}\n") == [])
        #expect(rules(Array(repeating: "let x = 1", count: 401).joined(separator: "\n")) == ["file-length"])
    }

    @Test("a test that sleeps is found, one that says what it polls is not")
    func sleeping() {
        #expect(rules("try await Task.sleep(for: .seconds(1))", at: "Tests/X/Y.swift") == ["sleep"])
        #expect(rules("// WAITS: polls the runtime, which gives no signal.\ntry await Task.sleep(for: .seconds(1))", at: "Tests/X/Y.swift") == [])
    }

    @Test("generated files are left alone")
    func generated() {
        #expect(rules("try! f()", at: "Sources/Adapters/ContainerRuntime/Generated/api.swift") == [])
    }
}

import FoundationEssentials
import TidyRules

// `tidy [ROOT]`: checks every Swift file of the project against the house rules; exit 1 where one is broken.

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

let root = CommandLine.arguments.dropFirst().first ?? "."
var findings: [Finding] = []
var count = 0
for folder in ["Sources", "Testing", "Tests", "Benchmarks"] {
    for path in (try? FileManager.default.subpathsOfDirectory(atPath: "\(root)/\(folder)")) ?? [] {
        guard path.hasSuffix(".swift"), !path.contains(".build/") else { continue }
        let full = "\(folder)/\(path)"
        guard let data = FileManager.default.contents(atPath: "\(root)/\(full)"), let text = String(validating: data, as: UTF8.self) else {
            print("\(full):1: error: [unreadable] the file cannot be read as UTF-8")
            exit(1)
        }
        count += 1
        findings += TidyRules.findings(in: SourceFile(path: full, text: text))
    }
}
for finding in findings.sorted() { print(finding) }
print("tidy: \(count) files, \(findings.count) findings")
exit(findings.isEmpty ? 0 : 1)

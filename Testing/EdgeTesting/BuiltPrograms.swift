internal import Glibc

/// Where the programs lie that were built with the tests.
package enum BuiltPrograms {
    /// Beside the tests, or where KUBEEDGE_PROGRAMS says; nil where neither is known.
    package static var folder: String? {
        if let value = getenv("KUBEEDGE_PROGRAMS") { return String(cString: value) }
        let bundle = CommandLine.arguments.first { $0.contains(".xctest") }
        return bundle.map { $0.split(separator: "/").prefix { !$0.contains(".xctest") }.reduce(into: "") { $0 += "/\($1)" } }
    }
}

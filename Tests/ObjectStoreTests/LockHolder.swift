import Foundation
import Primitives

/// SQLite's own shell as another process.
enum SQLiteShell {
    static let program = URL(filePath: "/usr/bin/sqlite3")

    /// Runs a script to its end; what it wrote, errors among it.
    static func run(_ path: String, _ script: String) throws -> String {
        let shell = Process()
        shell.executableURL = program
        shell.arguments = [path, script]
        let output = Pipe()
        shell.standardOutput = output
        shell.standardError = output
        try shell.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        shell.waitUntilExit()
        return String(decoding: text, as: UTF8.self)
    }
}

/// Another process that has a database to itself.
final class LockHolder {
    private let shell = Process()
    private let input = Pipe()
    private let output = Pipe()

    var identifier: Int32 { shell.processIdentifier }

    /// `script`: what it does with the database while it holds it. `ends`: whether it gives it back by itself then.
    init(_ path: String, script: String, ends: Bool) throws {
        shell.executableURL = SQLiteShell.program
        shell.arguments = ["-batch", path]
        shell.standardInput = input
        shell.standardOutput = output
        try shell.run()
        try input.fileHandleForWriting.write(contentsOf: Data("BEGIN EXCLUSIVE;\nSELECT 'held';\n\(script)".utf8))
        if ends { try input.fileHandleForWriting.close() }
    }

    /// Returns once it has the database.
    func holds() async { _ = try? output.fileHandleForReading.read(upToCount: 1) }

    /// Lets it go, and returns once it is gone.
    func end() async {
        try? input.fileHandleForWriting.close()
        shell.waitUntilExit()
    }
}

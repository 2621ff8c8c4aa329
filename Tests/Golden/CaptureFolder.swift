import Foundation
import Primitives
import Testing

/// One line of kind `message` of a capture.
struct CapturedMessage: CustomTestStringConvertible, Sendable {
    var file: String
    var line: Int
    var isDownstream: Bool
    var raw: JSONValue

    var testDescription: String { "\(file):\(line)" }
}

/// A folder of captures: every `*.jsonl` in it.
struct CaptureFolder: Sendable {
    let path: String

    /// The captures that are kept with the tests.
    static let own = CaptureFolder(path: URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Captures").path())

    /// Those, and the folder that the environment variable `WIRE_CAPTURES` names.
    static var all: [CaptureFolder] {
        [own] + (ProcessInfo.processInfo.environment["WIRE_CAPTURES"].map { [CaptureFolder(path: $0)] } ?? [])
    }

    /// The files, in order of their names.
    func files() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path).filter { $0.hasSuffix(".jsonl") }.sorted()
    }

    /// The messages of a file; lines of other kinds (certificate requests, tunnel frames, gRPC calls) are passed over.
    func messages(_ file: String) throws -> [CapturedMessage] {
        let text = try String(contentsOfFile: path + "/" + file, encoding: .utf8)
        var messages: [CapturedMessage] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() where !line.isEmpty {
            let entry = try JSONValue(parsing: String(line))
            guard entry["kind"].string == "message" else { continue }
            var raw = entry["raw"]
            if case .string(let document) = raw { raw = try JSONValue(parsing: document) }
            messages.append(CapturedMessage(file: file, line: index + 1, isDownstream: entry["dir"].string == "cloud->edge", raw: raw))
        }
        return messages
    }
}

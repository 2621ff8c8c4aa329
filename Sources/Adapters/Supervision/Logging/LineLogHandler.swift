import Glibc
package import Logging
package import Primitives

/// Writes one line a log event to standard error: `2024-06-01T10:00:00.000000Z info cloudhub node connected node=edge-1`.
///
/// Values with blanks, quotes or control characters stand in JSON quotes, so that a line always is one event.
package struct LineLogHandler: LogHandler {
    package enum Form: String, Sendable { case text, json }

    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    private let module: String
    private let form: Form
    private let write: @Sendable ([UInt8]) -> Void
    private let now: @Sendable () -> Timestamp

    /// `module` is the label of the logger, which every line carries.
    package init(
        module: String, level: Logger.Level, form: Form = .text, now: @escaping @Sendable () -> Timestamp = { SystemClock().now().wall },
        write: @escaping @Sendable ([UInt8]) -> Void = LineLogHandler.writeToStandardError
    ) {
        self.module = module
        self.form = form
        self.write = write
        self.now = now
        logLevel = level
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { _, new in new } }
        if let own = event.metadata { all.merge(own) { _, new in new } }
        if let error = event.error, all["error"] == nil { all["error"] = "\(error)" }
        let entries = all.sorted { $0.key < $1.key }
        switch form {
        case .text:
            var line = "\(now().rfc3339Micro) \(event.level) \(module) \(event.message)"
            for (key, value) in entries { line += " \(key)=\(Self.quotedWhereNeeded("\(value)"))" }
            write(Array(line.utf8) + [UInt8(ascii: "\n")])
        case .json:
            var object: JSONValue = [
                "time": .string(now().rfc3339Micro), "level": .string("\(event.level)"), "module": .string(module),
                "message": .string("\(event.message)"),
            ]
            for (key, value) in entries { object[key] = .string("\(value)") }
            write(object.encoded() + [UInt8(ascii: "\n")])
        }
    }

    /// One `write` call a line, so that lines of several processes do not mix.
    package static func writeToStandardError(_ line: [UInt8]) {
        var rest = line[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    private static func quotedWhereNeeded(_ text: String) -> String {
        let isPlain = !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 != UInt8(ascii: "\"") && $0 != 0x7F }
        return isPlain ? text : JSONValue.string(text).text()
    }
}

extension Logger.Level {
    /// The level of klog's verbosity: 0 to 2 information, 3 and 4 details, from 5 on everything.
    package init(verbosity: Int) {
        self = verbosity <= 2 ? .info : verbosity <= 4 ? .debug : .trace
    }
}

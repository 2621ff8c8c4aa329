package import Logging
import Synchronization

/// What a test's subject logged, from level info on: `error store is damaged cause=… path=…`.
package final class LogRecorder: Sendable {
    private struct Handler: LogHandler {
        let recorder: LogRecorder
        var metadata: Logger.Metadata = [:]
        var metadataProvider: Logger.MetadataProvider?
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let entries = metadata.merging(event.metadata ?? [:]) { _, new in new }.sorted { $0.key < $1.key }
            recorder.add("\(event.level) \(event.message)" + entries.map { " \($0.key)=\($0.value)" }.joined())
        }
    }

    private let recorded = Mutex<[String]>([])

    package init() {}

    package var logger: Logger { Logger(label: "test") { _ in Handler(recorder: self) } }

    package var lines: [String] { recorded.withLock { $0 } }

    private func add(_ line: String) { recorded.withLock { $0.append(line) } }
}

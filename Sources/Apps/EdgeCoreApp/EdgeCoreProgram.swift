import CMalloc
import Glibc
import Logging
import NIOCore
import Primitives
import Supervision

/// `edgecore` from its arguments to its exit status.
package enum EdgeCoreProgram {
    /// Runs the program; returns its exit status: 0 after a stop that was asked for, 1 with a sentence on standard error.
    package static func main(_ arguments: [String]) async -> Int32 {
        saveMemory()
        let host = HostFacts.read()
        switch EdgeCoreConfiguration.command(host: host).evaluate(arguments, read: { try FileText.read($0) }) {
        case .show(let text):
            print(text, terminator: "")
            return 0
        case .refuse(let text):
            complain(text)
            return 1
        case .run(let start):
            do {
                let configuration = try EdgeCoreConfiguration(values: start.values)
                let level = Logger.Level(verbosity: start.verbosity)
                let form: LineLogHandler.Form = start.logsAsJSON ? .json : .text
                let stop = ProcessSignals.terminations()
                try await EdgeCore(configuration: configuration) { name in
                    Logger(label: name) { LineLogHandler(module: $0, level: level, form: form) }
                }.run(stop: stop)
                return 0
            } catch {
                complain("edgecore: \(error)\n")
                return 1
            }
        }
    }

    /// One network thread serves one line and one runtime, and one malloc arena wastes less than one a thread.
    private static func saveMemory() {
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_TRIM_THRESHOLD, 64 << 10)
        mallopt(M_MMAP_THRESHOLD, 64 << 10)
        NIOSingletons.groupLoopCountSuggestion = 1
        NIOSingletons.blockingPoolThreadCountSuggestion = 1
    }

    private static func complain(_ text: String) {
        let bytes = Array(text.utf8)
        _ = write(STDERR_FILENO, bytes, bytes.count)
    }
}

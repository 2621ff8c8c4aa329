import Glibc
package import Primitives

/// Shows the steps of a long job: live on a terminal, one line a step in a pipe, or one JSON object a step.
package actor StepReporter {
    package enum Style: Sendable { case terminal, lines, json }

    private let style: Style
    private let clock: any MomentSource
    private let start: Duration

    package init(style: Style, clock: any MomentSource = SystemClock()) {
        self.style = style
        self.clock = clock
        start = clock.now().uptime
    }

    /// What suits the standard output.
    package static var detected: Style { isatty(1) == 1 ? .terminal : .lines }

    /// Does one step and says how long it took; `work` returns what to say of it.
    package func step(_ title: String, _ work: @Sendable () async throws -> String) async throws {
        let begin = clock.now().uptime
        if style == .terminal { write("  … \(title)") }
        do {
            let detail = try await work()
            finish(title, detail, begin, failed: false)
        } catch {
            finish(title, "\(error)", begin, failed: true)
            throw error
        }
    }

    private func finish(_ title: String, _ detail: String, _ begin: Duration, failed: Bool) {
        let seconds = Self.seconds(clock.now().uptime - begin)
        switch style {
        case .terminal, .lines:
            let mark = failed ? "✗" : "✓"
            let before = style == .terminal ? "\r\u{1B}[K" : ""
            // Whoever called tells the error once, at its end.
            write("\(before)  \(mark) \(title) (\(seconds) s)\(detail.isEmpty || failed ? "" : ": \(detail)")\n")
        case .json:
            let line: JSONValue = [
                "step": .string(title), "state": failed ? "failed" : "done", "seconds": .decimal(seconds), "detail": .string(detail),
            ]
            write(line.text() + "\n")
        }
    }

    /// Says what the whole job came to.
    package func conclude(_ text: String, _ facts: JSONValue) {
        let seconds = Self.seconds(clock.now().uptime - start)
        switch style {
        case .terminal, .lines: write("\n\(text)\n")
        case .json:
            var line: JSONValue = ["step": "done", "state": "done", "seconds": .decimal(seconds)]
            for (key, value) in facts.members { line[key] = value }
            write(line.text() + "\n")
        }
    }

    private func write(_ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(1, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }

    /// Seconds with two decimals.
    static func seconds(_ duration: Duration) -> String {
        let hundredths = Int64(duration / .milliseconds(10))
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
    }
}

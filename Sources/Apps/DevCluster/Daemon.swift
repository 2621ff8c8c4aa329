import Glibc
import Primitives

/// A program that goes on after this one has ended: known by its process and the moment that process began.
package struct Daemon: Sendable, Hashable {
    package let name: String
    package let process: Int32
    /// Clock ticks since the machine's start: a number that has come back to another program has other ones.
    package let startTicks: UInt64
    package let logFile: String

    package var isRunning: Bool { Self.startTicks(of: process) == startTicks }

    var json: JSONValue {
        [
            "name": .string(name), "process": .integer(Int64(process)), "startTicks": .integer(Int64(clamping: startTicks)),
            "log": .string(logFile),
        ]
    }

    init?(json: JSONValue) {
        guard let name = json["name"].string, let process = json["process"].int.flatMap(Int32.init(exactly:)),
            let ticks = json["startTicks"].int.flatMap(UInt64.init(exactly:))
        else { return nil }
        self.init(name: name, process: process, startTicks: ticks, logFile: json["log"].string ?? "")
    }

    /// `POSIX_SPAWN_SETSID` of glibc, which the imported headers show to GNU sources only.
    private static let newSession: Int16 = 0x80

    private init(name: String, process: Int32, startTicks: UInt64, logFile: String) {
        self.name = name
        self.process = process
        self.startTicks = startTicks
        self.logFile = logFile
    }

    /// Starts a program in a session of its own, so that it outlives the terminal.
    static func start(_ name: String, _ program: String, _ arguments: [String], logFile: String) throws(ClusterFailure) -> Daemon {
        guard let path = ChildProcess.find(program) else {
            throw ClusterFailure(code: .missingProgram, message: "\(program) is missing: build it (`make build`) or install its package")
        }
        let process = try ChildProcess.spawn(path, [program] + arguments, logFile: logFile, flags: Self.newSession)
        guard let ticks = startTicks(of: process) else {
            throw ClusterFailure(code: .startFailed, message: "\(name) ended at once: see \(logFile)")
        }
        return Daemon(name: name, process: process, startTicks: ticks, logFile: logFile)
    }

    /// Asks it to end and kills it after `grace`.
    func stop(grace: Duration, clock: any MomentSource) async {
        guard isRunning else { return }
        kill(process, SIGTERM)
        await waitForEnd(until: clock.now().uptime + grace, clock: clock)
        guard isRunning else { return }
        kill(process, SIGKILL)
        await waitForEnd(until: clock.now().uptime + .seconds(5), clock: clock)
    }

    private func waitForEnd(until deadline: Duration, clock: any MomentSource) async {
        while isRunning, clock.now().uptime < deadline {
            waitpid(process, nil, WNOHANG)
            do { try await clock.wait(until: clock.now().uptime + .milliseconds(20)) } catch { sched_yield() }
        }
    }

    /// The last lines of its log, for the message when it fails.
    func logTail(lines count: Int = 8) -> String {
        guard let bytes = try? HostFile.read(logFile) else { return "" }
        let lines = String(decoding: bytes.suffix(16384), as: UTF8.self).split(separator: "\n").suffix(count)
        return lines.map { "      \($0)" }.joined(separator: "\n")
    }

    /// When a process began; nil where there is none, or one that has ended and waits for its parent.
    private static func startTicks(of process: Int32) -> UInt64? {
        guard process > 0, let bytes = try? HostFile.read("/proc/\(process)/stat") else { return nil }
        // The second field is the program's name in parentheses and may hold blanks.
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 19, fields[0] != "Z" else { return nil }
        return UInt64(fields[19])
    }
}

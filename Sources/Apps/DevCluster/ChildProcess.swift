import Glibc
package import Primitives

/// A program that runs beside this one, with its output in a file.
///
/// It is ended by `stop`, never left to itself; whoever starts one keeps it until then.
package actor ChildProcess {
    package nonisolated let identifier: Int32
    package nonisolated let program: String
    private let clock: any MomentSource
    private var status: Int32?

    /// Starts `program` (a path, or a name looked up in PATH) in a process group of its own; the last part of what it says is in `logFile`.
    package init(_ program: String, _ arguments: [String], logFile: String, clock: any MomentSource = SystemClock()) throws(ClusterFailure) {
        guard let path = Self.find(program) else {
            throw ClusterFailure(code: .missingProgram, message: "\(program) is not installed: install the package that holds it")
        }
        self.program = program
        self.clock = clock
        identifier = try Self.spawn(path, [program] + arguments, logFile: logFile, flags: Int16(POSIX_SPAWN_SETPGROUP))
    }

    /// The exit status once it has ended; nil while it runs. A signal is shown as 128 and its number.
    package func exitStatus() -> Int32? {
        if let status { return status }
        var raw: Int32 = 0
        guard waitpid(identifier, &raw, WNOHANG) == identifier else { return nil }
        let signal = raw & 0x7F
        status = signal == 0 ? (raw >> 8) & 0xFF : 128 + signal
        return status
    }

    /// Asks it to end, and kills it after `grace`.
    package func stop(grace: Duration = .seconds(10)) async {
        guard exitStatus() == nil else { return }
        kill(identifier, SIGTERM)
        let deadline = clock.now().uptime + grace
        while exitStatus() == nil, clock.now().uptime < deadline { await pause() }
        guard exitStatus() == nil else { return }
        kill(identifier, SIGKILL)
        while exitStatus() == nil { await pause() }
    }

    /// Waits until it ends by itself.
    package func wait(for limit: Duration) async throws -> Int32 {
        let deadline = clock.now().uptime + limit
        while true {
            if let status = exitStatus() { return status }
            guard clock.now().uptime < deadline else {
                throw ClusterFailure(code: .timedOut, message: "\(program) did not end within \(limit)")
            }
            try await clock.wait(until: clock.now().uptime + .milliseconds(20))
        }
    }

    /// Stopping goes on when the caller is cancelled, so the short wait does not listen.
    private func pause() async {
        do { try await clock.wait(until: clock.now().uptime + .milliseconds(20)) } catch { sched_yield() }
    }

    /// The path of a program: as given, or from PATH and the system's own directories.
    package static func find(_ program: String) -> String? {
        if program.contains("/") { return access(program, X_OK) == 0 ? program : nil }
        let path = getenv("PATH").map { String(cString: $0) } ?? ""
        for directory in path.split(separator: ":").map(String.init) + [
            "/usr/local/bin", "/usr/local/sbin", "/usr/sbin", "/usr/bin", "/sbin", "/bin",
        ] {
            let candidate = "\(directory)/\(program)"
            if access(candidate, X_OK) == 0 { return candidate }
        }
        return nil
    }

    /// Starts a process with nothing to read and its output at the end of a file.
    static func spawn(_ path: String, _ arguments: [String], logFile: String, flags: Int16) throws(ClusterFailure) -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, logFile, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setflags(&attributes, flags | Int16(POSIX_SPAWN_SETSIGMASK))
        var argumentPointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for pointer in argumentPointers { free(pointer) } }
        var process: pid_t = 0
        let result = posix_spawn(&process, path, &actions, &attributes, &argumentPointers, environ)
        guard result == 0 else {
            throw ClusterFailure(code: .startFailed, message: "\(path) could not be started: \(String(cString: strerror(result)))")
        }
        return process
    }
}

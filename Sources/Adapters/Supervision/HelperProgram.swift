import Glibc
package import Primitives

/// A program of the machine that does one thing and ends, such as `mount` or `iptables`.
package struct HelperProgram: Sendable {
    package struct Result: Sendable {
        /// The exit status; 128 and the number of the signal that ended it.
        package var status: Int32
        /// The lines that it said on both of its outputs, at most 64 KiB.
        package var lines: [String]

        /// One line of what was said.
        package var output: String { lines.joined(separator: "; ") }
    }

    private let path: String
    private let arguments: [String]

    package init(_ path: String, _ arguments: [String]) {
        self.path = path
        self.arguments = arguments
    }

    /// Where the system keeps a program; nil where it is not installed.
    package static func find(_ name: String) -> String? {
        ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }

    /// Runs it to its end. Past `limit`, or when the task is cancelled, it is killed. Throws `HelperFailure` and `CancellationError`.
    package func run(limit: Duration, clock: any MomentSource = SystemClock()) async throws -> Result {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw HelperFailure.last("make a pipe for", path) }
        defer { close(ends[0]) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        let process: pid_t
        do { process = try spawn(output: ends[1]) } catch {
            close(ends[1])
            throw error
        }
        close(ends[1])
        let deadline = clock.now().uptime + limit
        var output: [UInt8] = []
        do {
            while true {
                var raw: Int32 = 0
                let ended = waitpid(process, &raw, WNOHANG)
                Self.drain(ends[0], into: &output)
                if ended == process { return Result(status: Self.status(raw), lines: Self.lines(output)) }
                guard ended == 0 || errno == EINTR else { throw HelperFailure.last("wait for", path) }
                guard clock.now().uptime < deadline else {
                    throw HelperFailure(message: "\(path) \(arguments.joined(separator: " ")) did not end within \(limit)")
                }
                try await clock.wait(until: clock.now().uptime + .milliseconds(20))
            }
        } catch {
            kill(process, SIGKILL)
            // What hangs in the kernel cannot be waited for.
            for _ in 0..<100 {
                if waitpid(process, nil, WNOHANG) != 0 { break }
                usleep(1000)
            }
            throw error
        }
    }

    private func spawn(output: Int32) throws(HelperFailure) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, output, 2)
        var words = Self.copies([path] + arguments)
        var surroundings = Self.copies(["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"])
        defer { for word in words + surroundings { free(word) } }
        var process: pid_t = 0
        let code = posix_spawn(&process, path, &actions, nil, &words, &surroundings)
        guard code == 0 else {
            errno = code
            throw .last("start", path)
        }
        return process
    }

    /// As C wants a list of texts: with nothing at its end.
    private static func copies(_ texts: [String]) -> [UnsafeMutablePointer<CChar>?] { texts.map { text in strdup(text) } + [nil] }

    private static func drain(_ pipe: Int32, into output: inout [UInt8]) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(pipe, &buffer, buffer.count)
            guard count > 0 else { return }
            output += buffer.prefix(min(count, max(0, (64 << 10) - output.count)))
        }
    }

    private static func status(_ raw: Int32) -> Int32 { raw & 0x7F == 0 ? (raw >> 8) & 0xFF : 128 + (raw & 0x7F) }

    private static func lines(_ bytes: [UInt8]) -> [String] { String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init) }
}

/// Why a helper program did not run to its end.
package struct HelperFailure: Error, Sendable, CustomStringConvertible {
    package var message: String

    package init(message: String) { self.message = message }

    package var description: String { message }

    /// With what the system says of the last call.
    static func last(_ action: String, _ path: String) -> HelperFailure {
        HelperFailure(message: "cannot \(action) \(path): \(String(cString: strerror(errno)))")
    }
}

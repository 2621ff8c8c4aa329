import Glibc
import Primitives

/// A program of the machine that does one thing and ends, such as `mount` or `mkfs`.
struct HelperProgram: Sendable {
    struct Result: Sendable {
        /// The exit status; 128 and the number of the signal that ended it.
        var status: Int32
        /// What it said on both of its outputs, at most 16 KiB.
        var output: String
    }

    private let path: String
    private let arguments: [String]

    init(_ path: String, _ arguments: [String]) {
        self.path = path
        self.arguments = arguments
    }

    /// Where the system keeps a program; nil where it is not installed.
    static func find(_ name: String) -> String? {
        ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }

    /// Runs it to its end. Past `limit`, or when the task is cancelled, it is killed.
    func run(limit: Duration, clock: any MomentSource = SystemClock()) async throws -> Result {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw EdgedFailure.last("make a pipe for", path) }
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
                if ended == process { return Result(status: Self.status(raw), output: Self.text(output)) }
                guard ended == 0 || errno == EINTR else { throw EdgedFailure.last("wait for", path) }
                guard clock.now().uptime < deadline else {
                    throw EdgedFailure(code: .volume, message: "\(path) \(arguments.joined(separator: " ")) did not end within \(limit)")
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

    private func spawn(output: Int32) throws(EdgedFailure) -> pid_t {
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
            output += buffer.prefix(min(count, max(0, (16 << 10) - output.count)))
        }
    }

    private static func status(_ raw: Int32) -> Int32 { raw & 0x7F == 0 ? (raw >> 8) & 0xFF : 128 + (raw & 0x7F) }

    /// One line of what was said.
    private static func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes, as: UTF8.self).split(separator: "\n").joined(separator: "; ")
    }
}

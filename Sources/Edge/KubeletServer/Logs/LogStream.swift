import ContainerRuntime
import PodCore
import Primitives

/// One container's log on its way to one reader, at the reader's pace.
///
/// A follower waits for the kernel to tell of changes, not for time. It goes over to the new file after a rotation, once the old one
/// is at its end and nobody writes to it any more; it ends when the container has ended and the file is at its end.
struct LogStream: Sendable {
    /// How much is gathered before it is sent.
    static let pieceSize = 32 * 1024
    /// How long after the last news the container is looked at, in case the kernel told nothing.
    static let quietLimit = Duration.seconds(10)

    let path: String
    let containerID: String
    let options: LogOptions
    let runtime: any RuntimeInterface
    let clock: any MomentSource

    /// Sends everything through `write`, which returns when the reader has taken it.
    func run(_ start: LogReader, write: ([UInt8]) async throws -> Void) async throws {
        var reader = start
        guard options.follows else {
            _ = try await drain(&reader, write)
            try await finish(&reader, write)
            return
        }
        guard try await drain(&reader, write) else { return }
        let directory = path.split(separator: "/").dropLast().reduce(into: "") { $0 += "/\($1)" }
        let watch = await LogWatch.open(directory)
        do {
            try await follow(&reader, watch, write)
        } catch {
            await watch.close()
            throw error
        }
        await watch.close()
    }

    /// Reads to the end of the file; returns false when the reader has all it asked for.
    private func drain(_ reader: inout LogReader, _ write: ([UInt8]) async throws -> Void) async throws -> Bool {
        var output: [UInt8] = []
        while !reader.isComplete, try reader.readBlock(into: &output) {
            if output.count >= Self.pieceSize {
                try await write(output)
                output.removeAll(keepingCapacity: true)
            }
            try Task.checkCancellation()
        }
        if !output.isEmpty { try await write(output) }
        return !reader.isComplete
    }

    private func finish(_ reader: inout LogReader, _ write: ([UInt8]) async throws -> Void) async throws {
        var output: [UInt8] = []
        reader.finish(into: &output)
        if !output.isEmpty { try await write(output) }
    }

    // MARK: - Following

    private func follow(_ reader: inout LogReader, _ watch: LogWatch, _ write: ([UInt8]) async throws -> Void) async throws {
        var pace = FollowPace()
        var hasEnded = false
        while true {
            guard try await drain(&reader, write) else { return }
            if let next = pace.dueSuccessor(clock.now().uptime) {
                try await finish(&reader, write)
                reader.turn(to: next)
                continue
            }
            if hasEnded {
                noteRotation(of: reader.file, &pace)
                guard pace.hurry(clock.now().uptime) else { return try await finish(&reader, write) }
                continue
            }
            let now = clock.now().uptime
            if pace.isLookDue(now) {
                hasEnded = try await hasContainerEnded(&pace, now)
                // What was written before the end is there now.
                if hasEnded { continue }
            }
            noteRotation(of: reader.file, &pace)
            let changes = await watch.changes(until: pace.deadline(now), clock: clock)
            try Task.checkCancellation()
            pace.take(changes, clock.now().uptime)
        }
    }

    private func noteRotation(of file: LogFile, _ pace: inout FollowPace) {
        guard pace.successor == nil, let current = LogFile.Identity(path: path), current != file.identity else { return }
        guard let next = successor(of: file) else { return }
        pace.begin(next, clock.now().uptime)
    }

    /// The file that was begun after this one: for a slow reader there may be several, of which all but the last have been rotated too.
    private func successor(of file: LogFile) -> LogFile? {
        for _ in 0..<8 {
            let name = nameAfter(file)
            guard let next = try? LogFile(path: name) else { continue }
            // A rotation meanwhile would have put another file between.
            if name != path || nameAfter(file) == path { return next }
        }
        return nil
    }

    /// Rotated files bear the name of the log and what sorts by time; those that are compressed are too old to be between.
    private func nameAfter(_ file: LogFile) -> String {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        let directory = parts.dropLast().joined(separator: "/")
        let prefix = (parts.last.map(String.init) ?? "") + "."
        let rotated = LogFile.names(in: directory).filter { $0.hasPrefix(prefix) && !$0.hasSuffix(".gz") && !$0.hasSuffix(".tmp") }.sorted()
        guard let own = rotated.first(where: { LogFile.Identity(path: "\(directory)/\($0)") == file.identity }),
            let next = rotated.first(where: { $0 > own })
        else { return path }
        return "\(directory)/\(next)"
    }

    /// A runtime that cannot tell is asked again; what it does not know has ended.
    private func hasContainerEnded(_ pace: inout FollowPace, _ now: Duration) async throws -> Bool {
        do {
            let state = try await runtime.container(containerID)
            pace.looked(now)
            return state.phase == .exited
        } catch let failure as RuntimeFailure where failure.code == .notFound {
            return true
        } catch is RuntimeFailure {
            pace.failed(now)
            return false
        }
    }
}

/// When a follower looks again at what: a value, so that its cases are a table.
struct FollowPace: Sendable {
    /// How long the writer of a rotated file may take to let go of it.
    static let handover = Duration.milliseconds(500)

    /// The file that follows the one that is read.
    private(set) var successor: LogFile?
    private var switchAt = Duration.zero
    /// When the container is looked at next; at once in the beginning.
    private var lookAt = Duration.zero
    /// The pause before the next look while a file is closed and nothing is written; nil while all is as ever.
    private var suspicion: Duration?

    mutating func take(_ changes: LogWatch.Changes, _ now: Duration) {
        if changes.contains(.closed) {
            if successor != nil { switchAt = now }
            suspicion = .milliseconds(25)
            lookAt = now
        } else if changes.contains(.written) {
            suspicion = nil
            lookAt = now + LogStream.quietLimit
        }
    }

    mutating func begin(_ next: LogFile, _ now: Duration) {
        successor = next
        // The writer may have closed the old file before the new one was seen.
        switchAt = suspicion == nil ? now + Self.handover : now
    }

    /// Nobody writes any more; false where there is no file to go over to.
    mutating func hurry(_ now: Duration) -> Bool {
        switchAt = now
        return successor != nil
    }

    /// The next file, once the one that is read is complete.
    mutating func dueSuccessor(_ now: Duration) -> LogFile? {
        guard let next = successor, switchAt <= now else { return nil }
        successor = nil
        suspicion = nil
        return next
    }

    func isLookDue(_ now: Duration) -> Bool { lookAt <= now }

    /// The container still runs.
    mutating func looked(_ now: Duration) {
        guard let pause = suspicion else {
            lookAt = now + LogStream.quietLimit
            return
        }
        lookAt = now + pause
        suspicion = pause >= .seconds(1) ? nil : pause * 2
    }

    /// The runtime could not tell.
    mutating func failed(_ now: Duration) { lookAt = now + .seconds(1) }

    func deadline(_ now: Duration) -> Duration { successor == nil ? lookAt : min(lookAt, switchAt) }
}

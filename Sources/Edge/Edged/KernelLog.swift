import Glibc
import PodCore

/// What the kernel says, from the moment this was made (`/dev/kmsg`).
final class KernelLog: Sendable {
    private let descriptor: Int32

    /// nil where the log may not be read.
    init?(_ path: String = "/dev/kmsg") {
        descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        lseek(descriptor, 0, SEEK_END)
    }

    deinit { close(descriptor) }

    /// The processes that were killed for want of memory since the last call.
    func killed() -> [KernelOOM] {
        var found: [KernelOOM] = []
        var buffer = [UInt8](repeating: 0, count: 8192)
        // Each read gives one record; a record that was overwritten meanwhile is an error, and the next one follows.
        for _ in 0..<4096 {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EPIPE || errno == EINTR { continue }
            guard count > 0 else { break }
            if let event = KernelOOM(record: String(decoding: buffer[..<count], as: UTF8.self)) { found.append(event) }
        }
        return found
    }
}

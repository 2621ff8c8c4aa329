internal import FoundationEssentials
internal import Glibc

/// Who has a lock on a file, for a message to whoever wants it too.
enum FileHolder {
    /// `process 1234 (edgecore)`; `another process` where the kernel does not show it.
    static func find(_ path: String) -> String {
        var facts = stat()
        guard stat(path, &facts) == 0, let locks = try? String(contentsOfFile: "/proc/locks", encoding: .utf8),
            case let processes = processes(in: locks, device: facts.st_dev, inode: facts.st_ino),
            // This one may have a share of the file while it waits for the rest.
            let process = processes.first(where: { $0 != getpid() }) ?? processes.first
        else { return "another process" }
        let name = try? String(contentsOfFile: "/proc/\(process)/comm", encoding: .utf8)
        return "process \(process)" + (name.map { " (\($0.filter { !$0.isNewline }))" } ?? "")
    }

    /// The processes that have locks on a file. A line is `1: POSIX  ADVISORY  WRITE 1234 fe:00:5678 0 EOF`; with `->` it is one who waits.
    static func processes(in locks: String, device: UInt, inode: UInt) -> [Int32] {
        let major = (device >> 8) & 0xFFF | (device >> 32) & ~0xFFF
        let minor = device & 0xFF | (device >> 12) & ~0xFF
        return locks.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count > 5, let process = Int32(words[4]), process > 0 else { return nil }
            let parts = words[5].split(separator: ":")
            guard parts.count == 3, UInt(parts[0], radix: 16) == major, UInt(parts[1], radix: 16) == minor, UInt(parts[2]) == inode else {
                return nil
            }
            return process
        }
    }
}

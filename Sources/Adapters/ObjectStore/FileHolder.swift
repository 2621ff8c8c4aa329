internal import FoundationEssentials
internal import Glibc

/// Who has a lock on a file, for a message to whoever wants it too.
enum FileHolder {
    /// `process 1234 (edgecore)`; `another process` where the kernel does not show it.
    static func find(_ path: String) -> String {
        var facts = stat()
        guard stat(path, &facts) == 0, let locks = try? String(contentsOfFile: "/proc/locks", encoding: .utf8),
            let process = process(in: locks, device: facts.st_dev, inode: facts.st_ino)
        else { return "another process" }
        let name = try? String(contentsOfFile: "/proc/\(process)/comm", encoding: .utf8)
        return "process \(process)" + (name.map { " (\($0.filter { !$0.isNewline }))" } ?? "")
    }

    /// The process of the first lock on a file. A line is `1: POSIX  ADVISORY  WRITE 1234 fe:00:5678 0 EOF`.
    static func process(in locks: String, device: UInt, inode: UInt) -> Int32? {
        let major = (device >> 8) & 0xFFF | (device >> 32) & ~0xFFF
        let minor = device & 0xFF | (device >> 12) & ~0xFF
        let file = [major, minor, inode]
        for line in locks.split(separator: "\n") {
            let words = line.split(separator: " ").filter { $0 != "->" }
            guard words.count > 5, let process = Int32(words[4]), process > 0 else { continue }
            let parts = words[5].split(separator: ":")
            guard parts.count == 3 else { continue }
            if [UInt(parts[0], radix: 16), UInt(parts[1], radix: 16), UInt(parts[2])] == file { return process }
        }
        return nil
    }
}

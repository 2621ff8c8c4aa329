internal import FoundationEssentials
import Glibc
internal import Primitives

/// A file system of its own for a test, in memory; needs the rights of root. It is gone with the last reference to it.
package final class TestDisk: Sendable {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    package static var isPossible: Bool { geteuid() == 0 }

    package let path: String
    private var filler: String { path + "/filler" }

    /// A disk of so many kilobytes.
    package init(kilobytes: Int) throws {
        path = "/tmp/test-disk-\(UniqueID.next())"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        guard mount("none", path, "tmpfs", 0, "size=\(kilobytes)k") == 0 else {
            throw Failure(description: "no tmpfs at \(path): \(String(cString: strerror(errno)))")
        }
    }

    deinit {
        umount2(path, Int32(MNT_DETACH))
        rmdir(path)
    }

    /// Takes all room but so many kilobytes.
    package func fill(leaving kilobytes: Int) throws {
        try free()
        var facts = statvfs()
        guard statvfs(path, &facts) == 0 else { throw Failure(description: "statvfs") }
        let length = Int(facts.f_bavail) * Int(facts.f_frsize) - kilobytes << 10
        if length > 0 { try Data(count: length).write(to: URL(filePath: filler)) }
    }

    /// Gives the room back.
    package func free() throws { if access(filler, F_OK) == 0 { try FileManager.default.removeItem(atPath: filler) } }
}

/// An ext4 file system in an image, of which one can see what a power cut leaves: what was written and not synced is in the memory of the
/// machine and not in the image.
///
/// The image lies in memory itself. Nothing is written back by itself within the 30 s that Linux gives it, and the journal is committed every 300 s.
package final class PowerCutDisk: Sendable {
    package static var isPossible: Bool { geteuid() == 0 && access("/dev/loop-control", F_OK) == 0 && access(maker, F_OK) == 0 }
    private static let maker = "/usr/sbin/mkfs.ext4"

    package let path: String
    private let image: String

    package convenience init() throws {
        let image = "/dev/shm/power-cut-\(UniqueID.next()).img"
        guard FileManager.default.createFile(atPath: image, contents: nil), truncate(image, 16 << 20) == 0 else {
            throw TestDisk.Failure(description: "no image at \(image)")
        }
        try Self.run(Self.maker, ["-q", "-F", image])
        try self.init(image: image)
    }

    private init(image: String) throws {
        self.image = image
        path = image + ".mounted"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try Self.run("/usr/bin/mount", ["-o", "loop,commit=300", image, path])
    }

    deinit {
        try? Self.run("/usr/bin/umount", [path])
        rmdir(path)
        unlink(image)
    }

    /// The disk as a power cut at this moment leaves it, mounted again.
    package func cut() throws -> PowerCutDisk {
        let copy = "/dev/shm/power-cut-\(UniqueID.next()).img"
        try FileManager.default.copyItem(atPath: image, toPath: copy)
        return try PowerCutDisk(image: copy)
    }

    private static func run(_ program: String, _ arguments: [String]) throws {
        let errors = "/dev/shm/power-cut-\(UniqueID.next()).errors"
        defer { unlink(errors) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        var words = ([program] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var process: pid_t = 0
        var status: Int32 = -1
        guard posix_spawn(&process, program, &actions, nil, &words, environ) == 0 else {
            throw TestDisk.Failure(description: "\(program) cannot be run")
        }
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        guard status == 0 else {
            let text = (try? String(contentsOfFile: errors, encoding: .utf8)) ?? ""
            throw TestDisk.Failure(description: "\(program) \(arguments): \(text)")
        }
    }
}

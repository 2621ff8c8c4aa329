import Glibc

/// Whole files on this machine's disk, for the set-up of a cluster.
package enum HostFile {
    package static func read(_ path: String) throws(ClusterFailure) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw failure("read", path) }
        defer { close(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = Glibc.read(file, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure("read", path) }
            if count == 0 { return bytes }
            bytes.append(contentsOf: buffer[..<count])
        }
    }

    /// Replaces the file; the directory must exist.
    package static func write(_ bytes: [UInt8], to path: String, mode: UInt32 = 0o644) throws(ClusterFailure) {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard file >= 0 else { throw failure("write", path) }
        defer { close(file) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure("write", path) }
            rest = rest.dropFirst(count)
        }
    }

    /// Makes a directory and those above it.
    package static func makeDirectory(_ path: String, mode: UInt32 = 0o755) throws(ClusterFailure) {
        var current = ""
        for part in path.split(separator: "/") {
            current += "/\(part)"
            if mkdir(current, mode) != 0, errno != EEXIST { throw failure("make", current) }
        }
    }

    /// Removes a directory with all that is in it, on the same file system only; symbolic links are not followed.
    package static func removeTree(_ path: String) {
        let parent = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard parent >= 0 else { return }
        var information = stat()
        if fstat(parent, &information) == 0 { removeContents(of: parent, device: information.st_dev) } else { close(parent) }
        rmdir(path)
    }

    /// Closes `directory`.
    private static func removeContents(of directory: Int32, device: dev_t) {
        guard let stream = fdopendir(directory) else {
            close(directory)
            return
        }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name != ".", name != ".." else { continue }
            if unlinkat(directory, name, 0) == 0 { continue }
            let child = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard child >= 0 else { continue }
            var information = stat()
            guard fstat(child, &information) == 0, information.st_dev == device else {
                close(child)
                continue
            }
            removeContents(of: child, device: device)
            unlinkat(directory, name, AT_REMOVEDIR)
        }
    }

    /// Undoes every mount at or below a directory, the deepest first.
    package static func unmountBelow(_ directory: String) {
        guard let table = try? read("/proc/self/mountinfo") else { return }
        let points = String(decoding: table, as: UTF8.self).split(separator: "\n").compactMap { line -> String? in
            let fields = line.split(separator: " ")
            guard fields.count > 4 else { return nil }
            let point = String(fields[4])
            return point == directory || point.hasPrefix(directory + "/") ? point : nil
        }
        for point in points.reversed() { umount2(point, Int32(MNT_DETACH)) }
    }

    private static func failure(_ verb: String, _ path: String) -> ClusterFailure {
        ClusterFailure(code: .fileSystem, message: "cannot \(verb) \(path): \(String(cString: strerror(errno)))")
    }
}

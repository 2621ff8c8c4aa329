import Glibc

/// File systems mounted beneath the kubelet's directories.
enum Mounts {
    /// Mounts a memory file system of at most `size` bytes (nil: what the kernel allows); one that is there already stays.
    static func mountMemory(at path: String, size: Int64?, mode: String) throws(EdgedFailure) {
        if isMountPoint(path) { return }
        var options = "mode=\(mode)"
        if let size { options += ",size=\(size)" }
        guard mount("tmpfs", path, "tmpfs", 0, options) == 0 else { throw .last("mount a memory file system at", path) }
    }

    /// Undoes a mount; a path that is none is left alone.
    static func unmount(_ path: String) throws(EdgedFailure) {
        guard umount2(path, 0) != 0 else { return }
        if errno == EINVAL || errno == ENOENT { return }
        guard errno == EBUSY, umount2(path, Int32(MNT_DETACH)) == 0 else { throw .last("unmount", path) }
    }

    /// Undoes every mount at or below a directory. One whose server may be gone is detached without asking it.
    static func unmountAll(below directory: String) throws(EdgedFailure) {
        for entry in table(below: directory) {
            if entry.type.hasPrefix("nfs"), umount2(entry.point, Int32(MNT_DETACH)) == 0 { continue }
            try unmount(entry.point)
        }
    }

    /// Whether another file system begins at `path`.
    static func isMountPoint(_ path: String) -> Bool {
        var here = stat()
        var above = stat()
        guard lstat(path, &here) == 0, lstat(path + "/..", &above) == 0 else { return false }
        return here.st_dev != above.st_dev
    }

    /// Whether something is mounted at `path`, as the kernel's table says: also a bound directory, also what does not answer.
    static func isMounted(_ path: String) -> Bool { points(below: path).contains(path) }

    /// All mount points at or below a directory, the deepest first.
    static func points(below directory: String) -> [String] { table(below: directory).map(\.point) }

    /// Mount points with the types of what is mounted, the latest first.
    private static func table(below directory: String) -> [(point: String, type: String)] {
        guard let table = HostFiles.read("/proc/self/mountinfo", limit: 4 << 20) else { return [] }
        let entries = String(decoding: table, as: UTF8.self).split(separator: "\n").compactMap { line -> (point: String, type: String)? in
            let fields = line.split(separator: " ")
            guard fields.count > 4, fields[4].hasPrefix(directory) || fields[4].utf8.contains(UInt8(ascii: "\\")) else { return nil }
            let point = plain(fields[4])
            guard point == directory || point.hasPrefix(directory + "/") else { return nil }
            let type = fields.firstIndex(of: "-").map { $0 + 1 < fields.count ? String(fields[$0 + 1]) : "" }
            return (point, type ?? "")
        }
        return entries.reversed()
    }

    /// The table writes blanks and their like as `\040`.
    private static func plain(_ field: Substring) -> String {
        guard field.utf8.contains(UInt8(ascii: "\\")) else { return String(field) }
        var bytes: [UInt8] = []
        var rest = Array(field.utf8)[...]
        while let first = rest.first {
            let digits = String(decoding: rest.dropFirst().prefix(3), as: UTF8.self)
            if first == UInt8(ascii: "\\"), digits.utf8.count == 3, let byte = UInt8(digits, radix: 8) {
                bytes.append(byte)
                rest = rest.dropFirst(4)
            } else {
                bytes.append(first)
                rest = rest.dropFirst()
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Space of the file system that holds `path`: bytes and inodes, in all and free to use.
    static func space(_ path: String) -> (capacity: Int64, available: Int64, inodes: Int64, freeInodes: Int64)? {
        var information = statvfs()
        guard statvfs(path, &information) == 0 else { return nil }
        let block = Int64(information.f_frsize)
        let (capacity, one) = block.multipliedReportingOverflow(by: Int64(clamping: information.f_blocks))
        let (available, other) = block.multipliedReportingOverflow(by: Int64(clamping: information.f_bavail))
        guard !one, !other else { return nil }
        return (capacity, available, Int64(clamping: information.f_files), Int64(clamping: information.f_favail))
    }
}

extension Mounts {
    /// Mounts huge pages; `pageSize` as in `2Mi`.
    static func mountHugePages(at path: String, pageSize: String?) throws(EdgedFailure) {
        if isMountPoint(path) { return }
        let option = pageSize.map { "pagesize=\($0.hasSuffix("i") ? String($0.dropLast()) : $0)" } ?? ""
        guard mount("nodev", path, "hugetlbfs", 0, option) == 0 else { throw .last("mount huge pages at", path) }
    }

    /// Shows a directory at another place.
    static func bind(_ source: String, to target: String, isReadOnly: Bool) throws(EdgedFailure) {
        guard mount(source, target, nil, UInt(MS_BIND), nil) == 0 else { throw .last("bind \(source) to", target) }
        guard isReadOnly else { return }
        if mount(nil, target, nil, UInt(MS_BIND | MS_REMOUNT | MS_RDONLY), nil) == 0 { return }
        let failure = EdgedFailure.last("make read-only what is bound to", target)
        try unmount(target)
        throw failure
    }
}

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

    /// Whether another file system begins at `path`.
    static func isMountPoint(_ path: String) -> Bool {
        var here = stat()
        var above = stat()
        guard lstat(path, &here) == 0, lstat(path + "/..", &above) == 0 else { return false }
        return here.st_dev != above.st_dev
    }

    /// All mount points at or below a directory, the deepest first.
    static func points(below directory: String) -> [String] {
        guard let table = HostFiles.read("/proc/self/mountinfo", limit: 4 << 20) else { return [] }
        let points = String(decoding: table, as: UTF8.self).split(separator: "\n").compactMap { line -> String? in
            let fields = line.split(separator: " ", maxSplits: 5)
            guard fields.count > 4 else { return nil }
            let point = String(fields[4])
            return point == directory || point.hasPrefix(directory + "/") ? point : nil
        }
        return points.reversed()
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

    /// Binds a part of a volume to `target`. Links are followed only as far as they stay in the volume (`spec/05 §12.9`).
    static func bind(_ subPath: String, of volume: String, to target: String) throws(EdgedFailure) {
        if isMountPoint(target) || isFileMount(target) { return }
        guard let top = realPath(volume) else { throw .last("find", volume) }
        let wanted = "\(top)/\(subPath)"
        if realPath(wanted) == nil { try makeDirectories(subPath, in: top) }
        guard let real = realPath(wanted), real == top || real.hasPrefix(top + "/") else {
            throw EdgedFailure(code: .unsafePath, message: "subPath \"\(subPath)\" leads out of its volume \(volume)", isRetryable: false)
        }
        // From the real path on no link is left: whoever puts one in now is refused.
        let descriptor = try openWithoutLinks(real)
        defer { close(descriptor) }
        var information = stat()
        guard fstat(descriptor, &information) == 0 else { throw .last("read", real) }
        let parent = target.split(separator: "/").dropLast().joined(separator: "/")
        try OwnDirectory("/" + parent).makeDirectory()
        if information.st_mode & S_IFMT == S_IFDIR {
            if mkdir(target, 0o750) != 0, errno != EEXIST { throw .last("make directory", target) }
        } else if !HostFiles.exists(target) {
            try HostFiles.create([], at: target, mode: 0o640)
        }
        guard mount("/proc/self/fd/\(descriptor)", target, nil, UInt(MS_BIND), nil) == 0 else { throw .last("bind \(real) to", target) }
    }

    private static func isFileMount(_ path: String) -> Bool { points(below: path).contains(path) }

    private static func makeDirectories(_ subPath: String, in top: String) throws(EdgedFailure) {
        var information = stat()
        guard stat(top, &information) == 0 else { throw .last("read", top) }
        var directory = try openWithoutLinks(top)
        defer { close(directory) }
        for name in subPath.split(separator: "/") where name != "." {
            let name = String(name)
            if mkdirat(directory, name, information.st_mode & 0o777) != 0, errno != EEXIST { throw .last("make directory \(name) in", top) }
            let next = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard next >= 0 else { throw .last("open \(name) in", top) }
            close(directory)
            directory = next
        }
    }

    private static func openWithoutLinks(_ path: String) throws(EdgedFailure) -> Int32 {
        var descriptor = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .last("open", "/") }
        for name in path.split(separator: "/") {
            // O_PATH, which Glibc's module does not show.
            let next = openat(descriptor, String(name), 0o10000000 | O_NOFOLLOW | O_CLOEXEC)
            close(descriptor)
            guard next >= 0 else { throw .last("open", path) }
            descriptor = next
        }
        return descriptor
    }

    private static func realPath(_ path: String) -> String? {
        guard let text = realpath(path, nil) else { return nil }
        defer { free(text) }
        return String(cString: text)
    }
}

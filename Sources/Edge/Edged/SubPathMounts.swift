import Glibc

extension Mounts {
    /// Binds a part of a volume to `target`. Links are followed only as far as they stay in the volume (`spec/05 §12.9`).
    static func bind(_ subPath: String, of volume: String, to target: String) throws(EdgedFailure) {
        guard let top = realPath(volume) else { throw .last("find", volume) }
        let wanted = "\(top)/\(subPath)"
        if realPath(wanted) == nil { try makeDirectories(subPath, in: top) }
        guard let real = realPath(wanted), real == top || real.hasPrefix(top == "/" ? top : top + "/") else {
            throw EdgedFailure(code: .unsafePath, message: "subPath \"\(subPath)\" leads out of its volume \(volume)", isRetryable: false)
        }
        // From the real path on no link is left: whoever puts one in now is refused.
        let descriptor = try openWithoutLinks(real)
        defer { close(descriptor) }
        var information = stat()
        guard fstat(descriptor, &information) == 0 else { throw .last("read", real) }
        if isMounted(target) {
            var bound = stat()
            if stat(target, &bound) == 0, bound.st_dev == information.st_dev, bound.st_ino == information.st_ino { return }
            // An earlier run of the container had another file under this name.
            try unmount(target)
        }
        let parent = target.split(separator: "/").dropLast().joined(separator: "/")
        try OwnDirectory("/" + parent).makeDirectory()
        if information.st_mode & S_IFMT == S_IFDIR {
            if mkdir(target, 0o750) != 0, errno != EEXIST { throw .last("make directory", target) }
        } else if !HostFiles.exists(target) {
            try HostFiles.create([], at: target, mode: 0o640)
        }
        guard mount("/proc/self/fd/\(descriptor)", target, nil, UInt(MS_BIND), nil) == 0 else { throw .last("bind \(real) to", target) }
    }

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

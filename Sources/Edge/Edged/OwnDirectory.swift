import Glibc

/// A directory tree that belongs to the kubelet: everything it removes is beneath it, whatever a path says (`spec/06 T30`).
///
/// Paths are relative and made of plain names. Symbolic links are removed, never followed, and what is mounted beneath stays.
struct OwnDirectory: Sendable, Hashable {
    let path: String

    /// - Parameter path: Absolute and not `/` itself.
    init(_ path: String) throws(EdgedFailure) {
        guard path.hasPrefix("/"), !Self.names(path).isEmpty, !Self.names(path).contains("..") else {
            throw EdgedFailure(
                code: .unsafePath, message: "\"\(path)\" cannot be a directory of the kubelet's own: give an absolute path below /",
                isRetryable: false)
        }
        self.path = "/" + Self.names(path).joined(separator: "/")
    }

    private static func names(_ path: String) -> [String] { path.split(separator: "/").map(String.init).filter { $0 != "." } }

    /// The absolute path of something beneath.
    func path(_ relative: String) throws(EdgedFailure) -> String { path + "/" + (try checked(relative)).joined(separator: "/") }

    /// The names on the way to `relative`; refuses what could lead elsewhere or nowhere.
    private func checked(_ relative: String) throws(EdgedFailure) -> [String] {
        let names = Self.names(relative)
        guard !relative.hasPrefix("/"), !names.isEmpty, !names.contains(".."), !relative.utf8.contains(0) else {
            throw EdgedFailure(code: .unsafePath, message: "\"\(relative)\" does not lead to anything beneath \(path)", isRetryable: false)
        }
        return names
    }

    /// The names of what is directly in the directory, or in one beneath it; none where there is no directory.
    func contents(_ relative: String? = nil) throws(EdgedFailure) -> [String] {
        let directory = try relative.map { relative throws(EdgedFailure) in try path(relative) } ?? path
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        return Self.entries(of: descriptor)
    }

    func makeDirectory(_ relative: String = ".", mode: UInt32 = 0o750) throws(EdgedFailure) {
        var current = ""
        for name in Self.names(path + "/" + relative) {
            current += "/" + name
            if mkdir(current, mode) != 0, errno != EEXIST { throw .last("make directory", current) }
        }
    }

    /// Removes a file or a whole directory beneath. What is not there is removed already.
    ///
    /// Nothing that is mounted beneath is entered, be it of the same file system: a volume bound there is somebody's data.
    func remove(_ relative: String) throws(EdgedFailure) {
        var names = try checked(relative)
        let last = names.removeLast()
        guard let directory = try descriptor(names) else { return }
        defer { close(directory) }
        guard let mount = Self.mount(of: directory) else { throw .last("read the mount of", path) }
        guard Self.remove(last, in: directory, mount: mount) else { throw .last("remove", "\(path)/\(relative)") }
    }

    /// Opens a directory beneath for `…at` calls; the caller closes it. nil where there is none; no link is followed on the way.
    func openDirectory(_ relative: String) throws(EdgedFailure) -> Int32? { try descriptor(checked(relative)) }

    private func descriptor(_ names: [String]) throws(EdgedFailure) -> Int32? {
        var directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { return nil }
        for name in names {
            let next = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            let failure = errno
            close(directory)
            guard next >= 0 else {
                if failure == ENOENT { return nil }
                errno = failure
                throw .last("open \(names.joined(separator: "/")) in", path)
            }
            directory = next
        }
        return directory
    }

    /// Removes one entry with all beneath it, on one mount; false where something stays, with `errno` set.
    private static func remove(_ name: String, in directory: Int32, mount: String) -> Bool {
        if unlinkat(directory, name, 0) == 0 || errno == ENOENT { return true }
        guard errno == EISDIR || errno == EPERM else { return false }
        let child = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard child >= 0 else { return errno == ENOENT }
        defer { close(child) }
        guard Self.mount(of: child) == mount else {
            errno = EBUSY
            return false
        }
        var isEmpty = true
        for entry in entries(of: dup(child)) where !remove(entry, in: child, mount: mount) { isEmpty = false }
        return isEmpty && (unlinkat(directory, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
    }

    /// The ID of the mount that a file was opened through: it tells a bound directory from its neighbours of the same device.
    private static func mount(of descriptor: Int32) -> String? {
        HostFiles.text("/proc/self/fdinfo/\(descriptor)")?.split(separator: "\n").first { $0.hasPrefix("mnt_id:") }.map(String.init)
    }

    /// Closes `descriptor`.
    private static func entries(of descriptor: Int32) -> [String] {
        guard let stream = fdopendir(descriptor) else {
            close(descriptor)
            return []
        }
        defer { closedir(stream) }
        rewinddir(stream)
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}

extension EdgedFailure {
    /// The last system call's error.
    static func last(_ verb: String, _ path: String) -> EdgedFailure {
        EdgedFailure(code: .fileSystem, message: "cannot \(verb) \(path): \(String(cString: strerror(errno)))")
    }
}

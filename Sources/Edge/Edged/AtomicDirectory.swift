import Glibc
import Primitives

/// The files of a configMap, secret or projected volume, changed all at once (`spec/05 §19.8`).
///
///     ..2024_06_01_10_00_00.17/key      the bytes
///     ..data -> ..2024_06_01_10_00_00.17
///     key -> ..data/key
enum AtomicDirectory {
    struct File: Sendable, Hashable {
        /// Relative, without `..`; may have directories.
        var path: String
        var bytes: [UInt8]
        /// Permission bits.
        var mode: UInt32
        var owner: UInt32?

        init(path: String, bytes: [UInt8], mode: UInt32, owner: UInt32? = nil) {
            self.path = path
            self.bytes = bytes
            self.mode = mode
            self.owner = owner
        }
    }

    private static let current = "..data"

    /// Makes `directory` hold exactly `files`. Returns whether anything changed.
    ///
    /// - Parameter group: `fsGroup`: owns everything, and may read it.
    @discardableResult
    static func write(_ files: [File], in directory: String, group: UInt32? = nil, now: Moment) throws(EdgedFailure) -> Bool {
        for file in files where file.path.isEmpty || file.path.hasPrefix("/") || file.path.split(separator: "/").contains("..") {
            throw EdgedFailure(code: .unsafePath, message: "\"\(file.path)\" is no path inside a volume", isRetryable: false)
        }
        let own = try OwnDirectory(directory)
        let old = HostFiles.linkTarget("\(directory)/\(current)")
        if let old, try holds(files, own, version: old, group: group) { return false }
        let version = ".." + stamp(now.wall)
        do { try fill(files, "\(directory)/\(version)", group: group) } catch {
            // A disk that is full must not fill further with every try.
            try? own.remove(version)
            throw error
        }
        try link(version, at: "\(directory)/\(current)")
        let names = Set(files.map { String($0.path.split(separator: "/", maxSplits: 1)[0]) })
        for name in names { try link("\(current)/\(name)", at: "\(directory)/\(name)") }
        for entry in try own.contents() where !entry.hasPrefix("..") && !names.contains(entry) { try own.remove(entry) }
        for entry in try own.contents() where entry.hasPrefix("..") && entry != current && entry != version { try own.remove(entry) }
        return true
    }

    private static func fill(_ files: [File], _ target: String, group: UInt32?) throws(EdgedFailure) {
        let directory = try OwnDirectory(target)
        try directory.makeDirectory(mode: 0o755)
        try setOwner(target, mode: 0o755, group: group, isDirectory: true)
        for file in files {
            let path = try directory.path(file.path)
            var parent = target
            for name in file.path.split(separator: "/").dropLast() {
                parent += "/\(name)"
                if mkdir(parent, 0o755) != 0, errno != EEXIST { throw .last("make directory", parent) }
                try setOwner(parent, mode: 0o755, group: group, isDirectory: true)
            }
            try HostFiles.create(file.bytes, at: path, mode: file.mode)
            try setOwner(path, mode: file.mode, owner: file.owner, group: group, isDirectory: false)
        }
    }

    /// Volumes of this kind are read-only, so a group may read and search (`spec/05 §19.10`).
    private static func setOwner(_ path: String, mode: UInt32, owner: UInt32? = nil, group: UInt32?, isDirectory: Bool) throws(EdgedFailure) {
        guard owner != nil || group != nil else { return }
        guard lchown(path, owner ?? .max, group ?? .max) == 0 else { throw .last("set the owner of", path) }
        if group != nil, chmod(path, mode | (isDirectory ? 0o2110 : 0o440)) != 0 { throw .last("set the mode of", path) }
    }

    private static func holds(_ files: [File], _ directory: OwnDirectory, version: String, group: UInt32?) throws(EdgedFailure) -> Bool {
        guard version.hasPrefix(".."), !version.contains("/") else { return false }
        var found: Set<String> = []
        try collect(directory, version, prefix: "", into: &found)
        guard found == Set(files.map { $0.path.split(separator: "/").joined(separator: "/") }) else { return false }
        for file in files {
            let path = try directory.path("\(version)/\(file.path)")
            var information = stat()
            guard lstat(path, &information) == 0, HostFiles.read(path, limit: file.bytes.count + 1) == file.bytes else { return false }
            let mode = file.mode | (group == nil ? 0 : 0o440)
            guard information.st_mode & 0o777 == mode & 0o777, file.owner.map({ $0 == information.st_uid }) ?? true else { return false }
        }
        return true
    }

    private static func collect(_ directory: OwnDirectory, _ relative: String, prefix: String, into found: inout Set<String>) throws(EdgedFailure) {
        for name in try directory.contents(relative) {
            var information = stat()
            let path = try directory.path("\(relative)/\(name)")
            guard lstat(path, &information) == 0 else { continue }
            if information.st_mode & S_IFMT == S_IFDIR {
                try collect(directory, "\(relative)/\(name)", prefix: "\(prefix)\(name)/", into: &found)
            } else {
                found.insert(prefix + name)
            }
        }
    }

    /// Points a link at `target` in one step, whatever was there before.
    private static func link(_ target: String, at path: String) throws(EdgedFailure) {
        if HostFiles.linkTarget(path) == target { return }
        let temporary = path + (path.hasSuffix(current) ? "_tmp" : "..tmp")
        unlink(temporary)
        guard symlink(target, temporary) == 0 else { throw .last("link", temporary) }
        if rename(temporary, path) == 0 { return }
        let failure = EdgedFailure.last("replace", path)
        unlink(temporary)
        throw failure
    }

    /// `2024_06_01_10_00_00.123456789`.
    private static func stamp(_ time: Timestamp) -> String {
        let text = time.rfc3339.dropLast().map { ["-", ":", "T"].contains($0) ? "_" : $0 }
        return String(text) + ".\(time.nanoseconds)\(UInt16.random(in: 0...UInt16.max))"
    }
}

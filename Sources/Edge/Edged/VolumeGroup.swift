import Glibc
import PodCore

/// Hands the files of a volume to a group (`spec/05 §19.10`). Links are neither followed nor changed.
enum VolumeGroup {
    /// Entries after which other tasks get their turn.
    private static let stride = 512

    static func give(_ path: String, _ ownership: VolumeOwnership) async throws {
        var information = stat()
        guard lstat(path, &information) == 0 else { throw EdgedFailure.last("read", path) }
        guard ownership.isDue(topGroup: information.st_gid, topMode: information.st_mode) else { return }
        var open = [path]
        var directories: [String] = []
        var count = 0
        while let directory = open.popLast() {
            directories.append(directory)
            for entry in try entries(directory) {
                count += 1
                if count % stride == 0 {
                    try Task.checkCancellation()
                    await Task.yield()
                }
                if entry.isDirectory { open.append(entry.path) } else { try give(entry.path, isDirectory: false, ownership) }
            }
        }
        // The top comes last: where this was cut short it does not look as if all were done.
        for directory in directories.reversed() { try give(directory, isDirectory: true, ownership) }
    }

    private static func entries(_ directory: String) throws(EdgedFailure) -> [(path: String, isDirectory: Bool)] {
        try OwnDirectory(directory).contents().compactMap { name in
            var information = stat()
            let path = "\(directory)/\(name)"
            guard lstat(path, &information) == 0, information.st_mode & S_IFMT != S_IFLNK else { return nil }
            return (path, information.st_mode & S_IFMT == S_IFDIR)
        }
    }

    private static func give(_ path: String, isDirectory: Bool, _ ownership: VolumeOwnership) throws(EdgedFailure) {
        // O_PATH, which Glibc's module does not show.
        let file = Glibc.open(path, 0o10000000 | O_NOFOLLOW | O_CLOEXEC)
        guard file >= 0 else {
            if errno == ENOENT { return }
            throw .last("open", path)
        }
        defer { close(file) }
        var information = stat()
        guard fstat(file, &information) == 0 else { throw .last("read", path) }
        guard information.st_mode & S_IFMT != S_IFLNK else { return }
        // By its descriptor: the name may stand for something else by now.
        let own = "/proc/self/fd/\(file)"
        guard chown(own, .max, ownership.group) == 0 else { throw .last("set the owner of", path) }
        guard chmod(own, information.st_mode & 0o7777 | ownership.addedMode(isDirectory: isDirectory)) == 0 else {
            throw .last("set the mode of", path)
        }
    }
}

import Glibc
import PodCore

/// How much of a disk directories take, and how much of it there is.
enum DirectoryUsage {
    /// At most so many entries are counted; what lies beyond is missing from the sum.
    static let limit = 1_000_000

    /// Walks through a directory tree of one file system. Lets others work in between; hard links count once, links are not followed.
    static func measure(_ top: String, limit: Int = limit) async -> (bytes: UInt64, inodes: UInt64)? {
        var information = stat()
        guard lstat(top, &information) == 0 else { return nil }
        let device = information.st_dev
        var bytes = UInt64(clamping: information.st_blocks) * 512
        var inodes: UInt64 = 1
        var linked: Set<UInt64> = []
        var open = information.st_mode & S_IFMT == S_IFDIR ? [top] : []
        var sincePause = 0
        while let directory = open.popLast(), inodes < limit, !Task.isCancelled {
            let descriptor = Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard descriptor >= 0 else { continue }
            guard let stream = fdopendir(descriptor) else {
                close(descriptor)
                continue
            }
            while inodes < limit, let entry = readdir(stream) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                guard name != ".", name != "..", fstatat(descriptor, name, &information, AT_SYMLINK_NOFOLLOW) == 0, information.st_dev == device
                else { continue }
                let isDirectory = information.st_mode & S_IFMT == S_IFDIR
                if !isDirectory, information.st_nlink > 1, !linked.insert(UInt64(information.st_ino)).inserted { continue }
                bytes += UInt64(clamping: information.st_blocks) * 512
                inodes += 1
                sincePause += 1
                if isDirectory { open.append("\(directory)/\(name)") }
            }
            closedir(stream)
            if sincePause > 256 {
                sincePause = 0
                await Task.yield()
            }
        }
        return (bytes, inodes)
    }

    /// The file system that holds a path, with all that is used of it.
    static func filesystem(_ path: String) -> FilesystemUsage? {
        var information = statvfs()
        guard statvfs(path, &information) == 0 else { return nil }
        func bytes(_ blocks: UInt) -> UInt64 {
            let (product, overflow) = UInt64(blocks).multipliedReportingOverflow(by: UInt64(information.f_frsize))
            return overflow ? .max : product
        }
        var usage = FilesystemUsage()
        usage.capacity = bytes(UInt(information.f_blocks))
        usage.available = bytes(UInt(information.f_bavail))
        usage.used = bytes(UInt(information.f_blocks - min(information.f_bfree, information.f_blocks)))
        usage.inodes = UInt64(information.f_files)
        usage.inodesFree = UInt64(information.f_ffree)
        usage.inodesUsed = UInt64(information.f_files - min(information.f_ffree, information.f_files))
        return usage
    }

    /// Whether two paths lie on different file systems; nil where one cannot be looked at.
    static func areApart(_ one: String, _ other: String) -> Bool? {
        var (first, second) = (stat(), stat())
        guard stat(one, &first) == 0, stat(other, &second) == 0 else { return nil }
        return first.st_dev != second.st_dev
    }
}

extension FilesystemUsage {
    /// The same file system with what one part of it takes.
    func taken(bytes: UInt64?, inodes: UInt64?) -> FilesystemUsage {
        var usage = self
        usage.used = bytes
        usage.inodesUsed = inodes
        return usage
    }
}

import Glibc

/// Whole small files of this machine.
enum HostFiles {
    /// The first `limit` bytes; nil where the file cannot be read.
    static func read(_ path: String, limit: Int = 1 << 20) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { return nil }
        defer { close(file) }
        return read(file, limit: limit)
    }

    /// The last `limit` bytes.
    static func readTail(_ path: String, limit: Int) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { return nil }
        defer { close(file) }
        let end = lseek(file, 0, SEEK_END)
        guard end >= 0 else { return nil }
        lseek(file, max(0, end - off_t(limit)), SEEK_SET)
        return read(file, limit: limit)
    }

    private static func read(_ file: Int32, limit: Int) -> [UInt8]? {
        var bytes: [UInt8] = []
        while bytes.count < limit {
            let room = min(limit - bytes.count, 16384)
            var failure = false
            let part = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
                let result = Glibc.read(file, buffer.baseAddress, room)
                failure = result < 0 && errno != EINTR
                count = max(result, 0)
            }
            if failure { return nil }
            if part.isEmpty { break }
            bytes.append(contentsOf: part)
        }
        return bytes
    }

    static func text(_ path: String) -> String? { read(path).map { String(decoding: $0, as: UTF8.self) } }

    /// The text without the white space around it.
    static func line(_ path: String) -> String? {
        guard let bytes = read(path) else { return nil }
        let isBlank: (UInt8) -> Bool = { $0 == 10 || $0 == 13 || $0 == 32 || $0 == 9 || $0 == 0 }
        let trimmed = bytes.drop(while: isBlank)
        let end = trimmed.lastIndex { !isBlank($0) }.map { $0 + 1 } ?? trimmed.startIndex
        return String(decoding: trimmed[trimmed.startIndex..<end], as: UTF8.self)
    }

    /// Writes a file whole or not at all: readers see the old bytes or the new ones.
    static func write(_ bytes: [UInt8], to path: String, mode: UInt32 = 0o644) throws(EdgedFailure) {
        let temporary = path + ".new"
        try create(bytes, at: temporary, mode: mode)
        guard rename(temporary, path) == 0 else {
            let failure = EdgedFailure.last("replace", path)
            unlink(temporary)
            throw failure
        }
    }

    /// Writes a new file, or replaces what was in it.
    static func create(_ bytes: [UInt8], at path: String, mode: UInt32) throws(EdgedFailure) {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode)
        guard file >= 0 else { throw .last("write", path) }
        defer { close(file) }
        guard fchmod(file, mode) == 0 else { throw .last("set the mode of", path) }
        try write(bytes, to: file, path)
    }

    /// Writes to a file that is there already, as the kernel's own are; nothing is created.
    static func put(_ text: String, into path: String) throws(EdgedFailure) {
        let file = open(path, O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { throw .last("write", path) }
        defer { close(file) }
        try write(Array(text.utf8), to: file, path)
    }

    static func write(_ bytes: [UInt8], to file: Int32, _ path: String) throws(EdgedFailure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .last("write", path) }
            rest = rest.dropFirst(count)
        }
    }

    /// Where a link points; nil where there is no link.
    static func linkTarget(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink(path, &buffer, buffer.count)
        return count >= 0 ? String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self) : nil
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
}

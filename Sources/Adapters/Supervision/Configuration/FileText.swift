import Glibc

/// Reads small files whole, without Foundation.
package enum FileText {
    /// Whether something is there at a path, readable or not.
    package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// The text of a file of at most `limit` bytes; nil where there is none. Throws `FileTextError` for anything else.
    package static func read(_ path: String, limit: Int = 4 << 20) throws(FileTextError) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw FileTextError(message: "cannot open \(path): \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileTextError(message: "cannot read \(path): \(String(cString: strerror(errno)))") }
            if count == 0 { break }
            bytes += buffer.prefix(count)
            guard bytes.count <= limit else { throw FileTextError(message: "\(path) has over \(limit) bytes") }
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw FileTextError(message: "\(path) is no UTF-8 text") }
        return text
    }
}

/// Why a file was not read.
package struct FileTextError: Error, Sendable, Hashable, CustomStringConvertible {
    package let message: String

    package var description: String { message }
}

import Glibc

/// An open log file, read at any place.
final class LogFile: Sendable {
    /// Which file it is, whatever it is called now.
    struct Identity: Sendable, Hashable {
        var device: UInt64
        var number: UInt64

        /// Of the file at a path; nil where there is none.
        init?(path: String) {
            var information = stat()
            guard stat(path, &information) == 0 else { return nil }
            self.init(information)
        }

        init(_ information: stat) {
            device = UInt64(information.st_dev)
            number = UInt64(information.st_ino)
        }
    }

    let identity: Identity
    private let descriptor: Int32

    /// Throws with the words for who asked.
    init(path: String) throws(ServedFailure) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw ServedFailure(400, "failed to open log file \"\(path)\": \(String(cString: strerror(errno)))")
        }
        var information = stat()
        guard fstat(descriptor, &information) == 0, information.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw ServedFailure(400, "failed to open log file \"\(path)\": it is no regular file")
        }
        identity = Identity(information)
    }

    deinit { close(descriptor) }

    /// What a directory holds; nothing where it cannot be read.
    static func names(in directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    var size: Int {
        var information = stat()
        return fstat(descriptor, &information) == 0 ? Int(information.st_size) : 0
    }

    /// Fills as much of the buffer as the file has from `position` on; 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer, at position: Int) throws(ServedFailure) -> Int {
        while true {
            let count = pread(descriptor, buffer.baseAddress, buffer.count, off_t(position))
            if count >= 0 { return count }
            guard errno == EINTR else { throw ServedFailure(400, "failed to read log file: \(String(cString: strerror(errno)))") }
        }
    }

    /// Where the last `count` lines begin.
    func start(ofLast count: Int64) throws(ServedFailure) -> Int {
        let block = 16384
        var buffer = [UInt8](repeating: 0, count: block)
        var found: Int64 = 0
        var right = size
        // The newline at the very end closes the last line.
        while right > 0 {
            let left = max(0, right - block)
            let wanted = right - left
            let got = try Self.fill(&buffer, wanted) { (part: UnsafeMutableRawBufferPointer) throws(ServedFailure) in try read(into: part, at: left) }
            for index in stride(from: got - 1, through: 0, by: -1) where buffer[index] == 10 {
                found += 1
                if found > count { return left + index + 1 }
            }
            right = left
        }
        return 0
    }

    private static func fill(
        _ buffer: inout [UInt8], _ count: Int, _ body: (UnsafeMutableRawBufferPointer) throws(ServedFailure) -> Int
    ) throws(ServedFailure) -> Int {
        var result: Result<Int, ServedFailure> = .success(0)
        buffer.withUnsafeMutableBytes { bytes in
            do throws(ServedFailure) {
                result = .success(try body(UnsafeMutableRawBufferPointer(rebasing: bytes[..<count])))
            } catch { result = .failure(error) }
        }
        return try result.get()
    }
}

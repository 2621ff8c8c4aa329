import CZLib
import Glibc

/// Compresses a stream of bytes into one gzip member.
final class Gzip {
    private let stream: UnsafeMutablePointer<z_stream>
    private static let room = 64 << 10

    /// - Throws: Where there is no memory for it.
    init() throws(EdgedFailure) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // 16 above the window's size asks for gzip's own head and tail.
        let code = deflateInit2_(
            stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard code == Z_OK else {
            // Nothing was set up, so there is nothing that `deflateEnd` could end.
            throw EdgedFailure(code: .fileSystem, message: "cannot compress: zlib answers \(code)")
        }
    }

    deinit {
        deflateEnd(stream)
        stream.deinitialize(count: 1)
        stream.deallocate()
    }

    /// Returns what is ready; with `isLast` everything that was still kept back, and the end.
    func compress(_ bytes: [UInt8], isLast: Bool) throws(EdgedFailure) -> [UInt8] {
        var input = bytes
        var output: [UInt8] = []
        var code = Z_OK
        input.withUnsafeMutableBufferPointer { input in
            stream.pointee.next_in = input.baseAddress
            stream.pointee.avail_in = UInt32(input.count)
            repeat {
                output += [UInt8](unsafeUninitializedCapacity: Self.room) { part, count in
                    stream.pointee.next_out = part.baseAddress
                    stream.pointee.avail_out = UInt32(Self.room)
                    code = deflate(stream, isLast ? Z_FINISH : Z_NO_FLUSH)
                    count = Self.room - Int(stream.pointee.avail_out)
                }
            } while code == Z_OK && (stream.pointee.avail_out == 0 || isLast)
            stream.pointee.next_in = nil
        }
        // Z_BUF_ERROR says that there was nothing to do.
        guard code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR else {
            throw EdgedFailure(code: .fileSystem, message: "cannot compress: zlib answers \(code)")
        }
        return output
    }

    /// Compresses all of a file into another; other tasks get their turn in between.
    static func compress(from source: Int32, to target: Int32, named name: String) async throws {
        let gzip = try Gzip()
        while true {
            try Task.checkCancellation()
            var bytes = [UInt8](repeating: 0, count: room)
            let count = read(source, &bytes, room)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw EdgedFailure.last("read", name) }
            bytes.removeLast(room - count)
            try HostFiles.write(try gzip.compress(bytes, isLast: count == 0), to: target, name)
            if count == 0 { return }
            await Task.yield()
        }
    }
}

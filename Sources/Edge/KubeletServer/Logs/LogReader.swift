import Glibc

/// Reads a log file piece by piece: never more of it in memory than one block and one line.
struct LogReader: Sendable {
    /// The longest line that is understood; containerd cuts at 16 KiB.
    static let longestLine = 1 << 20
    private static let block = 64 * 1024

    private(set) var file: LogFile
    private(set) var position: Int
    private var lines: LogLines
    private var buffer = [UInt8](repeating: 0, count: LogReader.block)
    /// What of the buffer has been read and not been used.
    private var used = 0
    private var filled = 0
    /// Within a line that is too long to be one.
    private var isSkipping = false

    init(_ file: LogFile, _ options: LogOptions) throws(ServedFailure) {
        self.file = file
        position = 0
        lines = LogLines(options)
        if let tail = options.tailLines { position = try file.start(ofLast: tail) }
    }

    var isComplete: Bool { lines.isComplete }

    /// Goes on with another file, at its beginning. What the first one left of an incomplete line is lost.
    mutating func turn(to next: LogFile) {
        file = next
        position = 0
        (used, filled) = (0, 0)
        isSkipping = false
    }

    /// Reads one block; returns false at the end of the file. What came of it is added to `output`.
    mutating func readBlock(into output: inout [UInt8]) throws(ServedFailure) -> Bool {
        // Whoever cuts a log short begins it anew.
        if file.size < position { turn(to: file) }
        makeRoom()
        let (file, position, filled) = (file, position, filled)
        var result: Result<Int, ServedFailure> = .success(0)
        buffer.withUnsafeMutableBytes { bytes in
            do throws(ServedFailure) {
                result = .success(try file.read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[filled...]), at: position))
            } catch { result = .failure(error) }
        }
        let count = try result.get()
        guard count > 0 else { return false }
        self.position += count
        self.filled += count
        takeLines(into: &output)
        return true
    }

    /// At the end: an incomplete line counts as one.
    mutating func finish(into output: inout [UInt8]) {
        guard used < filled, !isSkipping else { return }
        var lines = lines
        let range = used..<filled
        buffer.withUnsafeBytes { bytes in lines.take(UnsafeRawBufferPointer(rebasing: bytes[range]), into: &output) }
        self.lines = lines
        used = filled
    }

    private mutating func takeLines(into output: inout [UInt8]) {
        var (lines, used, isSkipping) = (lines, used, isSkipping)
        let filled = filled
        buffer.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            while !lines.isComplete, used < filled, let found = memchr(base + used, 10, filled - used) {
                let end = UnsafeRawPointer(found) - base + 1
                if !isSkipping { lines.take(UnsafeRawBufferPointer(rebasing: bytes[used..<end]), into: &output) }
                isSkipping = false
                used = end
            }
        }
        (self.lines, self.used, self.isSkipping) = (lines, isSkipping ? filled : used, isSkipping)
    }

    /// Moves the rest of a line to the front; a longer buffer only for a longer line.
    private mutating func makeRoom() {
        if used > 0 {
            buffer.replaceSubrange(0..<(filled - used), with: Array(buffer[used..<filled]))
            filled -= used
            used = 0
        }
        guard filled == buffer.count else { return }
        if filled >= Self.longestLine {
            filled = 0
            isSkipping = true
        } else {
            buffer.append(contentsOf: repeatElement(0, count: buffer.count))
        }
    }
}

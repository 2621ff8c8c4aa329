import Glibc
import Primitives

/// Turns the lines of a CRI log into what a reader gets (`spec/05 §23.1`): `<time> <stdout|stderr> <P|F>[:tags] <content>`.
///
/// Parts of a line are joined, lines of another form are left out.
struct LogLines: Sendable {
    private let hasTimestamps: Bool
    private let since: Timestamp?
    private var bytesLeft: Int64
    /// Lines of the file that may still be read; nil without a limit.
    private var linesLeft: Int64?
    private var isLineStart = true

    /// Everything that was asked for has been given.
    var isComplete: Bool { bytesLeft <= 0 || linesLeft == 0 }

    init(_ options: LogOptions) {
        hasTimestamps = options.hasTimestamps
        since = options.since
        bytesLeft = options.limitBytes ?? Int64.max
        linesLeft = options.follows ? nil : options.tailLines
    }

    /// Adds what a reader gets of one line, its newline included where it has one.
    mutating func take(_ line: UnsafeRawBufferPointer, into output: inout [UInt8]) {
        guard !isComplete, let first = Self.blank(in: line, from: 0), let second = Self.blank(in: line, from: first + 1),
            let third = Self.blank(in: line, from: second + 1), first >= 20, third > second + 1
        else { return }
        guard Self.isStream(line[(first + 1)..<second]) else { return }
        if let since {
            guard let time = Timestamp(rfc3339: String(decoding: line[..<first], as: UTF8.self)) else { return }
            guard time >= since else { return }
        }
        var end = line.count
        // A part ends in a newline of the log, not of the container.
        if line[second + 1] == UInt8(ascii: "P"), end > third + 1, line[end - 1] == 10 { end -= 1 }
        let before = output.count
        if hasTimestamps, isLineStart { Self.appendTime(line[..<first], to: &output) }
        output.append(contentsOf: line[(third + 1)..<end])
        let added = Int64(output.count - before)
        if added > bytesLeft { output.removeLast(Int(added - bytesLeft)) }
        bytesLeft -= min(added, bytesLeft)
        if let lines = linesLeft { linesLeft = lines - 1 }
        isLineStart = end == third + 1 || line[end - 1] == 10
    }

    private static func blank(in line: UnsafeRawBufferPointer, from start: Int) -> Int? {
        guard let base = line.baseAddress, start < line.count, let found = memchr(base + start, 32, line.count - start) else { return nil }
        return UnsafeRawPointer(found) - base
    }

    private static func isStream(_ field: Slice<UnsafeRawBufferPointer>) -> Bool {
        field.elementsEqual("stdout".utf8) || field.elementsEqual("stderr".utf8)
    }

    /// The time with nine digits of a second, so that columns stand.
    private static func appendTime(_ time: Slice<UnsafeRawBufferPointer>, to output: inout [UInt8]) {
        let fractionStart = time.startIndex + 19
        output.append(contentsOf: time[..<fractionStart])
        output.append(UInt8(ascii: "."))
        var rest = time[fractionStart...]
        var digits = 0
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            while let digit = rest.first, (48...57).contains(digit) {
                if digits < 9 { output.append(digit) }
                digits += 1
                rest = rest.dropFirst()
            }
        }
        output.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: max(0, 9 - digits)))
        output.append(contentsOf: rest)
        output.append(32)
    }
}

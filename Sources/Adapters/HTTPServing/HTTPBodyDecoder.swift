/// Takes the framing off the body of an answer that comes as raw bytes (RFC 9112 §6): chunked, of a known length, or up to the end.
package struct HTTPBodyDecoder: Sendable {
    private enum State: Sendable, Hashable {
        case untilEnd
        case length(Int)
        case chunkSize
        case chunk(Int)
        /// The line end behind a chunk.
        case chunkEnd
        case trailer
        case done
    }

    private var state: State
    private var line: [UInt8] = []

    /// For an answer to `method` with this status and these headers.
    package init(status: Int, headers: HTTPFields, method: String = "GET") {
        if method == "HEAD" || status == 204 || status == 304 || status < 200 {
            state = .done
        } else if headers.contains("Transfer-Encoding", element: "chunked") {
            state = .chunkSize
        } else if let length = headers["Content-Length"].flatMap({ Int($0) }) {
            state = length > 0 ? .length(length) : .done
        } else {
            state = .untilEnd
        }
    }

    /// Whether the body is whole; one that lasts up to the end of the connection never is by itself.
    package var isWhole: Bool { state == .done }
    /// Whether the end of the connection now cuts nothing off.
    package var mayEnd: Bool { state == .done || state == .untilEnd }

    /// Returns what of the bytes is content. Throws `HTTPServingError` where the framing is broken.
    package mutating func decode(_ bytes: [UInt8]) throws(HTTPServingError) -> [UInt8] {
        var content: [UInt8] = []
        var index = 0
        while index < bytes.count {
            switch state {
            case .done: return content
            case .untilEnd:
                content += bytes[index...]
                return content
            case .length(let left):
                let count = min(left, bytes.count - index)
                content += bytes[index..<(index + count)]
                index += count
                state = count == left ? .done : .length(left - count)
            case .chunk(let left):
                let count = min(left, bytes.count - index)
                content += bytes[index..<(index + count)]
                index += count
                state = count == left ? .chunkEnd : .chunk(left - count)
            case .chunkSize, .chunkEnd, .trailer:
                let byte = bytes[index]
                index += 1
                guard byte == 10 else {
                    line.append(byte)
                    guard line.count <= 8192 else { throw Self.broken("a line of the chunked body does not end") }
                    continue
                }
                if line.last == 13 { line.removeLast() }
                try take(line)
                line = []
            }
        }
        return content
    }

    private mutating func take(_ line: [UInt8]) throws(HTTPServingError) {
        switch state {
        case .chunkSize:
            let digits = String(decoding: line.prefix { $0 != UInt8(ascii: ";") && $0 != 32 }, as: UTF8.self)
            guard let size = Int(digits, radix: 16), size >= 0, digits.first != "+" else { throw Self.broken("a chunk has no size") }
            state = size == 0 ? .trailer : .chunk(size)
        case .chunkEnd:
            guard line.isEmpty else { throw Self.broken("a chunk is longer than its size") }
            state = .chunkSize
        default: if line.isEmpty { state = .done }
        }
    }

    private static func broken(_ cause: String) -> HTTPServingError {
        HTTPServingError(code: .protocolViolation, message: "the answer is broken: \(cause)")
    }
}

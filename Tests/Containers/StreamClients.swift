import HTTPServing
import Primitives
import Testing

/// A connection that was upgraded by the kubelet's server, read as far as a test needs it.
struct UpgradedConnection: Sendable {
    let stream: DuplexByteStream
    let headers: HTTPFields
    private let early: [UInt8]

    /// Asks for an upgrade and expects it.
    init(_ method: String, port: Int, _ target: String, _ headers: HTTPFields) async throws {
        let answer = try await HTTPUpgradeExchange(method: method, host: "127.0.0.1", port: port, target: target, headers: headers).perform()
        try #require(answer.status == 101, "\(answer.status) \(String(decoding: answer.early, as: UTF8.self))")
        stream = answer.stream
        self.headers = answer.headers
        early = answer.early
    }

    /// Everything that came behind the head, as it comes.
    func frames<Frame>(_ parse: (inout ArraySlice<UInt8>) -> Frame?, _ take: (Frame) throws -> Bool) async throws {
        var buffer = early[...]
        while true {
            while let frame = parse(&buffer) { if try !take(frame) { return } }
            guard let more = try await stream.receive() else { return }
            buffer = buffer + more
        }
    }
}

/// Kubernetes' channels over WebSocket: the first byte of a message is its channel.
enum ChannelFrames {
    static func headers(_ version: String) -> HTTPFields {
        [
            "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Protocol": version,
        ]
    }

    /// A message of a client, masked with zeros.
    static func message(_ channel: UInt8, _ bytes: [UInt8]) -> [UInt8] { [0x82, 0x80 | UInt8(bytes.count + 1), 0, 0, 0, 0, channel] + bytes }

    /// The payload of one frame of a server; nil until it is whole.
    static func parse(_ buffer: inout ArraySlice<UInt8>) -> (code: UInt8, payload: [UInt8])? {
        let bytes = Array(buffer.prefix(4))
        guard bytes.count >= 2 else { return nil }
        var (start, length) = (2, Int(bytes[1] & 0x7F))
        if length == 126 {
            guard bytes.count == 4 else { return nil }
            (start, length) = (4, Int(bytes[2]) << 8 | Int(bytes[3]))
        }
        guard buffer.count >= start + length else { return nil }
        let payload = Array(buffer.dropFirst(start).prefix(length))
        buffer = buffer.dropFirst(start + length)
        return (bytes[0] & 0x0F, payload)
    }
}

/// As much of SPDY/3.1 as opens streams and reads their data (`spec/05 §26.5`).
struct SPDYFrames {
    private var isFirst = true

    /// SYN_STREAM with the header `streamType`; its header block is one stored block of the connection's zlib stream and a flush.
    mutating func open(_ id: UInt32, _ type: String) -> [UInt8] {
        var block = Self.bytes(1)
        for text in ["streamtype", type] { block += Self.bytes(UInt32(text.utf8.count)) + Array(text.utf8) }
        // The zlib header names SPDY's dictionary by its checksum, once.
        var compressed: [UInt8] = isFirst ? [0x78, 0xBB, 0xE3, 0xC6, 0xA7, 0xC2] : []
        isFirst = false
        let size = UInt16(block.count)
        compressed += [0, UInt8(size & 255), UInt8(size >> 8), UInt8(~size & 255), UInt8(~size >> 8)] + block + [0, 0, 0, 0xFF, 0xFF]
        let body = Self.bytes(id) + Self.bytes(0) + [0, 0] + compressed
        return [0x80, 3, 0, 1, 0] + Self.bytes(UInt32(body.count)).dropFirst() + body
    }

    static func data(_ id: UInt32, _ bytes: [UInt8], isLast: Bool = false) -> [UInt8] {
        Self.bytes(id) + [isLast ? 1 : 0] + Self.bytes(UInt32(bytes.count)).dropFirst() + bytes
    }

    /// One frame: the stream of data, or nil for a control frame; nil until it is whole.
    static func parse(_ buffer: inout ArraySlice<UInt8>) -> (stream: UInt32?, bytes: [UInt8])? {
        let head = Array(buffer.prefix(8))
        guard head.count == 8 else { return nil }
        let length = Int(head[5]) << 16 | Int(head[6]) << 8 | Int(head[7])
        guard buffer.count >= 8 + length else { return nil }
        let bytes = Array(buffer.dropFirst(8).prefix(length))
        buffer = buffer.dropFirst(8 + length)
        guard head[0] & 0x80 == 0 else { return (nil, bytes) }
        return (head[..<4].reduce(0) { $0 << 8 | UInt32($1) }, bytes)
    }

    private static func bytes(_ number: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) } }
}

package import NIOCore
import NIOPosix
import Primitives

/// A request that asks an HTTP server to switch protocols, and what the server makes of it.
///
/// The bytes after a `101` pass through untouched, whatever the protocol is: SPDY, WebSocket or anything else.
package struct HTTPUpgradeExchange: Sendable {
    package var method: String
    package var host: String
    package var port: Int
    /// Path and query, percent-encoded.
    package var target: String
    /// `Host` is added where it is missing; `Connection` and `Upgrade` are the caller's.
    package var headers: HTTPFields
    /// How long connecting and waiting for the head of the answer may take together.
    package var answerTime: Duration = .seconds(30)
    /// How long the server may refuse to take bytes.
    package var writeTime: Duration = .seconds(60)

    /// Adds what stands between socket and bytes, such as TLS, on the channel's event loop; nil for none.
    package var prepareChannel: (@Sendable (any Channel) throws -> Void)?

    package init(method: String, host: String, port: Int, target: String, headers: HTTPFields) {
        self.method = method
        self.host = host
        self.port = port
        self.target = target
        self.headers = headers
    }

    /// The head of the answer, and the connection behind it.
    package struct Answer: Sendable {
        package var status: Int
        package var headers: HTTPFields
        /// What came right behind the head.
        package var early: [UInt8]
        /// Open; to be closed by the caller.
        package var stream: DuplexByteStream
    }

    /// Sends the request and returns with the head of the answer. Throws `HTTPServingError`.
    package func perform() async throws -> Answer {
        let stream = try await connect()
        do {
            return try await withThrowingTaskGroup(of: Answer?.self) { group in
                group.addTask {
                    try await stream.send(head)
                    return try await answer(from: stream)
                }
                group.addTask {
                    try await Task.sleep(for: answerTime)
                    return nil
                }
                defer { group.cancelAll() }
                guard let first = try await group.next(), let answer = first else {
                    throw HTTPServingError(code: .timedOut, message: "\(host):\(port) did not answer within \(answerTime)")
                }
                return answer
            }
        } catch {
            await stream.close()
            throw error
        }
    }

    private func connect() async throws -> DuplexByteStream {
        do {
            return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(TimeAmount(answerTime))
                .channelOption(.socketOption(.tcp_nodelay), value: 1)
                .connect(host: host, port: port) { [writeTime, prepareChannel] channel in
                    channel.eventLoop.makeCompletedFuture {
                        try prepareChannel?(channel)
                        return try DuplexByteStream(channel: channel, writeTime: writeTime, allowsHalfClosure: prepareChannel == nil)
                    }
                }
        } catch let error as NIOConnectionError {
            let cause = error.connectionErrors.first.map { "\($0.error)" } ?? "\(error)"
            throw HTTPServingError(code: .connectionClosed, message: "dial tcp \(host):\(port): \(cause)")
        } catch {
            throw HTTPServingError(code: .connectionClosed, message: "dial tcp \(host):\(port): \(error)")
        }
    }

    private var head: [UInt8] {
        var text = "\(method) \(target) HTTP/1.1\r\n"
        if headers["Host"] == nil { text += "Host: \(host):\(port)\r\n" }
        for field in headers { text += "\(field.name): \(field.value)\r\n" }
        return Array((text + "\r\n").utf8)
    }

    private func answer(from stream: DuplexByteStream) async throws -> Answer {
        var bytes: [UInt8] = []
        var scanned = 0
        while true {
            guard let more = try await stream.receive() else {
                throw HTTPServingError(code: .connectionClosed, message: "\(host):\(port) closed the connection without an answer")
            }
            bytes += more
            if let end = Self.endOfHead(bytes, from: max(0, scanned - 3)) {
                guard let (status, headers) = Self.parse(bytes[..<(end - 4)]) else {
                    throw HTTPServingError(code: .protocolViolation, message: "\(host):\(port) does not speak HTTP/1.1")
                }
                return Answer(status: status, headers: headers, early: Array(bytes[end...]), stream: stream)
            }
            scanned = bytes.count
            guard bytes.count <= 64 * 1024 else {
                throw HTTPServingError(code: .headerTooLarge, message: "the answer of \(host):\(port) has a head of more than 64 KiB")
            }
        }
    }

    /// The index behind the empty line that ends the head of an answer; nil where it has not come yet.
    package static func endOfHead(_ bytes: [UInt8], from start: Int) -> Int? {
        guard bytes.count >= start + 4 else { return nil }
        for index in start...(bytes.count - 4)
        where bytes[index] == 13 && bytes[index + 1] == 10 && bytes[index + 2] == 13 && bytes[index + 3] == 10 { return index + 4 }
        return nil
    }

    /// Status and header lines of a head without its empty line; nil where it is none.
    package static func parse(_ head: ArraySlice<UInt8>) -> (Int, HTTPFields)? {
        let lines = head.split(separator: 10, omittingEmptySubsequences: false).map { line in
            String(decoding: line.last == 13 ? line.dropLast() : line, as: UTF8.self)
        }
        guard let first = lines.first?.split(separator: " ", maxSplits: 2), first.count >= 2, first[0].hasPrefix("HTTP/1."),
            let status = Int(first[1]), (100..<600).contains(status)
        else { return nil }
        var fields = HTTPFields()
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            fields.append(String(line[..<colon]), String(value))
        }
        return (status, fields)
    }
}

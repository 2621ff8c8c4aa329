import HTTPServing
import Testing

@Suite("A WebSocket of the server", .serialized, .timeLimit(.minutes(1)))
struct WebSocketTests {
    /// A frame of a client; a mask of zeros leaves the payload readable.
    static func frame(_ opcode: UInt8, _ payload: [UInt8], isFinal: Bool = true, isMasked: Bool = true, rsv: UInt8 = 0) -> [UInt8] {
        var bytes: [UInt8] = [(isFinal ? 0x80 : 0) | rsv | opcode]
        let mask: UInt8 = isMasked ? 0x80 : 0
        switch payload.count {
        case ..<126: bytes.append(mask | UInt8(payload.count))
        case ..<65536: bytes += [mask | 126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
        default: bytes += [mask | 127] + (0..<8).reversed().map { UInt8(truncatingIfNeeded: payload.count >> ($0 * 8)) }
        }
        return bytes + (isMasked ? [0, 0, 0, 0] : []) + payload
    }

    static let upgrade =
        "GET /p/n/events HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

    /// Connects, and returns the client after the 101.
    static func open(_ port: Int) async throws -> RawClient {
        let client = try RawClient(port: port)
        await client.send(upgrade)
        let head = await client.read(until: "\r\n\r\n")
        #expect(head.hasPrefix("HTTP/1.1 101 "))
        #expect(head.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
        return client
    }

    /// Everything until the server closes.
    static func readToEnd(_ client: RawClient) async -> [UInt8] {
        var whole: [UInt8] = []
        while true {
            let some = await client.read()
            if some.isEmpty { return whole }
            whole += some
        }
    }

    static let close = frame(8, [0x03, 0xE8])

    /// Sends what it gets back in one frame each.
    static func echo(_ configuration: WebSocketConnection.Configuration = .init()) -> HTTPServer.Handler {
        { _ in
            .webSocket(configuration) { socket in
                while let message = try? await socket.receive() { try? await socket.send(message) }
            }
        }
    }

    @Test("joins fragments of any size, with empty and control frames between them")
    func fragments() async throws {
        let payload = (0..<40_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        var bytes = Self.frame(1, Array(payload[0..<4096]), isFinal: false)
        bytes += Self.frame(9, Array("hi".utf8))
        bytes += Self.frame(0, Array(payload[4096..<4097]), isFinal: false)
        bytes += Self.frame(0, [], isFinal: false)
        bytes += Self.frame(0, Array(payload[4097...]), isFinal: false)
        bytes += Self.frame(0, [])
        let sent = bytes
        try await withServer(handler: Self.echo()) { port in
            let client = try await Self.open(port)
            defer { client.close() }
            for start in stride(from: 0, to: sent.count, by: 777) { await client.send(Array(sent[start..<min(start + 777, sent.count)])) }
            await #expect(client.read(exactly: 8) == [0x8A, 2] + Array("hi".utf8) + [0x81, 126, 0x9C, 0x40])
            let isSame = await client.read(exactly: payload.count) == payload
            #expect(isSame)
            await client.send(Self.close)
            await #expect(Self.readToEnd(client) == [0x88, 2, 0x03, 0xE8])
        }
    }

    @Test("passes text that is no UTF-8, binary and empty messages")
    func bytes() async throws {
        try await withServer(handler: Self.echo()) { port in
            let client = try await Self.open(port)
            defer { client.close() }
            await client.send(Self.frame(1, [0xFF, 0xFE, 0x00]) + Self.frame(2, [1]) + Self.frame(1, []))
            await #expect(client.read(exactly: 10) == [0x81, 3, 0xFF, 0xFE, 0x00, 0x81, 1, 1, 0x81, 0])
            await client.send(Self.close)
            await #expect(Self.readToEnd(client) == [0x88, 2, 0x03, 0xE8])
        }
    }

    /// What a peer sends, and the code of the close that answers it; messages may have 1000 bytes.
    static let broken: [([UInt8], Int)] = {
        var cases: [([UInt8], Int)] = []
        cases.append((frame(1, [1], isMasked: false), 1002))
        cases.append((frame(0, [1]), 1002))
        cases.append((frame(1, [1], rsv: 0x40), 1002))
        cases.append((frame(3, [1]), 1002))
        cases.append((frame(1, [1], isFinal: false) + frame(1, [2]), 1002))
        cases.append((frame(9, [UInt8](repeating: 0, count: 126)), 1002))
        cases.append((frame(9, [1], isFinal: false), 1002))
        cases.append((frame(1, [UInt8](repeating: 0, count: 1001)), 1009))
        let half = [UInt8](repeating: 0, count: 600)
        cases.append((frame(1, half, isFinal: false) + frame(0, half), 1009))
        cases.append(([0x81, 0xFF, 0x7F] + [UInt8](repeating: 0xFF, count: 7) + [0, 0, 0, 0], 1009))
        return cases
    }()

    @Test("closes with the right code on a broken or greedy peer", arguments: broken)
    func violations(bytes: [UInt8], code: Int) async throws {
        var configuration = WebSocketConnection.Configuration()
        configuration.messageBytes = 1000
        configuration.closeTime = .milliseconds(50)
        let (errors, reported) = AsyncStream.makeStream(of: (any Error)?.self)
        try await withServer(handler: { [configuration] _ in
            .webSocket(configuration) { socket in
                do {
                    while try await socket.receive() != nil {}
                    reported.yield(nil)
                } catch {
                    reported.yield(error)
                }
            }
        }) { port in
            let client = try await Self.open(port)
            defer { client.close() }
            await client.send(bytes)
            let answer = await Self.readToEnd(client)
            #expect(answer.count >= 4 && answer[0] == 0x88 && Int(answer[2]) << 8 | Int(answer[3]) == code, "\(answer)")
            var iterator = errors.makeAsyncIterator()
            await #expect(iterator.next() as? HTTPServingError != nil)
        }
    }

    @Test("stops reading when its user does, and loses nothing")
    func backpressure() async throws {
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        let (counts, counted) = AsyncStream.makeStream(of: Int.self)
        var configuration = WebSocketConnection.Configuration()
        configuration.inboundBytes = 10_000
        try await withServer(handler: { [configuration] _ in
            .webSocket(configuration) { socket in
                var iterator = gate.makeAsyncIterator()
                await iterator.next()
                var count = 0
                while let message = try? await socket.receive() {
                    guard message.count == 60_000 else { break }
                    count += 1
                }
                counted.yield(count)
            }
        }) { port in
            let client = try await Self.open(port)
            defer { client.close() }
            let frame = Self.frame(2, [UInt8](repeating: 7, count: 60_000))
            let (full, rest) = await client.repeating(frame, upTo: 1000)
            #expect(full < 1000)
            open.yield()
            await client.send(rest)
            await client.send(Self.close)
            var iterator = counts.makeAsyncIterator()
            await #expect(iterator.next() == full + (rest.isEmpty ? 0 : 1))
        }
    }

    @Test("notices a peer that says nothing and pings one that lives")
    func liveness() async throws {
        var configuration = WebSocketConnection.Configuration()
        configuration.pingInterval = .milliseconds(20)
        configuration.readTime = .milliseconds(100)
        let (errors, reported) = AsyncStream.makeStream(of: (any Error)?.self)
        try await withServer(handler: { [configuration] _ in
            .webSocket(configuration) { socket in
                do {
                    _ = try await socket.receive()
                    reported.yield(nil)
                } catch {
                    reported.yield(error)
                }
            }
        }) { port in
            let client = try await Self.open(port)
            defer { client.close() }
            await #expect(Self.readToEnd(client).starts(with: [0x89, 0, 0x89, 0]))
            var iterator = errors.makeAsyncIterator()
            let error = await iterator.next() as? HTTPServingError
            #expect(error?.code == .timedOut)
        }
    }

    @Test(
        "is refused to requests that do not ask properly",
        arguments: [
            ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 400),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n",
                400
            ),
            (upgrade.replacing("Version: 13", with: "Version: 8"), 426),
            (upgrade.replacing("dGhlIHNhbXBsZSBub25jZQ==", with: "x"), 400),
        ])
    func refused(request: String, status: Int) async throws {
        try await withServer(handler: Self.echo()) { port in
            try await #expect(exchange(port, request).hasPrefix("HTTP/1.1 \(status) "))
        }
    }
}

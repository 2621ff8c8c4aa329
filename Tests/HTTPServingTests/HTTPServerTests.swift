import HTTPServing
import Testing

@Suite("An HTTP server", .serialized, .timeLimit(.minutes(1)))
struct HTTPServerTests {
    private static let echo: HTTPServer.Handler = { request in
        let body = try await request.body.collect(upTo: 1 << 20)
        return HTTPResponse(
            status: 200, headers: ["X-Method": request.method, "X-Target": request.target], body: Array("[".utf8) + body + Array("]".utf8))
    }

    @Test("hands the body of a GET to the handler")
    func bodyOnGet() async throws {
        try await withServer(handler: Self.echo) { port in
            let answer = try await exchange(
                port, "GET /edge.crt?x=%20 HTTP/1.1\r\nhost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(answer.contains("X-Target: /edge.crt?x=%20\r\n"))
            #expect(answer.hasSuffix("\r\n\r\n[hello]"))
        }
    }

    @Test("answers pipelined requests one after the other on a kept connection")
    func pipelined() async throws {
        try await withServer(handler: Self.echo) { port in
            let one = "POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
            let two = "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
            let three = "GET /3 HTTP/1.0\r\n\r\n"
            let answer = try await exchange(port, one + two + three)
            #expect(answer.components(of: "HTTP/1.").count == 4)
            #expect(answer.contains("[abc]"))
            #expect(answer.contains("X-Target: /2"))
            #expect(answer.contains("X-Target: /3"))
        }
    }

    @Test(
        "T20 refuses requests that two servers could read differently",
        arguments: [
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
            ("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\n Y: 2\r\n\r\n", 400),
            ("nonsense\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3145729\r\n\r\n", 413),
        ])
    func refused(request: String, status: Int) async throws {
        try await withServer(handler: Self.echo) { port in
            let answer = try await exchange(port, request)
            #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(request) got \(answer)")
            #expect(answer.contains("Connection: close\r\n"))
        }
    }

    @Test("T17 refuses a header larger than its limit with 431")
    func largeHeader() async throws {
        var limits = HTTPServerLimits()
        limits.headerBytes = 4096
        try await withServer(limits: limits, handler: Self.echo) { port in
            try await #expect(exchange(port, "GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "x", count: 8192))").hasPrefix("HTTP/1.1 431 "))
            let many = (0..<1000).map { "X\($0): 1\r\n" }.joined()
            try await #expect(exchange(port, "GET / HTTP/1.1\r\nHost: a\r\n" + many).hasPrefix("HTTP/1.1 431 "))
            try await #expect(exchange(port, "GET /\(String(repeating: "x", count: 8192))").hasPrefix("HTTP/1.1 431 "))
        }
    }

    @Test("T17 stops a chunked body at the limit with 413")
    func largeChunkedBody() async throws {
        var limits = HTTPServerLimits()
        limits.bodyBytes = 1000
        try await withServer(limits: limits, handler: Self.echo) { port in
            let chunk = "200\r\n\(String(repeating: "x", count: 512))\r\n"
            let answer = try await exchange(port, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\(chunk)\(chunk)\(chunk)")
            #expect(answer.hasPrefix("HTTP/1.1 413 "))
        }
    }

    @Test("T19 gives up on headers and bodies that do not come")
    func slowClients() async throws {
        var limits = HTTPServerLimits()
        // Long enough for a busy machine to bring a head in, once one has begun.
        limits.headerTime = .seconds(1)
        limits.bodyPause = .milliseconds(300)
        try await withServer(limits: limits, handler: Self.echo) { port in
            try await #expect(exchange(port, "GET / HTTP/1.1\r\nHos").hasPrefix("HTTP/1.1 408 "))
            try await #expect(exchange(port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc").hasPrefix("HTTP/1.1 408 "))
            try await #expect(exchange(port, "") == "")
        }
    }

    @Test("answers before the body has come and then closes")
    func earlyAnswer() async throws {
        try await withServer(handler: { _ in .text(403, "no") }) { port in
            let answer = try await exchange(port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc")
            #expect(answer.hasPrefix("HTTP/1.1 403 Forbidden\r\n"))
            #expect(answer.contains("Connection: close\r\n"))
        }
    }

    @Test("T17 what follows a malformed body does not cut off the answer to it")
    func goesOnAfterMalformedBody() async throws {
        let (failures, failed) = AsyncStream<Void>.makeStream()
        let (permissions, permit) = AsyncStream<Void>.makeStream()
        try await withServer(handler: { request in
            guard request.method == "POST" else { return .text(200, "") }
            do { for try await _ in request.body {} } catch {
                failed.yield()
                for await _ in permissions { break }
                throw error
            }
            return .text(200, "")
        }) { port in
            let client = try RawClient(port: port)
            defer { client.close() }
            await client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nno length\r\n")
            for await _ in failures { break }
            await client.send("and no length again\r\n")
            // Every event loop has taken up what came before once it has answered others.
            for _ in 0..<8 { try await #expect(exchange(port, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").hasPrefix("HTTP/1.1 200 ")) }
            permit.yield()
            await #expect(client.readToEnd().hasPrefix("HTTP/1.1 400 "))
        }
    }

    @Test("says 100 Continue when the client waits for it")
    func continues() async throws {
        try await withServer(handler: Self.echo) { port in
            let client = try RawClient(port: port)
            defer { client.close() }
            await client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n")
            await #expect(client.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 100 "))
            await client.send("ok")
            await #expect(client.readToEnd().hasSuffix("[ok]"))
        }
    }

    @Test("streams an answer chunk by chunk")
    func streams() async throws {
        try await withServer(handler: { _ in
            .stream(200, headers: ["Content-Type": "application/json"]) { writer in
                for number in 0..<3 { try await writer.write(Array("line \(number)\n".utf8)) }
            }
        }) { port in
            let answer = try await exchange(port, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(answer.lowercased().contains("transfer-encoding: chunked\r\n"))
            #expect(answer.contains("7\r\nline 1\n\r\n"))
            #expect(answer.hasSuffix("0\r\n\r\n"))
        }
    }

    @Test("cancels the handler of a client that went away")
    func clientGone() async throws {
        let (ended, ending) = AsyncStream.makeStream(of: Bool.self)
        try await withServer(handler: { _ in
            .stream(200) { writer in
                try await writer.write(Array("first\n".utf8))
                do {
                    try await untilCancelled()
                } catch {
                    ending.yield(Task.isCancelled)
                    throw error
                }
            }
        }) { port in
            let client = try RawClient(port: port)
            await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await #expect(client.read(until: "first").contains("first"))
            client.close()
            var iterator = ended.makeAsyncIterator()
            #expect(await iterator.next() == true)
        }
    }

    @Test("does not read on while a handler does not take the body")
    func bodyBackpressure() async throws {
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        var limits = HTTPServerLimits()
        limits.bodyBytes = 64 << 20
        try await withServer(
            limits: limits,
            handler: { request in
                var iterator = gate.makeAsyncIterator()
                await iterator.next()
                var count = 0
                for try await chunk in request.body { count += chunk.count }
                return .text(200, "\(count)")
            }
        ) { port in
            let size = 48 << 20
            let client = try RawClient(port: port)
            defer { client.close() }
            await client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(size)\r\nConnection: close\r\n\r\n")
            let taken = await client.fill(upTo: size)
            #expect(taken < size)
            open.yield()
            await client.send([UInt8](repeating: 7, count: size - taken))
            await #expect(client.readToEnd().hasSuffix("\(size)\n"))
        }
    }

    @Test("answers HEAD without a body and 500 for a handler that fails")
    func others() async throws {
        struct Broken: Error {}
        try await withServer(handler: { request in
            if request.path == "/broken" { throw Broken() }
            return .text(200, "hello")
        }) { port in
            let head = try await exchange(port, "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(head.hasSuffix("\r\n\r\n"))
            #expect(head.lowercased().contains("content-length: 6\r\n"))
            try await #expect(exchange(port, "GET /broken HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").hasPrefix("HTTP/1.1 500 "))
        }
    }

    @Test("says which port is taken and what to do")
    func takenPort() async throws {
        try await withServer(handler: Self.echo) { port in
            let second = HTTPServer(HTTPServerConfiguration(host: "127.0.0.1", port: port), logger: quiet, handler: Self.echo)
            let error = await #expect(throws: HTTPServingError.self) { try await second.run() }
            #expect(error?.code == .addressInUse)
            #expect(error?.message.hasPrefix("port \(port) on 127.0.0.1 is already in use: stop the program") == true)
            await #expect(throws: HTTPServingError.self) { try await second.boundPort() }
        }
    }

    @Test("hands a raw stream over after an upgrade, with the bytes that came early")
    func duplex() async throws {
        try await withServer(handler: { _ in
            .duplex(headers: ["Upgrade": "SPDY/3.1", "Connection": "Upgrade"]) { stream in
                while let bytes = try? await stream.receive() {
                    try? await stream.send(Array("<".utf8) + bytes + Array(">".utf8))
                    if bytes.last == UInt8(ascii: "!") { return }
                }
            }
        }) { port in
            let client = try RawClient(port: port)
            defer { client.close() }
            await client.send("POST /exec HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nContent-Length: 0\r\n\r\nearly")
            let answer = await client.read(until: "<early>")
            #expect(answer.hasPrefix("HTTP/1.1 101 Switching Protocols\r\n"))
            #expect(!answer.lowercased().contains("transfer-encoding"))
            #expect(answer.hasSuffix("\r\n\r\n<early>"))
            await client.send("late!")
            await #expect(client.readToEnd() == "<late!>")
        }
    }

    @Test("closes connections beyond its limit")
    func connectionLimit() async throws {
        var limits = HTTPServerLimits()
        limits.connections = 1
        try await withServer(limits: limits, handler: Self.echo) { port in
            let first = try RawClient(port: port)
            defer { first.close() }
            await first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await #expect(first.read(until: "[]").contains("[]"))
            try await #expect(exchange(port, "") == "")
        }
    }
}

extension String {
    /// The parts between occurrences of a separator.
    func components(of separator: String) -> [Substring] { split(separator: separator, omittingEmptySubsequences: false) }
}

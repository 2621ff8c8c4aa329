import HTTPServing
import Logging
import PodCore
import Primitives
import Synchronization
import Testing

@testable import KubeletServer

/// Exec, attach and port-forward through a streaming server that stands for the runtime's.
struct StreamTests {
    /// The streaming server's side of a test.
    final class Runtime: Sendable {
        private let state = Mutex<[HTTPRequest]>([])
        var requests: [HTTPRequest] { state.withLock { $0 } }
        func note(_ request: HTTPRequest) { state.withLock { $0.append(request) } }
    }

    private static func withRuntime(
        _ serve: @Sendable @escaping (HTTPRequest) async -> HTTPResponse,
        _ body: @Sendable @escaping (ServingBed, Int, Runtime) async throws -> Void
    ) async throws {
        try await ServingBed.serving { bed, port in
            try await bed.addPod()
            let notes = Runtime()
            let server = HTTPServer(
                HTTPServerConfiguration(host: "127.0.0.1", port: 0), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            ) { request in
                notes.note(request)
                return await serve(request)
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await server.run() }
                await bed.runtime.serveStreams(at: "http://127.0.0.1:\(try await server.boundPort())")
                try await body(bed, port, notes)
                group.cancelAll()
            }
        }
    }

    private static let upgrade: HTTPFields = ["Connection": "Upgrade", "Upgrade": "SPDY/3.1", "X-Stream-Protocol-Version": "v4.channel.k8s.io"]

    /// Sends back what comes, then a last word once nothing more comes.
    private static func echo(_ request: HTTPRequest) async -> HTTPResponse {
        .duplex(headers: upgrade) { stream in
            do {
                while let bytes = try await stream.receive() { try await stream.send(bytes) }
                try await stream.send(Array("bye".utf8))
            } catch {}
        }
    }

    private static let spdy =
        "Host: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\nX-Stream-Protocol-Version: v3.channel.k8s.io\r\n\r\n"

    @Test(arguments: [
        ("POST /exec/default/web/main?command=ls&command=-l&input=1&output=1&error=1", "executionAddress", "ls,-l ioe", "/exec/"),
        ("GET /exec/default/web/u1/main?command=sh&input=1&output=1&tty=1&error=1", "executionAddress", "sh iot", "/exec/"),
        ("POST /attach/default/web/main?output=1&error=1", "attachAddress", "oe", "/attach/"),
        ("POST /portForward/default/web", "portForwardAddress", "", "/portforward/"),
    ]) func `an upgrade is handed on untouched and bytes go both ways`(line: String, call: String, asked: String, path: String) async throws {
        try await Self.withRuntime(Self.echo) { bed, port, runtime in
            let client = try RawClient(port: port)
            defer { client.close() }
            // Bytes behind the head belong to the new protocol already.
            await client.send("\(line) HTTP/1.1\r\n\(Self.spdy)early ")
            let head = await client.read(until: "early ")
            #expect(head.hasPrefix("HTTP/1.1 101 Switching Protocols\r\n"))
            #expect(head.contains("X-Stream-Protocol-Version: v4.channel.k8s.io\r\n") && head.contains("Upgrade: SPDY/3.1\r\n"))
            await client.send([0, 1, 2, 255])
            #expect(await client.read(exactly: 4) == [0, 1, 2, 255])
            client.finishSending()
            #expect(await client.readToEnd() == "bye")
            let calls = await bed.runtime.calls(of: call)
            #expect(calls.count == 1 && calls[0].hasSuffix(" \(asked)"))
            let request = try #require(runtime.requests.first)
            #expect(request.method == line.prefix { $0 != " " } && request.target.hasPrefix(path))
            #expect(request.headers.values("X-Stream-Protocol-Version") == ["v4.channel.k8s.io", "v3.channel.k8s.io"])
        }
    }

    @Test func `attach takes the terminal from the container, not from the caller`() async throws {
        try await Self.withRuntime(Self.echo) { bed, port, _ in
            bed.view.change { $0.spec["containers"] = [["name": "main", "tty": true]] }
            let client = try RawClient(port: port)
            defer { client.close() }
            await client.send("POST /attach/default/web/main?input=1&output=1&error=1 HTTP/1.1\r\n\(Self.spdy)")
            _ = await client.read(until: "\r\n\r\n")
            #expect(await bed.runtime.calls(of: "attachAddress").first?.hasSuffix(" iot") == true)
        }
    }

    @Test func `WebSocket ports are told to the runtime`() async throws {
        try await Self.withRuntime(Self.echo) { bed, port, _ in
            let client = try RawClient(port: port)
            defer { client.close() }
            await client.send(
                "GET /portForward/default/web?port=80,81&port=9000 HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n"
            )
            _ = await client.read(until: "\r\n\r\n")
            #expect(await bed.runtime.calls(of: "portForwardAddress").first?.hasSuffix(" 80,81,9000") == true)
        }
    }

    @Test func `a refusal of the streaming server reaches the client`() async throws {
        let refuse: @Sendable (HTTPRequest) async -> HTTPResponse = { _ in
            HTTPResponse(status: 403, headers: ["Content-Type": "text/plain", "X-Reason": "token"], body: Array("no such token".utf8))
        }
        try await Self.withRuntime(refuse) { _, port, _ in
            let client = try RawClient(port: port)
            defer { client.close() }
            await client.send("POST /exec/default/web/main?output=1&command=ls HTTP/1.1\r\n\(Self.spdy)")
            let answer = await client.readToEnd()
            #expect(answer.hasPrefix("HTTP/1.1 403 Forbidden\r\n") && answer.hasSuffix("\r\n\r\nno such token"))
            #expect(answer.contains("X-Reason: token\r\n"))
        }
        try await Self.withRuntime({ _ in .text(200, "hello") }) { _, port, _ in
            let client = try RawClient(port: port)
            defer { client.close() }
            await client.send("POST /exec/default/web/main?output=1&command=ls HTTP/1.1\r\n\(Self.spdy)")
            #expect(await client.readToEnd().hasSuffix("invalid upgrade response: status code 200"))
        }
    }

    @Test func `a streaming server that is not there is an error with its address`() async throws {
        try await ServingBed.serving { bed, port in
            try await bed.addPod()
            let client = try RawClient(port: port)
            defer { client.close() }
            await client.send("POST /exec/default/web/main?output=1&command=ls HTTP/1.1\r\n\(Self.spdy)")
            let answer = await client.readToEnd()
            #expect(answer.hasPrefix("HTTP/1.1 500 ") && answer.contains("error dialing backend: dial tcp 127.0.0.1:1:"))
        }
    }

    /// Sends without end and says how much the other side took, and when it was over.
    private final class Flood: Sendable {
        let sent = Mutex(0)
        let ended = Mutex(false)
    }

    @Test func `a client that reads nothing stops the runtime, and its going ends the stream there`() async throws {
        let flood = Flood()
        let pour: @Sendable (HTTPRequest) async -> HTTPResponse = { _ in
            .duplex(headers: Self.upgrade) { stream in
                let block = [UInt8](repeating: 7, count: 64 * 1024)
                while (try? await stream.send(block)) != nil { flood.sent.withLock { $0 += block.count } }
                flood.ended.withLock { $0 = true }
            }
        }
        try await Self.withRuntime(pour) { _, port, _ in
            let client = try RawClient(port: port)
            await client.send("POST /exec/default/web/main?output=1&command=yes HTTP/1.1\r\n\(Self.spdy)")
            _ = await client.read(until: "\r\n\r\n")
            // It comes to rest: the same count for half a second.
            let before = Mutex((count: -1, since: SystemClock().now().uptime))
            try await eventually {
                let (now, count) = (SystemClock().now().uptime, flood.sent.withLock { $0 })
                return before.withLock { before in
                    if before.count != count { before = (count, now) }
                    return now - before.since > .milliseconds(500)
                }
            }
            #expect(flood.sent.withLock { $0 } < 32 << 20)
            client.close()
            try await eventually { flood.ended.withLock { $0 } }
        }
    }

    @Test func `a runtime that closes ends the client's connection with all it sent`() async throws {
        let brief: @Sendable (HTTPRequest) async -> HTTPResponse = { _ in
            .duplex(headers: Self.upgrade) { stream in try? await stream.send([UInt8](repeating: 65, count: 300_000)) }
        }
        try await Self.withRuntime(brief) { _, port, _ in
            let client = try RawClient(port: port)
            defer { client.close() }
            await client.send("POST /exec/default/web/main?output=1&command=ls HTTP/1.1\r\n\(Self.spdy)")
            let answer = await client.readToEnd()
            #expect(answer.utf8.count { $0 == 65 } >= 300_000)
        }
    }

    @Test func `a stream on which nothing moves is closed`() async throws {
        let bed = try ServingBed()
        defer { bed.folder.remove() }
        let ended = Mutex(false)
        try await Self.withRuntime({ _ in
            .duplex(headers: Self.upgrade) { stream in
                while (try? await stream.receive()) != .some(nil) {}
                ended.withLock { $0 = true }
            }
        }) { bed, _, _ in
            let server = bed.service { $0.streamIdleLimit = .milliseconds(300) }.makeServer()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await server.run() }
                let client = try RawClient(port: try await server.boundPort())
                defer { client.close() }
                await client.send("POST /exec/default/web/main?output=1&command=ls HTTP/1.1\r\n\(Self.spdy)")
                #expect(await client.readToEnd().hasPrefix("HTTP/1.1 101 "))
                try await eventually { ended.withLock { $0 } }
                group.cancelAll()
            }
        }
    }

    @Test(arguments: [
        ("http://127.0.0.1:41234/exec/abc", "127.0.0.1", 41234, "/exec/abc"), ("http://[::1]:80", "::1", 80, "/"),
        ("http://localhost:8080/a?b=c", "localhost", 8080, "/a?b=c"),
    ]) func `streaming addresses are taken apart`(address: String, host: String, port: Int, path: String) throws {
        let target = try #require(StreamProxy.Target(address))
        #expect((target.host, target.port, target.path) == (host, port, path))
        for broken in ["https://a:1/", "http://a/x", "http://:1/", "a:1"] { #expect(StreamProxy.Target(broken) == nil) }
    }
}

import EdgeTransport
import Primitives
import Testing

/// Clients that break HTTP, or never come to an end of it, at every port that a cloud opens.
@Suite("Abuse of HTTP at a cloud's ports", .serialized, .timeLimit(.minutes(3)))
struct HTTPAbuseTests {
    /// A request without its body: method, path and headers, each line with its end.
    struct Target: Sendable {
        let listener: CloudBed.Listener
        let head: String
        /// What the service answers where it does not look at the body; nil where it reads it.
        let early: Int?
    }

    private static let upgrade =
        "Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    private static let application = "GET /edge.crt HTTP/1.1\r\nHost: a\r\nNodeName: edge-1\r\n"
    private static let line =
        "GET /project/edge-1/events HTTP/1.1\r\nNode_id: edge-1\r\nProject_id: project\r\nConnectionuse: msg\r\n" + upgrade
    private static let tunnel =
        "GET \(TunnelHeaders.path) HTTP/1.1\r\nSessionHostNameOverride: edge-1\r\nSessionInternalIP: 127.0.0.1\r\n" + upgrade

    static let targets = [
        Target(listener: .certificates, head: application, early: nil),
        Target(listener: .certificates, head: "GET /ca.crt HTTP/1.1\r\nHost: a\r\n", early: 200),
        Target(listener: .certificates, head: "POST /nodeupgrade HTTP/1.1\r\nHost: a\r\n", early: 404),
        Target(listener: .line, head: line, early: 400), Target(listener: .tunnel, head: tunnel, early: 400),
        Target(listener: .stream, head: "POST /exec/default/web/main HTTP/1.1\r\nHost: a\r\n", early: 404),
    ]

    // MARK: - T17

    /// How a request goes on for ever.
    enum Endless: String, CaseIterable, Sendable {
        case chunks, announced, parameters, trailers, headers

        /// Ends the head, or does not.
        var beginning: String {
            switch self {
            case .chunks: "Transfer-Encoding: chunked\r\n\r\n"
            case .announced: "Content-Length: 1099511627776\r\n\r\n"
            case .parameters: "Transfer-Encoding: chunked\r\n\r\n1;"
            case .trailers: "Transfer-Encoding: chunked\r\n\r\n0\r\n"
            case .headers: ""
            }
        }

        /// 64 KiB, more or less.
        var piece: [UInt8] {
            let kilobyte = String(repeating: "x", count: 1024)
            return switch self {
            case .chunks: Array("10000\r\n".utf8) + [UInt8](repeating: 0x30, count: 65536) + Array("\r\n".utf8)
            case .announced, .parameters: [UInt8](repeating: 0x30, count: 65536)
            case .trailers, .headers: Array(String(repeating: "X-Field: \(kilobyte)\r\n", count: 64).utf8)
            }
        }

        func status(_ target: Target) -> Int {
            switch self {
            case .chunks: target.early ?? 413
            case .announced: 413
            case .parameters: target.early ?? 400
            case .trailers: target.early ?? 431
            case .headers: 431
            }
        }
    }

    @Test("T17 a request without an end is answered with what is wrong and its connection closed", arguments: Endless.allCases)
    func endless(kind: Endless) async throws {
        try await CloudBed.run { cloud in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for target in Self.targets {
                    group.addTask {
                        let connection = try await cloud.raw(target.listener)
                        // Just more than is taken, so that the answer can be read before the connection is gone.
                        let pieces = target.early == nil && kind == .chunks ? 17 : 4
                        try await connection.send(target.head + kind.beginning)
                        for _ in 0..<pieces { do { try await connection.send(kind.piece) } catch { break } }
                        let answer = await connection.readToEnd()
                        let place = "\(kind) at \(target.listener): \(target.head.prefix(40)): \(answer.prefix(200))"
                        #expect(answer.hasPrefix("HTTP/1.1 \(kind.status(target)) "), "\(place)")
                        #expect(answer.contains("\r\nConnection: close\r\n"), "\(place)")
                        #expect(answer.ranges(of: "HTTP/1.1 ").count == 1, "\(place)")
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("T17 clients that never stop sending are cut off, and others are served meanwhile")
    func floods() async throws {
        let limit = 64 << 20
        try await CloudBed.run { cloud in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (target, kind) in Self.targets.flatMap({ target in Endless.allCases.map { (target, $0) } }) {
                    group.addTask {
                        let connection = try await cloud.raw(target.listener)
                        do { try await connection.send(target.head + kind.beginning) } catch { return }
                        let sent = await connection.flood(kind.piece, upTo: limit)
                        #expect(sent < limit, "\(kind) at \(target.listener): \(target.head.prefix(40))")
                    }
                }
                for _ in 0..<5 { try await cloud.servesOthers() }
                try await group.waitForAll()
            }
            try await cloud.servesOthers()
        }
    }

    // MARK: - T19

    /// What a slow client sends at once, and whether it then sends a byte now and then.
    struct Slow: Sendable {
        let name: String
        let listeners: [CloudBed.Listener]
        var isPlain = false
        let beginning: [UInt8]
        var trickle: [UInt8]?
        /// What it is told before the connection ends.
        let answer: String

        init(
            _ name: String, at listeners: [CloudBed.Listener] = CloudBed.Listener.allCases, isPlain: Bool = false, _ beginning: String,
            trickle: String? = nil, answer: String = ""
        ) {
            self.name = name
            self.listeners = listeners
            self.isPlain = isPlain
            self.beginning = Array(beginning.utf8)
            self.trickle = trickle.map { Array($0.utf8) }
            self.answer = answer
        }
    }

    static let slowClients = [
        Slow("no handshake", isPlain: true, ""),
        Slow("half a handshake", isPlain: true, "\u{16}\u{03}\u{01}\u{02}\u{00}\u{01}"),
        Slow("a handshake byte by byte", isPlain: true, "\u{16}\u{03}\u{01}\u{01}\u{40}\u{01}\u{00}\u{01}\u{3C}", trickle: "\u{03}"),
        Slow("a handshake and no request", ""),
        Slow("half a header", "GET / HTTP/1.1\r\nHos", answer: "HTTP/1.1 408 "),
        Slow("a header byte by byte", "GET / HTTP/1.1\r\nHost: a\r\nX-Field: ", trickle: "x", answer: "HTTP/1.1 408 "),
        Slow("half a body", at: [.certificates], application + "Content-Length: 1000\r\n\r\nabc", answer: "HTTP/1.1 408 "),
        Slow("a body byte by byte", at: [.certificates], application + "Content-Length: 100000\r\n\r\n", trickle: "x", answer: "HTTP/1.1 408 "),
        Slow(
            "chunks of a byte", at: [.certificates], application + "Transfer-Encoding: chunked\r\n\r\n", trickle: "1\r\nx\r\n",
            answer: "HTTP/1.1 408 "),
        Slow("an upgrade and no message", at: [.line], line + "\r\n", answer: "HTTP/1.1 101 "),
        Slow("an upgrade and no message", at: [.tunnel], tunnel + "\r\n", answer: "HTTP/1.1 101 "),
    ]

    @Test("T19 slow handshakes, headers and bodies and silent upgrades end after their time, and others are served")
    func slow() async throws {
        try await CloudBed.run {
            ($0.limits.headerTime, $0.limits.bodyPause, $0.limits.bodyTime) = (.seconds(4), .seconds(3), .seconds(4))
            ($0.pingInterval, $0.readTime) = (.seconds(1), .seconds(4))
        } _: { cloud in
            let lively = try await cloud.line("edge-2", as: try cloud.node("edge-2"))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for client in Self.slowClients {
                    for listener in client.listeners { group.addTask { try await Self.expectEnd(of: client, at: listener, cloud) } }
                }
                for _ in 0..<5 { try await cloud.servesOthers() }
                try await group.waitForAll()
            }
            try await cloud.servesOthers()
            try await lively.send(Array("still here".utf8))
            var messages = lively.messages().makeAsyncIterator()
            #expect(try await messages.next() == Array("edge-2: still here".utf8))
            await lively.close("")
        }
    }

    private static func expectEnd(of client: Slow, at listener: CloudBed.Listener, _ cloud: CloudBed) async throws {
        let connection = client.isPlain ? try await RawConnection.open(cloud.port(listener)) : try await cloud.raw(listener)
        if !client.beginning.isEmpty { try await connection.send(client.beginning) }
        let answer = await withTaskGroup(of: Void.self) { group in
            if let trickle = client.trickle {
                group.addTask {
                    let clock = SystemClock()
                    while !Task.isCancelled {
                        do { try await connection.send(trickle) } catch { return }
                        // The pace of the client, which is what the test is about.
                        try? await clock.wait(until: clock.now().uptime + .milliseconds(50))
                    }
                }
            }
            let answer = await connection.readToEnd()
            group.cancelAll()
            return answer
        }
        let isExpected = client.answer.isEmpty ? !answer.contains("HTTP/") : answer.hasPrefix(client.answer)
        #expect(isExpected, "\(client.name) at \(listener): \(answer.prefix(200))")
    }

    // MARK: - T20

    /// Requests whose length a server before or behind ours might read in another way.
    static let ambiguousHeads =
        [
            "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG", "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\nG",
            "Content-Length: 0\r\nContent-Length: 44\r\n\r\n", "Content-Length: 0, 44\r\n\r\n", "Content-Length: 0x0\r\n\r\n",
            "Content-Length: -0\r\n\r\n", "Content-Length:\r\n\r\n", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
            "Transfer-Encoding: \u{0B}chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
            "X: 1\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "X: 1\n\r\n",
            "X: 1\rY: 1\r\n\r\n",
            "\n", "X: 1\u{00}2\r\n\r\n", "X\u{00}: 1\r\n\r\n", ": 1\r\n\r\n", "X 1\r\n\r\n", "Host: b\r\n\r\n",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nhello",
        ].map { "POST / HTTP/1.1\r\nHost: a\r\n" + $0 } + [
            "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\n\r\n",
            "GET /\u{00} HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        ]

    static let ambiguousChunks = ["0x1\r\nG", "-1\r\nG", "+1\r\nG", "FFFFFFFFFFFFFFFFF\r\nG", "1\r\nGG", "1\nG", "\r\nG", "1 1\r\nG"].map {
        application + "Transfer-Encoding: chunked\r\n\r\n\($0)\r\n0\r\n\r\n"
    }

    @Test("T20 what two servers could read differently is refused, and nothing behind it is answered")
    func smuggling() async throws {
        try await CloudBed.run { cloud in
            for listener in CloudBed.Listener.allCases {
                for request in Self.ambiguousHeads + (listener == .certificates ? Self.ambiguousChunks : []) {
                    let connection = try await cloud.raw(listener)
                    do { try await connection.send(request + "GET /ca.crt HTTP/1.1\r\nHost: a\r\n\r\n") } catch {}
                    let answer = await connection.readToEnd()
                    #expect(answer.hasPrefix("HTTP/1.1 400 "), "\(listener): \(request): \(answer)")
                    #expect(answer.contains("\r\nConnection: close\r\n"), "\(listener): \(request): \(answer)")
                    #expect(answer.ranges(of: "HTTP/1.1 ").count == 1, "\(listener): \(request): \(answer)")
                }
            }
        }
    }

    @Test("T20 names and values of headers count without regard to case, and both requests behind each other are answered")
    func oddCase() async throws {
        try await CloudBed.run { cloud in
            let connection = try await cloud.raw(.certificates)
            try await connection.send("GET /ca.crt HTTP/1.1\r\nhOST: a\r\ntRANSFER-eNCODING: cHUNKED\r\n\r\n1\r\nG\r\n0\r\n\r\n")
            try await connection.send("GET /lost HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            let answer = await connection.readToEnd()
            #expect(answer.hasPrefix("HTTP/1.1 200 "))
            #expect(answer.ranges(of: "HTTP/1.1 404 ").count == 1)
        }
    }
}

import EdgeTransport
import HTTPServing
import Primitives
import Testing

@Suite("A message channel over TLS", .serialized, .timeLimit(.minutes(1)))
struct MessageChannelTests {
    private static let echo: HTTPServer.Handler = { request in
        .messageChannel(to: request) { channel in
            do {
                for try await message in channel.messages() { try await channel.send(message) }
            } catch {}
        }
    }

    @Test("carries messages of every size in both directions, in order")
    func sizes() async throws {
        let credentials = try Credentials()
        try await withServer({ credentials.tls(credentials.required) }, handler: Self.echo) { address in
            let channel = try await WebSocketClient.connect(
                to: address.at("/project/edge/events"), headers: [("Node_id", "edge")], authority: credentials.authority.certificate,
                identity: credentials.identity)
            var incoming = channel.messages().makeAsyncIterator()
            for size in [0, 1, 125, 126, 65535, 65536, 40 << 10, 3 << 20] {
                let message = [UInt8](repeating: UInt8(size % 251), count: size)
                try await channel.send(message)
                try await #expect(incoming.next() == message)
            }
            await channel.close("done")
            try await #expect(incoming.next() == nil)
        }
    }

    @Test("shows what the peer announces, and nothing where it announces nothing")
    func capabilities() async throws {
        let credentials = try Credentials()
        for (announced, expected) in [([String](), Set<String>()), (["events", "more"], ["events", "more"])] {
            let handler: HTTPServer.Handler = { request in
                .messageChannel(to: request, capabilities: announced) { channel in
                    #expect(channel.capabilities == expected)
                    do { for try await _ in channel.messages() {} } catch {}
                }
            }
            try await withServer({ credentials.tls() }, handler: handler) { address in
                let channel = try await WebSocketClient.connect(
                    to: address, capabilities: announced, authority: credentials.authority.certificate)
                #expect(channel.capabilities == expected)
                await channel.close("done")
            }
        }
    }

    @Test("knows that the peer has read what was sent, and that a peer that does not read has not")
    func roundTrips() async throws {
        let credentials = try Credentials()
        try await withServer({ credentials.tls() }, handler: Self.echo) { address in
            let channel = try await WebSocketClient.connect(to: address, authority: credentials.authority.certificate)
            for number in 0..<3 {
                try await channel.send([UInt8(number)])
                try await channel.roundTrip(within: .seconds(20))
            }
            await channel.close("done")
            await #expect(code { try await channel.roundTrip(within: .seconds(20)) } == .closed)
        }
        let silent: HTTPServer.Handler = { request in
            .messageChannel(to: request) { _ in try? await untilCancelled() }
        }
        try await withServer({ credentials.tls() }, handler: silent) { address in
            let channel = try await WebSocketClient.connect(to: address, authority: credentials.authority.certificate)
            await withTaskGroup(of: Void.self) { group in
                // More than the connection keeps for a reader and the sockets hold.
                group.addTask { _ = await code { for _ in 0..<40 { try await channel.send([UInt8](repeating: 1, count: 1 << 20)) } } }
                var outcome: TransportError.Code?
                // The first pings may still be ahead of the flood.
                for _ in 0..<1000 where outcome == nil { outcome = await code { try await channel.roundTrip(within: .milliseconds(300)) } }
                #expect(outcome == .timedOut)
                await channel.close("done")
            }
        }
    }

    @Test("loses nothing when the receiver is slower than the sender")
    func slowReader() async throws {
        let credentials = try Credentials()
        let count = 2000
        try await withServer(
            { credentials.tls() },
            handler: { request in
                .messageChannel(to: request) { channel in
                    for number in 0..<count { try? await channel.send(Array("\(number) ".utf8) + [UInt8](repeating: 32, count: 5000)) }
                }
            }
        ) { address in
            let channel = try await WebSocketClient.connect(to: address, authority: credentials.authority.certificate)
            var expected = 0
            for try await message in channel.messages() {
                #expect(message.starts(with: Array("\(expected) ".utf8)), "message \(expected)")
                expected += 1
                if expected % 100 == 0 { await Task.yield() }
            }
            #expect(expected == count)
        }
    }

    @Test("shows the node's headers, path and certificate to the server")
    func requestSeen() async throws {
        let credentials = try Credentials()
        let (requests, seen) = AsyncStream.makeStream(of: HTTPRequest.self)
        try await withServer(
            { credentials.tls(credentials.required) },
            handler: { request in
                seen.yield(request)
                return .messageChannel(to: request) { _ in }
            }
        ) { address in
            let channel = try await WebSocketClient.connect(
                to: address.at("/p/n/events"), headers: [("Node_id", "n"), ("Project_id", "p"), ("Connectionuse", "msg")],
                authority: credentials.authority.certificate, identity: credentials.identity)
            var iterator = requests.makeAsyncIterator()
            let request = try #require(await iterator.next())
            #expect(request.target == "/p/n/events")
            #expect(request.method == "GET")
            #expect(request.headers["node_id"] == "n" && request.headers["PROJECT_ID"] == "p" && request.headers["connectionuse"] == "msg")
            #expect(request.headers["Host"] == address.authority)
            #expect(request.headers["Origin"] == nil && request.headers["Sec-WebSocket-Protocol"] == nil)
            #expect(request.peerCertificate == credentials.client.certificate)
            #expect(request.isSecure)
            await channel.close("")
        }
    }

    @Test("tells the server's words when it is refused")
    func refused() async throws {
        let credentials = try Credentials()
        try await withServer({ credentials.tls() }, handler: { _ in .text(503, "1000 nodes are connected, which is the limit") }) { address in
            do {
                _ = try await WebSocketClient.connect(to: address, authority: credentials.authority.certificate)
                Issue.record("the connection was accepted")
            } catch let error as TransportError {
                #expect(error.code == .handshake)
                #expect(error.message.hasSuffix("refused the connection with 503: 1000 nodes are connected, which is the limit"))
                #expect(error.isRetryable)
            }
        }
    }

    @Test("gives up on a server that accepts and says nothing")
    func silentServer() async throws {
        let credentials = try Credentials()
        try await withServer(
            { credentials.tls() },
            handler: { _ in
                try await untilCancelled()
                return .text(200, "")
            }
        ) { address in
            var configuration = WebSocketClient.Configuration()
            configuration.handshakeTime = .milliseconds(200)
            #expect(
                await code {
                    _ = try await WebSocketClient.connect(
                        to: address, authority: credentials.authority.certificate, configuration: configuration)
                } == .timedOut)
        }
    }

    @Test("ends a send that the peer does not take")
    func writeDeadline() async throws {
        let credentials = try Credentials()
        try await withServer(
            { credentials.tls() },
            handler: { request in
                .messageChannel(to: request) { _ in try? await untilCancelled() }
            }
        ) { address in
            var configuration = WebSocketClient.Configuration()
            configuration.connection.writeTime = .milliseconds(200)
            let channel = try await WebSocketClient.connect(
                to: address, authority: credentials.authority.certificate, configuration: configuration)
            let message = [UInt8](repeating: 1, count: 1 << 20)
            let sending = await code { for _ in 0..<40 { try await channel.send(message) } }
            #expect(sending == .timedOut)
            await #expect(code { for try await _ in channel.messages() {} } == .timedOut)
        }
    }

    @Test("says that nobody listens")
    func unreachable() async throws {
        let credentials = try Credentials()
        var closed = PeerAddress(host: "127.0.0.1", port: 1)
        try await withServer({ credentials.tls() }, handler: Self.echo) { _ in }
        closed.port = 1
        let address = closed
        await #expect(code { _ = try await WebSocketClient.connect(to: address, authority: credentials.authority.certificate) } == .unreachable)
    }

    @Test("can be cancelled while it connects")
    func cancelled() async throws {
        let credentials = try Credentials()
        let (arrived, arrival) = AsyncStream.makeStream(of: Void.self)
        try await withServer(
            { credentials.tls() },
            handler: { _ in
                arrival.yield()
                try await untilCancelled()
                return .text(200, "")
            }
        ) { address in
            await withTaskGroup(of: Bool.self) { group in
                group.addTask {
                    do {
                        _ = try await WebSocketClient.connect(to: address, authority: credentials.authority.certificate)
                        return false
                    } catch {
                        return error is CancellationError
                    }
                }
                var iterator = arrived.makeAsyncIterator()
                await iterator.next()
                group.cancelAll()
                await #expect(group.next() == true)
            }
        }
    }
}

@Suite("An address")
struct PeerAddressTests {
    @Test(
        "is read from a URL",
        arguments: [
            ("https://192.0.2.7:10002", "192.0.2.7", 10002, "/"), ("wss://c.example:10000/p/n/events", "c.example", 10000, "/p/n/events"),
            ("192.0.2.7:10000", "192.0.2.7", 10000, "/"), ("https://[fd00::1]:10002/x", "fd00::1", 10002, "/x"), ("c.example", "c.example", 443, "/"),
        ])
    func read(text: String, host: String, port: Int, path: String) {
        #expect(PeerAddress(text) == PeerAddress(host: host, port: port, path: path))
    }

    @Test("is refused without host or with no port", arguments: ["", "https://", ":80", "a:b", "a:70000", "a:0", "fd00::1:80", "[fd00::1", "[::1]x"])
    func refused(text: String) { #expect(PeerAddress(text) == nil) }
}

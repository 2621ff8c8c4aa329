import NIOCore
import NIOHTTP1
import NIOPosix
import PodCore
import Primitives
import Testing

@testable import Edged

@Suite struct HandlerNetworkTests {
    /// Answers as the path says.
    private final class Teapot: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .head(let head) = unwrapInboundIn(data), head.uri != "/silence" else { return }
            let words = head.uri.split(separator: "/").map(String.init)
            switch words.first {
            case "hop":
                // As often as the number says, then /tea.
                let left = words.dropFirst().first.flatMap(Int.init) ?? 0
                send(context, .found, ["location": left > 1 ? "/hop/\(left - 1)" : "../tea"])
            case "away": send(context, .movedPermanently, ["location": "http://example.com/", "content-length": "7"], body: 7)
            case "broken": send(context, .ok, ["content-length": "5000"], body: 10, ends: false)
            case "endless": send(context, .ok, ["content-length": "1000000"], body: NIOHandlerNetwork.bodyLimit, ends: false)
            default:
                // What was asked, in the place of a location.
                let asked = head.headers.map { "\($0.name)=\($0.value)" }.joined(separator: ";")
                send(context, .imATeapot, ["location": asked])
            }
        }

        private func send(
            _ context: ChannelHandlerContext, _ status: HTTPResponseStatus, _ headers: [String: String], body: Int = 0, ends: Bool = true
        ) {
            var fields = HTTPHeaders(headers.map { ($0.key, $0.value) })
            if fields["content-length"].isEmpty { fields.add(name: "content-length", value: "0") }
            context.write(wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: status, headers: fields))), promise: nil)
            if body > 0 {
                context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(repeating: 0, count: body)))), promise: nil)
            }
            if ends { context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil) } else { context.flush() }
        }
    }

    private func withTeapot(_ body: (NIOHandlerNetwork, Int) async throws -> Void) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Teapot())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(server.localAddress?.port)
        try await body(NIOHandlerNetwork(group: group), port)
        try await server.close()
        try await group.shutdownGracefully()
    }

    private func request(_ port: Int, _ path: String, usesTLS: Bool = false) -> HandlerRequest {
        HandlerRequest(usesTLS: usesTLS, host: "127.0.0.1", port: port, path: path, headers: [])
    }

    private func failure(_ body: () async throws -> Void) async -> EdgedFailure? {
        do { try await body() } catch { return error as? EdgedFailure }
        return nil
    }

    @Test(
        "the headers of a request",
        arguments: [
            ([], "Host=127.0.0.1:PORT;User-Agent=kube-probe/1.28;Accept=*/*;Connection=close"),
            (["host: web.local", "X: 1", "X: 2"], "Host=web.local;X=1;X=2;User-Agent=kube-probe/1.28;Accept=*/*;Connection=close"),
            (["user-agent: me", "Accept: "], "Host=127.0.0.1:PORT;user-agent=me;Connection=close"),
        ])
    func headers(given: [String], expected: String) async throws {
        try await withTeapot { network, port in
            let fields = given.map { line in
                let parts = line.split(separator: ": ", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
                return ProbeAction.HTTPField(name: parts[0], value: parts[1])
            }
            let request = HandlerRequest(
                usesTLS: false, host: "127.0.0.1", port: port, path: "/tea", fields: fields, agent: "kube-probe/1.28")
            let answer = try await network.get(request, timeout: .seconds(5))
            #expect(answer.status == 418)
            #expect(answer.location == expected.replacing("PORT", with: String(port)))
        }
    }

    @Test func `redirections on the same host are followed ten times, those to another one are the answer`() async throws {
        try await withTeapot { network, port in
            let once = try await network.get(request(port, "/hop/1"), timeout: .seconds(5))
            let often = try await network.get(request(port, "/hop/10"), timeout: .seconds(5))
            #expect(once.status == 418 && often.status == 418)
            let tooMany = await failure { _ = try await network.get(request(port, "/hop/11"), timeout: .seconds(5)) }
            #expect(tooMany?.message.hasSuffix("stopped after 10 redirects") == true)
            let away = try await network.get(request(port, "/away"), timeout: .seconds(5))
            #expect(away.status == 301 && away.body.utf8.count == 7)
        }
    }

    @Test(
        "where redirections lead",
        arguments: [
            ("/x?y#z", "http://10.0.0.1:8080/x?y"), ("../c/./d?../e", "http://10.0.0.1:8080/c/d?../e"), ("..", "http://10.0.0.1:8080/"),
            ("/x/..", "http://10.0.0.1:8080/"), ("b", "http://10.0.0.1:8080/a/b"), ("?q", "http://10.0.0.1:8080/a/old?q"),
            ("https://10.0.0.1/s", "https://10.0.0.1:443/s"), ("http://10.0.0.1:9/", "http://10.0.0.1:9/"), ("//10.0.0.1:9", "http://10.0.0.1:9/"),
            ("http://10.0.0.2:8080/", nil), ("http://[::1]:9/", nil),
        ] as [(String, String?)])
    func places(location: String, expected: String?) {
        let request = HandlerRequest(usesTLS: false, host: "10.0.0.1", port: 8080, path: "/a/old?p", headers: [])
        #expect(request.redirected(to: location)?.url == expected)
    }

    @Test func `silence ends with the timeout and a closed port at once`() async throws {
        try await withTeapot { network, port in
            let silence = await failure { _ = try await network.get(request(port, "/silence"), timeout: .milliseconds(50)) }
            #expect(silence?.code == .network && silence?.message.contains("deadline exceeded") == true)
            let closed = await failure { _ = try await network.get(request(1, "/"), timeout: .seconds(5)) }
            #expect(closed?.message.hasPrefix("Get \"http://127.0.0.1:1/\": dial tcp 127.0.0.1:1: ") == true)
            let refused = await failure { try await network.connect(host: "127.0.0.1", port: 1, timeout: .seconds(5)) }
            #expect(refused?.message.hasPrefix("dial tcp 127.0.0.1:1: ") == true)
            try await network.connect(host: "127.0.0.1", port: port, timeout: .seconds(5))
        }
    }

    @Test func `ten kibibytes of a body are enough, and one that breaks off is no answer`() async throws {
        try await withTeapot { network, port in
            let endless = try await network.get(request(port, "/endless"), timeout: .seconds(5))
            #expect(endless.status == 200)
            let broken = await failure { _ = try await network.get(request(port, "/broken"), timeout: .seconds(2)) }
            #expect(broken?.code == .unreadableAnswer)
        }
    }

    @Test func `a server that speaks plain HTTP where TLS was asked for is known by its words`() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Grumbler()) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(server.localAddress?.port)
        let plain = await failure {
            _ = try await NIOHandlerNetwork(group: group).get(request(port, "/", usesTLS: true), timeout: .seconds(5))
        }
        #expect(plain?.code == .plainAnswer)
        try await server.close()
        try await group.shutdownGracefully()
    }

    /// What a plain HTTP server says to what it does not understand.
    private final class Grumbler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: "HTTP/1.1 400 Bad Request\r\n\r\n")), promise: nil)
        }
    }
}

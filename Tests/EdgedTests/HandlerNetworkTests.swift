import NIOCore
import NIOHTTP1
import NIOPosix
import Primitives
import Testing

@testable import Edged

@Suite struct HandlerNetworkTests {
    /// Answers every request with 418 and where to go, or never when asked for `/silence`.
    private final class Teapot: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .head(let head) = unwrapInboundIn(data), head.uri != "/silence" else { return }
            let agent = head.headers.first(name: "user-agent") ?? ""
            let answer = HTTPResponseHead(version: .http1_1, status: .imATeapot, headers: ["location": agent, "content-length": "0"])
            context.write(wrapOutboundOut(.head(answer)), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
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

    @Test func `a GET brings the status and the place of the answer`() async throws {
        try await withTeapot { network, port in
            let request = HandlerRequest(usesTLS: false, host: "127.0.0.1", port: port, path: "/tea", headers: ["User-Agent": "kube-probe/1.28"])
            #expect(try await network.get(request, timeout: .seconds(5)) == HandlerAnswer(status: 418, location: "kube-probe/1.28"))
            try await network.connect(host: "127.0.0.1", port: port, timeout: .seconds(5))
        }
    }

    @Test func `silence ends with the timeout and a closed port at once`() async throws {
        try await withTeapot { network, port in
            var request = HandlerRequest(usesTLS: false, host: "127.0.0.1", port: port, path: "/silence", headers: [:])
            await #expect(throws: EdgedFailure.self) { _ = try await network.get(request, timeout: .milliseconds(50)) }
            request.port = 1
            await #expect(throws: EdgedFailure.self) { _ = try await network.get(request, timeout: .seconds(5)) }
            await #expect(throws: EdgedFailure.self) { try await network.connect(host: "127.0.0.1", port: 1, timeout: .seconds(5)) }
        }
    }
}

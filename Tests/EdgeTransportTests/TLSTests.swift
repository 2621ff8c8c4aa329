import EdgeTransport
import HTTPServing
import NIOCore
import NIOPosix
import NIOSSL
import Primitives
import Synchronization
import Testing
import Trust

@Suite("TLS between edge and cloud", .serialized, .timeLimit(.minutes(1)))
struct TLSTests {
    private static let hello: HTTPServer.Handler = { request in
        let body = try await request.body.collect(upTo: 1 << 20)
        return HTTPResponse(status: 200, headers: ["X-Method": request.method], body: body)
    }

    private func code(_ address: PeerAddress, trusting authority: [UInt8], as identity: ClientIdentity? = nil) async -> TransportError.Code? {
        await EdgeTransportTests.code { _ = try await HTTPSExchange(to: address, trust: .pinned(authority: authority), identity: identity).send() }
    }

    @Test("sends a GET with a body and gets the answer whole")
    func exchange() async throws {
        let credentials = try Credentials()
        try await withServer({ credentials.tls() }, handler: Self.hello) { address in
            var exchange = HTTPSExchange(to: address.at("/edge.crt"), trust: .pinned(authority: credentials.authority.certificate))
            exchange.body = [1, 2, 3]
            let answer = try await exchange.send()
            #expect(answer.status == 200)
            #expect(answer.body == [1, 2, 3])
            #expect(answer.headers["x-method"] == "GET")
            exchange.body = [UInt8](repeating: 0, count: 2000)
            exchange.answerBytes = 1000
            let tooLarge = exchange
            await #expect(EdgeTransportTests.code { _ = try await tooLarge.send() } == .messageTooLarge)
        }
    }

    @Test("refuses an unknown CA, a foreign name and an expired certificate")
    func serverIdentity() async throws {
        let good = try Credentials()
        let other = try Credentials()
        let foreign = try Credentials(names: ["192.0.2.1", "cloud.example"])
        let expired = try Credentials(age: .seconds(7200), lifetime: .seconds(3600))
        for (server, trusted, expected) in [
            (good, good, nil), (good, other, .tls), (foreign, foreign, .tls), (expired, expired, TransportError.Code.tls),
        ] {
            try await withServer({ server.tls() }, handler: Self.hello) { address in
                await #expect(code(address, trusting: trusted.authority.certificate) == expected)
                // Only where the answer is checked by other means is anything accepted.
                try await #expect(HTTPSExchange(to: address, trust: .unverified).send().status == 200)
            }
        }
    }

    @Test("checks the name that was dialled, not the address behind it")
    func hostName() async throws {
        let named = try Credentials(names: ["localhost"])
        try await withServer({ named.tls() }, handler: Self.hello) { address in
            await #expect(code(PeerAddress(host: "localhost", port: address.port), trusting: named.authority.certificate) == nil)
            await #expect(code(address, trusting: named.authority.certificate) == .tls)
        }
    }

    @Test("lets nobody in without a certificate of its CA for client authentication")
    func clientIdentity() async throws {
        let credentials = try Credentials()
        let other = try Credentials()
        let server = ClientIdentity(certificate: credentials.server.certificate, privateKey: credentials.server.key.der)
        try await withServer({ credentials.tls(credentials.required) }, handler: Self.hello) { address in
            let trusted = credentials.authority.certificate
            await #expect(code(address, trusting: trusted, as: credentials.identity) == nil)
            await #expect(code(address, trusting: trusted) != nil)
            await #expect(code(address, trusting: trusted, as: other.identity) != nil)
            await #expect(code(address, trusting: trusted, as: server) != nil)
        }
    }

    @Test("hands an unknown client certificate to the handler where it is only asked for")
    func requested() async throws {
        let credentials = try Credentials()
        let other = try Credentials()
        try await withServer(
            { credentials.tls(.requested) },
            handler: { request in
                HTTPResponse(status: 200, body: request.peerCertificate ?? [])
            }
        ) { address in
            for identity in [credentials.identity, other.identity, nil] {
                let exchange = HTTPSExchange(to: address, trust: .pinned(authority: credentials.authority.certificate), identity: identity)
                try await #expect(exchange.send().body == identity?.certificate ?? [])
            }
        }
    }

    @Test("serves a changed certificate without a restart")
    func reload() async throws {
        let old = try Credentials()
        let new = try Credentials()
        let current = Mutex(old)
        try await withServer({ current.withLock { $0.tls() } }, handler: Self.hello) { address in
            await #expect(code(address, trusting: old.authority.certificate) == nil)
            current.withLock { $0 = new }
            await #expect(code(address, trusting: new.authority.certificate) == nil)
            await #expect(code(address, trusting: old.authority.certificate) == .tls)
        }
    }

    @Test("refuses TLS 1.1 and cipher suites without forward secrecy", arguments: [(TLSVersion.tlsv11, nil), (.tlsv12, "AES128-SHA")])
    func oldProtocols(version: TLSVersion, suites: String?) async throws {
        let credentials = try Credentials()
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        configuration.minimumTLSVersion = version == .tlsv11 ? .tlsv1 : .tlsv12
        configuration.maximumTLSVersion = version
        if let suites { configuration.cipherSuites = suites }
        let context = try NIOSSLContext(configuration: configuration)
        try await withServer({ credentials.tls() }, handler: Self.hello) { address in
            let failure = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: Bool.self)
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandlers(
                            [
                                try NIOSSLClientHandler(context: context, serverHostname: nil), HandshakeWatch(failure),
                            ] as [any ChannelHandler])
                    }
                }
                .connect(host: address.host, port: address.port).get()
            try await #expect(failure.futureResult.get())
            try? await channel.close()
        }
    }

    @Test("says which server certificate cannot be used before it listens")
    func mismatch() async throws {
        let one = try Credentials()
        let other = try Credentials()
        let tls = HTTPServerTLS(certificateChain: one.server.certificate, privateKey: other.server.key.der)
        let server = HTTPServer(HTTPServerConfiguration(host: "127.0.0.1", port: 0, tls: { tls }), logger: quiet, handler: Self.hello)
        let error = await #expect(throws: HTTPServingError.self) { try await server.run() }
        #expect(error?.code == .invalidCertificate)
    }
}

/// True when the handshake failed, false when it succeeded.
private final class HandshakeWatch: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let failed: EventLoopPromise<Bool>

    init(_ failed: EventLoopPromise<Bool>) { self.failed = failed }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        failed.succeed(false)
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { failed.succeed(true) }

    func channelInactive(context: ChannelHandlerContext) { failed.succeed(true) }
}

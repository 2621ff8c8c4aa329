import EdgeTransport
import HTTPServing
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

import EdgeTransport
import HTTPServing
import Logging
import Primitives
import Trust

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A CA with a server and a client certificate for the loopback.
struct Credentials: Sendable {
    let authority: CertificateAuthority
    let server: KeyPair
    let client: KeyPair

    init() throws {
        let now = SystemClock().now().wall + .seconds(-60)
        let (names, lifetime) = (["127.0.0.1", "localhost"], Duration.seconds(86400))
        authority = try CertificateAuthority(now: now)
        server = try authority.issue(LeafProfile(commonName: "KubeEdge", names: names, usages: [.server], lifetime: lifetime), now: now)
        client = try authority.issue(.node("edge", lifetime: lifetime), now: now)
    }

    var identity: ClientIdentity { ClientIdentity(certificate: client.certificate, privateKey: client.key.der) }

    func tls(_ clients: HTTPServerTLS.ClientCertificates = .none) -> HTTPServerTLS {
        HTTPServerTLS(certificateChain: server.certificate, privateKey: server.key.der, clientCertificates: clients)
    }

    var required: HTTPServerTLS.ClientCertificates { .required(authorities: authority.certificate) }
}

/// Runs a TLS server on a free port of the loopback for the length of `use`.
func withServer(
    _ tls: @escaping @Sendable () throws -> HTTPServerTLS, handler: @escaping HTTPServer.Handler, use: @Sendable (PeerAddress) async throws -> Void
) async throws {
    let server = HTTPServer(HTTPServerConfiguration(host: "127.0.0.1", port: 0, tls: tls), logger: quiet, handler: handler)
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await server.run() }
        try await use(PeerAddress(host: "127.0.0.1", port: try await server.boundPort()))
        group.cancelAll()
    }
}

/// The code of the `TransportError` that the body throws; nil where it throws none.
func code(_ body: () async throws -> Void) async -> TransportError.Code? {
    do {
        try await body()
        return nil
    } catch {
        return (error as? TransportError)?.code
    }
}

/// Returns when its task is cancelled, by throwing.
func untilCancelled() async throws {
    let (nothing, source) = AsyncStream.makeStream(of: Never.self)
    for await _ in nothing {}
    withExtendedLifetime(source) {}
    try Task.checkCancellation()
}

import Logging
import Primitives
import Trust

/// Certificates for servers of a test.
enum TestCredentials {
    /// When certificates begin: TLS reads a clock that is up to a tick behind, and takes nothing that begins in its future.
    static var begin: Timestamp { SystemClock().now().wall + .seconds(-60) }

    /// An authority and a certificate of it for a server on the loopback, made `age` ago.
    static func server(
        names: [String] = ["127.0.0.1"], age: Duration = .seconds(60), lifetime: Duration = .seconds(86400)
    ) throws -> (CertificateAuthority, KeyPair) {
        let made = SystemClock().now().wall + (.zero - age)
        let authority = try CertificateAuthority(now: made)
        return (
            authority, try authority.issue(LeafProfile(commonName: "KubeEdge", names: names, usages: [.server], lifetime: lifetime), now: made)
        )
    }
}

/// What is logged, for a test that waits for it.
struct CapturedLog: Sendable {
    private let lines: AsyncStream<String>
    private let feed: AsyncStream<String>.Continuation

    init() { (lines, feed) = AsyncStream.makeStream() }

    var logger: Logger { Logger(label: "test") { [feed] _ in Handler(feed: feed) } }

    /// The first line from now on that contains a text.
    func line(with text: String) async -> String? { await lines.first { $0.contains(text) } }

    private struct Handler: LogHandler {
        let feed: AsyncStream<String>.Continuation
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level = .debug
        var metadataProvider: Logger.MetadataProvider?

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let fields = metadata.merging(event.metadata ?? [:]) { $1 }
            feed.yield("\(event.message) " + fields.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " "))
        }
    }
}

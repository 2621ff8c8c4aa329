package import Primitives
internal import Synchronization

/// The certificate that a server shows, and may be given anew while it serves: connections that stand keep theirs, new ones see the new one.
package final class HTTPServerIdentity: Sendable {
    private let state: Mutex<HTTPServerTLS>

    package init(_ tls: HTTPServerTLS) { state = Mutex(tls) }

    /// What new connections are shown.
    package var tls: HTTPServerTLS { state.withLock { $0 } }

    /// Shows another certificate from now on; false where it is the present one. Throws `HTTPServingError`, and shows the present one on, where
    /// certificate and key cannot be used together.
    package func replace(certificateChain: [UInt8], privateKey: Redacted<[UInt8]>) throws -> Bool {
        var next = tls
        next.certificateChain = certificateChain
        next.privateKey = privateKey
        guard !next.isSame(as: tls) else { return false }
        _ = try TLSServerContexts { [next] in next }.makeHandler()
        state.withLock { $0 = next }
        return true
    }
}

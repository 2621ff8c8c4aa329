/// A request as a handler sees it.
package struct HTTPRequest: Sendable {
    /// `GET`, `POST`, …; extension methods come as they were sent.
    package var method: String
    /// The request target as sent: path and raw query.
    package var target: String
    package var headers: HTTPFields
    /// The leaf certificate (DER) that the client presented over TLS. It is verified only where
    /// `HTTPServerTLS.ClientCertificates` says so.
    package var peerCertificate: [UInt8]?
    /// The address of the client, `192.0.2.7:41234`.
    package var remoteAddress: String
    /// Whether the request came over TLS.
    package var isSecure: Bool
    /// The body of any method, a GET's too; to be read once.
    package var body: HTTPBody

    package init(
        method: String, target: String, headers: HTTPFields = [:], peerCertificate: [UInt8]? = nil, remoteAddress: String = "",
        isSecure: Bool = false, body: HTTPBody = .empty
    ) {
        self.method = method
        self.target = target
        self.headers = headers
        self.peerCertificate = peerCertificate
        self.remoteAddress = remoteAddress
        self.isSecure = isSecure
        self.body = body
    }

    /// The target up to the question mark, still percent-encoded.
    package var path: Substring { target.prefix { $0 != "?" } }

    /// What follows the question mark, still percent-encoded; nil where there is none.
    package var rawQuery: Substring? {
        target.firstIndex(of: "?").map { target[target.index(after: $0)...] }
    }
}

/// The bytes of a request, as they arrive. Reading slowly stops the client from sending.
package struct HTTPBody: AsyncSequence, Sendable {
    package typealias Element = [UInt8]

    enum Source: Sendable {
        case bytes([UInt8])
        case inbox(BoundedInbox<[UInt8]>)
    }

    let source: Source

    /// A body without bytes.
    package static let empty = HTTPBody([])

    /// A body that is there already, for tests and for requests made in-process.
    package init(_ bytes: [UInt8]) { source = .bytes(bytes) }

    init(_ inbox: BoundedInbox<[UInt8]>) { source = .inbox(inbox) }

    /// Throws `HTTPServingError` when the client goes away, stalls or sends more than the server's limit.
    package struct Iterator: AsyncIteratorProtocol {
        var source: Source?

        package mutating func next() async throws -> [UInt8]? {
            switch source {
            case .bytes(let bytes):
                source = nil
                return bytes.isEmpty ? nil : bytes
            case .inbox(let inbox): return try await inbox.next()
            case nil: return nil
            }
        }
    }

    package func makeAsyncIterator() -> Iterator { Iterator(source: source) }

    /// The whole body; throws `bodyTooLarge` (answered with 413) beyond `limit` bytes.
    package func collect(upTo limit: Int) async throws -> [UInt8] {
        var whole: [UInt8] = []
        for try await chunk in self {
            guard whole.count + chunk.count <= limit else {
                throw HTTPServingError(code: .bodyTooLarge, message: "the request body is larger than \(limit) bytes")
            }
            whole += chunk
        }
        return whole
    }
}

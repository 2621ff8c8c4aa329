package import Trust

/// One question to the cloud's certificate service (`spec/01 §2.5`): a GET, with a body for a signing request.
package struct CertificateExchange: Sendable {
    /// Whom the edge believes on the other side.
    package enum Peer: Sendable {
        /// Anybody: for the CA certificate only, which the join token pins.
        case unverified
        /// A server whose certificate this CA (DER) signed for the host that is called.
        case authority([UInt8])
    }

    package var path: String
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]
    package var peer: Peer
    /// What this end shows of itself.
    package var identity: KeyPair?

    package init(path: String, headers: [(name: String, value: String)] = [], body: [UInt8] = [], peer: Peer, identity: KeyPair? = nil) {
        self.path = path
        self.headers = headers
        self.body = body
        self.peer = peer
        self.identity = identity
    }
}

/// What the certificate service answered, at most 1 MiB.
package struct CertificateReply: Sendable {
    package var status: Int
    package var body: [UInt8]

    package init(status: Int, body: [UInt8]) {
        self.status = status
        self.body = body
    }
}

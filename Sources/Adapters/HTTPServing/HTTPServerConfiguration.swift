package import Primitives

/// Where a server listens and what it allows a client to use up.
package struct HTTPServerConfiguration: Sendable {
    package var host: String
    /// 0 takes a free port; `HTTPServer.boundPort()` tells which.
    package var port: Int
    /// Read for every new connection, so that a changed certificate needs no restart; nil serves plain HTTP.
    package var tls: (@Sendable () throws -> HTTPServerTLS)?
    package var limits: HTTPServerLimits

    package init(host: String, port: Int, tls: (@Sendable () throws -> HTTPServerTLS)? = nil, limits: HTTPServerLimits = .init()) {
        self.host = host
        self.port = port
        self.tls = tls
        self.limits = limits
    }
}

/// The limits that hold for every connection of a server.
package struct HTTPServerLimits: Sendable {
    /// Request line and header fields together, in bytes; more is answered with 431.
    package var headerBytes = 64 * 1024
    /// From the first byte of a request (or the start of the connection, with its TLS handshake) to the end of its headers.
    package var headerTime: Duration = .seconds(10)
    /// The longest body of a request in bytes; a handler sets a smaller one with `HTTPBody.collect(upTo:)`. More is answered with 413.
    package var bodyBytes = 3 * 1024 * 1024
    /// The longest pause of a client within a body; a longer one is answered with 408.
    package var bodyPause: Duration = .seconds(30)
    /// From the end of the headers to the end of the body: a client that sends a byte now and then is answered with 408 too.
    package var bodyTime: Duration = .seconds(300)
    /// How long a connection is kept between two requests.
    package var idleTime: Duration = .seconds(120)
    /// How long a client may refuse to take bytes of an answer.
    package var writeTime: Duration = .seconds(60)
    /// Connections beyond this number are closed at once.
    package var connections = 16384

    package init() {}
}

/// The TLS side of a server: versions from 1.2, cipher suites with forward secrecy and authenticated encryption, ALPN `http/1.1`.
package struct HTTPServerTLS: Sendable {
    /// What is asked of the client.
    package enum ClientCertificates: Sendable, Hashable {
        case none
        /// Asked for and handed to the handler **unverified**: the handler has to verify it.
        case requested
        /// The handshake fails without a certificate for client authentication that chains to these authorities (PEM, or one DER).
        case required(authorities: [UInt8])
    }

    /// The leaf first, then its intermediates; PEM, or the DER of the leaf alone.
    package var certificateChain: [UInt8]
    /// PEM or DER.
    package var privateKey: Redacted<[UInt8]>
    package var clientCertificates: ClientCertificates

    package init(certificateChain: [UInt8], privateKey: Redacted<[UInt8]>, clientCertificates: ClientCertificates = .none) {
        self.certificateChain = certificateChain
        self.privateKey = privateKey
        self.clientCertificates = clientCertificates
    }

    func isSame(as other: HTTPServerTLS) -> Bool {
        certificateChain == other.certificateChain && privateKey.exposed == other.privateKey.exposed
            && clientCertificates == other.clientCertificates
    }
}

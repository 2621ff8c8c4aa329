/// What a handler answers.
package struct HTTPResponse: Sendable {
    package var status: Int
    /// `Content-Length`, `Transfer-Encoding` and `Connection` are the server's to set, except the length of an answer to HEAD.
    package var headers: HTTPFields
    package var content: Content

    package enum Content: Sendable {
        case bytes([UInt8])
        /// Written piece by piece; the closure runs in a task that is cancelled when the client goes away. Throwing breaks the connection,
        /// so that the client sees that the answer is not whole.
        case stream(@Sendable (HTTPBodyWriter) async throws -> Void)
        /// The connection becomes a WebSocket; `status` does not count. The connection closes when the closure returns.
        case webSocket(WebSocketConnection.Configuration, @Sendable (WebSocketConnection) async -> Void)
        /// After a `101` with the given headers the connection is the handler's, byte by byte (SPDY, raw upgrades). It closes when the closure returns.
        case duplex(@Sendable (DuplexByteStream) async -> Void)
    }

    package init(status: Int, headers: HTTPFields = [:], content: Content = .bytes([])) {
        self.status = status
        self.headers = headers
        self.content = content
    }

    package init(status: Int, headers: HTTPFields = [:], body: [UInt8]) {
        self.init(status: status, headers: headers, content: .bytes(body))
    }

    /// A plain text answer that ends in a newline.
    package static func text(_ status: Int, _ text: String) -> HTTPResponse {
        HTTPResponse(status: status, headers: ["Content-Type": "text/plain; charset=utf-8"], body: Array((text + "\n").utf8))
    }

    /// An answer that the client reads while it is made.
    package static func stream(
        _ status: Int, headers: HTTPFields = [:], _ write: @escaping @Sendable (HTTPBodyWriter) async throws -> Void
    ) -> HTTPResponse {
        HTTPResponse(status: status, headers: headers, content: .stream(write))
    }

    /// Answers an upgrade request with a WebSocket.
    ///
    /// A request that asks for none, or in a wrong way, is answered with 400 or 426 instead, and the closure never runs.
    package static func webSocket(
        _ configuration: WebSocketConnection.Configuration = .init(), headers: HTTPFields = [:],
        _ serve: @escaping @Sendable (WebSocketConnection) async -> Void
    ) -> HTTPResponse {
        HTTPResponse(status: 101, headers: headers, content: .webSocket(configuration, serve))
    }

    /// Answers with `101 Switching Protocols` and these headers, then hands the raw connection over.
    package static func duplex(headers: HTTPFields, _ serve: @escaping @Sendable (DuplexByteStream) async -> Void) -> HTTPResponse {
        HTTPResponse(status: 101, headers: headers, content: .duplex(serve))
    }
}

/// Takes the pieces of a streamed answer.
package struct HTTPBodyWriter: Sendable {
    let send: @Sendable ([UInt8]) async throws -> Void

    /// Sends bytes as one chunk; returns when the socket has taken them, which is the backpressure.
    ///
    /// Throws `HTTPServingError` when the client is gone or does not read for the server's write time.
    package func write(_ bytes: [UInt8]) async throws { try await send(bytes) }
}

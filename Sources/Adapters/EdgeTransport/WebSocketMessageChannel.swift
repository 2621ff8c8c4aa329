package import HTTPServing

/// A `MessageChannel` over a WebSocket, client or server side.
struct WebSocketMessageChannel: MessageChannel {
    let connection: WebSocketConnection
    var capabilities: Set<String> = []

    func send(_ payload: [UInt8]) async throws {
        do {
            try await connection.send(payload)
        } catch let error as HTTPServingError {
            throw TransportError(error)
        }
    }

    func messages() -> AsyncThrowingStream<[UInt8], any Error> {
        // Pulled message by message: what is not read stays in the bounded queue of the connection, then in the peer.
        AsyncThrowingStream {
            do {
                return try await connection.receive()
            } catch let error as HTTPServingError {
                throw TransportError(error)
            }
        }
    }

    var receivedBytes: Int { connection.receivedBytes }

    func close(_ reason: String) async { await connection.close(reason: reason) }

    func roundTrip(within time: Duration) async throws {
        do {
            try await connection.roundTrip(within: time)
        } catch let error as HTTPServingError {
            throw TransportError(error)
        }
    }
}

extension HTTPResponse {
    /// Answers an upgrade request with a message channel; the connection closes when the closure returns.
    ///
    /// `capabilities` are announced to the client; the channel has those that `request` announces.
    package static func messageChannel(
        _ configuration: WebSocketConnection.Configuration = .init(), to request: HTTPRequest, capabilities: [String] = [],
        _ serve: @escaping @Sendable (any MessageChannel) async -> Void
    ) -> HTTPResponse {
        var headers: HTTPFields = [:]
        if !capabilities.isEmpty { headers[CapabilityHeader.name] = capabilities.joined(separator: ", ") }
        let announced = CapabilityHeader.read(request.headers[CapabilityHeader.name] ?? "")
        return .webSocket(configuration, headers: headers) { await serve(WebSocketMessageChannel(connection: $0, capabilities: announced)) }
    }
}

import HTTPServing
import Logging

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Runs a server on a free port of the loopback for the length of `use`.
func withServer(
    limits: HTTPServerLimits = .init(), tls: (@Sendable () throws -> HTTPServerTLS)? = nil, handler: @escaping HTTPServer.Handler,
    use: @Sendable (Int) async throws -> Void
) async throws {
    let server = HTTPServer(HTTPServerConfiguration(host: "127.0.0.1", port: 0, tls: tls, limits: limits), logger: quiet, handler: handler)
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await server.run() }
        try await use(try await server.boundPort())
        group.cancelAll()
    }
}

/// One connection: sends the text and reads until the server closes.
func exchange(_ port: Int, _ request: String) async throws -> String {
    let client = try RawClient(port: port)
    defer { client.close() }
    await client.send(request)
    return await client.readToEnd()
}

/// Returns when its task is cancelled, by throwing.
func untilCancelled() async throws {
    let (nothing, source) = AsyncStream.makeStream(of: Never.self)
    for await _ in nothing {}
    withExtendedLifetime(source) {}
    try Task.checkCancellation()
}

import HTTPServing
import Primitives

/// Hands an upgrade request on to the runtime's streaming server and carries the bytes (`spec/05 §26.4`).
struct StreamProxy: Sendable {
    let idleLimit: Duration
    let clock: any MomentSource

    /// - Parameter address: What the runtime answered, `http://127.0.0.1:41234/exec/token`.
    func forward(_ request: HTTPRequest, to address: String) async -> HTTPResponse {
        guard let target = Target(address) else {
            return .plain(500, "the runtime's streaming address \"\(address)\" is not understood: it must begin with http://host:port")
        }
        var exchange = HTTPUpgradeExchange(
            method: request.method, host: target.host, port: target.port, target: target.path, headers: Self.headers(request))
        exchange.writeTime = idleLimit
        let answer: HTTPUpgradeExchange.Answer
        do { answer = try await exchange.perform() } catch { return .plain(500, "error dialing backend: \(error)") }
        guard answer.status == 101 else { return await Self.refusal(answer) }
        return .duplex(headers: answer.headers) { client in
            await StreamPump(client: client, runtime: answer.stream, idleLimit: idleLimit, clock: clock).run(early: answer.early)
            await answer.stream.close()
        }
    }

    /// Everything the client said, except to whom.
    private static func headers(_ request: HTTPRequest) -> HTTPFields {
        var headers = HTTPFields()
        for field in request.headers where !["host", "content-length", "transfer-encoding"].contains(field.name.lowercased()) {
            headers.append(field.name, field.value)
        }
        if request.method != "GET" { headers.append("Content-Length", "0") }
        return headers
    }

    /// What the streaming server answered instead of switching: status, headers and a short text.
    private static func refusal(_ answer: HTTPUpgradeExchange.Answer) async -> HTTPResponse {
        guard answer.status >= 400 else {
            await answer.stream.close()
            return .plain(500, "invalid upgrade response: status code \(answer.status)")
        }
        var body = answer.early
        let length = answer.headers["Content-Length"].flatMap { Int($0) } ?? 0
        while body.count < min(length, 64 * 1024), let more = try? await answer.stream.receive() { body += more }
        await answer.stream.close()
        var headers = answer.headers
        for name in ["Content-Length", "Transfer-Encoding", "Connection"] { headers[name] = nil }
        return HTTPResponse(status: answer.status, headers: headers, body: Array(body.prefix(length)))
    }

    struct Target: Sendable, Hashable {
        var host: String
        var port: Int
        /// With the query.
        var path: String

        init?(_ address: String) {
            guard address.hasPrefix("http://") else { return nil }
            let rest = address.dropFirst(7)
            let authority = rest.prefix { $0 != "/" && $0 != "?" }
            guard let colon = authority.lastIndex(of: ":"), let port = UInt16(authority[authority.index(after: colon)...]) else { return nil }
            var host = authority[..<colon]
            if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
            guard !host.isEmpty else { return nil }
            self.host = String(host)
            self.port = Int(port)
            let path = rest[authority.endIndex...]
            self.path = path.hasPrefix("/") ? String(path) : "/" + path
        }
    }
}

import AsyncHTTPClient
import KubeMachinery
import NIOCore
import NIOHTTP1
import Primitives

extension KubeClient {
    /// Performs a request, again where the server asks for that, and returns the JSON of its success.
    func call(_ request: KubeRequest) async throws -> JSONValue {
        var attempt = 1
        while true {
            let (status, headers, bytes) = try await exchange(request)
            if (200..<300).contains(status) { return try parse(bytes, request) }
            guard attempt < limits.attempts, let delay = Self.retryDelay(status, headers, attempt: attempt) else {
                throw Self.failure(status, headers, bytes, request)
            }
            attempt += 1
            logger.debug("server asks to try again", metadata: ["path": "\(request.path)", "status": "\(status)", "delay": "\(delay)"])
            try await clock.wait(until: clock.now().uptime + delay)
        }
    }

    /// How long to wait before the next attempt; nil where there should be none.
    static func retryDelay(_ status: Int, _ headers: HTTPHeaders, attempt: Int) -> Duration? {
        let asked = headers.first(name: "Retry-After").flatMap { Int($0.trimmingSpaces()) }
        guard status == 429 || (status >= 500 && asked != nil) else { return nil }
        return .seconds(min(max(asked ?? attempt, 0), 10))
    }

    private func exchange(_ request: KubeRequest) async throws -> (Int, HTTPHeaders, [UInt8]) {
        do {
            let message = try prepared(request)
            let deadline = NIODeadline.now() + TimeAmount(limits.call)
            let answer = try await calls.execute(message, deadline: deadline)
            let limit = limits.body
            var bytes: [UInt8] = []
            if let length = answer.headers.first(name: "Content-Length").flatMap({ Int($0) }) {
                guard length <= limit else { throw Self.tooLarge(request, limit) }
                bytes.reserveCapacity(max(length, 0))
            }
            for try await part in answer.body {
                guard bytes.count + part.readableBytes <= limit else { throw Self.tooLarge(request, limit) }
                guard NIODeadline.now() < deadline else { throw HTTPClientError.deadlineExceeded }
                bytes.append(contentsOf: part.readableBytesView)
            }
            return (Int(answer.status.code), answer.headers, bytes)
        } catch {
            throw try unreachable(error)
        }
    }

    private static func tooLarge(_ request: KubeRequest, _ limit: Int) -> KubeStatus {
        .internalError("the answer to \(request.method.rawValue) \(request.path) is over \(limit) bytes; read it in pages")
    }

    /// The message with server, credentials and headers.
    func prepared(_ request: KubeRequest) throws -> HTTPClientRequest {
        var message = HTTPClientRequest(url: server + request.target)
        message.method = HTTPMethod(rawValue: request.method.rawValue)
        message.headers.add(name: "Accept", value: request.accept)
        message.headers.add(name: "User-Agent", value: "kubeedge-swift")
        if let authorization = try credentials.authorization() { message.headers.add(name: "Authorization", value: authorization) }
        if !request.body.isNull {
            message.headers.add(name: "Content-Type", value: request.contentType)
            message.body = .bytes(request.body.encoded())
        }
        return message
    }

    private func parse(_ bytes: [UInt8], _ request: KubeRequest) throws -> JSONValue {
        if bytes.isEmpty { return .null }
        do {
            return try JSONValue(parsing: bytes, limits: JSONLimits(size: limits.body, depth: 512))
        } catch {
            throw KubeStatus.internalError("\(server) answered \(request.method.rawValue) \(request.path) with something that is no JSON: \(error)")
        }
    }

    /// The `Status` in the body of a failed answer, else one made from the HTTP status.
    static func failure(_ code: Int, _ headers: HTTPHeaders, _ bytes: [UInt8], _ request: KubeRequest) -> KubeStatus {
        if let json = try? JSONValue(parsing: bytes), json["kind"].string == "Status", var status = KubeStatus(json: json) {
            if json["code"].int == nil { status.code = code }
            return status
        }
        let reasons = [
            400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 405: "MethodNotAllowed", 406: "NotAcceptable",
            409: "Conflict", 410: "Gone", 413: "RequestEntityTooLarge", 415: "UnsupportedMediaType", 422: "Invalid", 429: "TooManyRequests",
            500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout",
        ]
        let text = String(decoding: bytes.prefix(200), as: UTF8.self).trimmingSpaces()
        return KubeStatus(
            code: code, reason: reasons[code] ?? "Unknown",
            message: "\(request.method.rawValue) \(request.path) was answered with HTTP \(code)\(text.isEmpty ? "" : ": \(text)")")
    }
}

extension String {
    func trimmingSpaces() -> String {
        var rest = self[...]
        while rest.first?.isWhitespace == true { rest.removeFirst() }
        while rest.last?.isWhitespace == true { rest.removeLast() }
        return String(rest)
    }
}

import NIOHTTP1

/// What makes a request unacceptable before its body is looked at. The decoder has refused malformed bytes already.
enum RequestHeadRules {
    static func refusal(of head: HTTPRequestHead, limits: HTTPServerLimits) -> HTTPServingError? {
        let lengths = head.headers["Content-Length"]
        let encodings = head.headers["Transfer-Encoding"]
        if lengths.count > 1 { return bad("the request has more than one Content-Length") }
        if !encodings.isEmpty {
            if !lengths.isEmpty { return bad("the request has both Content-Length and Transfer-Encoding") }
            if encodings.count > 1 || encodings[0].lowercased() != "chunked" { return bad("the only Transfer-Encoding understood is chunked") }
            if head.version.minor < 1 { return bad("an HTTP/1.0 request cannot be chunked") }
        }
        if let text = lengths.first {
            guard !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }) else { return bad("Content-Length is no number") }
            guard let length = Int(text), length <= limits.bodyBytes else {
                return HTTPServingError(code: .bodyTooLarge, message: "the request body is larger than \(limits.bodyBytes) bytes")
            }
        }
        let hasBody = !encodings.isEmpty || lengths.first.map { $0 != "0" } ?? false
        // `h2c` is an offer that ordinary requests carry and that is never taken up here.
        if hasBody, !head.headers[canonicalForm: "Upgrade"].allSatisfy({ $0.lowercased() == "h2c" }) {
            return bad("a request that switches protocols has no body")
        }
        let hosts = head.headers["Host"].count
        if hosts > 1 || hosts == 0 && head.version.minor >= 1 { return bad("the request needs exactly one Host header") }
        if head.uri.isEmpty || head.uri.utf8.contains(where: { $0 <= 32 || $0 == 127 }) { return bad("the request target is malformed") }
        return nil
    }

    private static func bad(_ message: String) -> HTTPServingError { HTTPServingError(code: .badRequest, message: message) }
}

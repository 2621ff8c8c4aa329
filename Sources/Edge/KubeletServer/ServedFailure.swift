import ContainerRuntime
import HTTPServing

/// An answer that is no success, in the kubelet's words (`spec/05 §26.2`).
struct ServedFailure: Error, Sendable, Hashable {
    var status: Int
    var message: String

    init(_ status: Int, _ message: String) {
        self.status = status
        self.message = message
    }

    /// Of a call of the runtime: not found 404, exhausted 429, all others 500.
    init(_ failure: RuntimeFailure) {
        let status =
            switch failure.code {
            case .notFound: 404
            case .exhausted: 429
            case .timedOut, .unavailable, .failed: 500
            }
        self.init(status, failure.message)
    }

    var response: HTTPResponse {
        var response = HTTPResponse.plain(status, message)
        if status == 429 { response.headers["Retry-After"] = "60" }
        return response
    }
}

extension HTTPResponse {
    /// Text without a newline at its end: clients show it behind words of their own.
    static func plain(_ status: Int, _ text: String) -> HTTPResponse {
        HTTPResponse(status: status, headers: ["Content-Type": "text/plain; charset=utf-8"], body: Array(text.utf8))
    }
}

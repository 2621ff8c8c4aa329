package import KubeMachinery
package import Primitives

/// The answer of the server's core to one request.
package struct APIResponse: Sendable {
    package enum Body: Sendable {
        case json(JSONValue)
        case text(String)
        /// Lines that come as long as the watch lives.
        case watch(WatchSession)
        /// A stream to the kubelet of a node: logs, exec, attach, port forward, proxy.
        case kubelet(KubeletRequest)
    }

    package var status: Int
    package var contentType: String
    /// Texts for `Warning` headers.
    package var warnings: [String]
    package var body: Body

    package init(status: Int = 200, contentType: String = "application/json", warnings: [String] = [], body: Body) {
        self.status = status
        self.contentType = contentType
        self.warnings = warnings
        self.body = body
    }

    package init(_ json: JSONValue, status: Int = 200, warnings: [String] = []) {
        self.init(status: status, warnings: warnings, body: .json(json))
    }

    package init(_ failure: KubeStatus) { self.init(failure.json, status: failure.code) }

    package static func text(_ text: String, status: Int = 200) -> APIResponse {
        APIResponse(status: status, contentType: "text/plain; charset=utf-8", body: .text(text))
    }

    /// The JSON of the body; null for a stream or text.
    package var json: JSONValue { if case .json(let value) = body { value } else { .null } }
}

/// A stream that a kubelet has to serve, after access to it was granted.
package struct KubeletRequest: Sendable {
    package var node: String
    /// The pod; nil for `nodes/proxy`.
    package var pod: KubeObject?
    /// `log`, `exec`, `attach`, `portforward` or `proxy`.
    package var subresource: String
    /// What stands behind `proxy` in the path.
    package var remainder: [String]
    package var query: QueryParameters

    package init(node: String, pod: KubeObject?, subresource: String, remainder: [String], query: QueryParameters) {
        self.node = node
        self.pod = pod
        self.subresource = subresource
        self.remainder = remainder
        self.query = query
    }
}

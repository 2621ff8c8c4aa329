import HTTPServing
import KubeMachinery

/// A request taken apart: decoded path segments and query.
struct ServedRequest: Sendable {
    var http: HTTPRequest
    /// Without the empty ones.
    var segments: [String]
    var hasTrailingSlash: Bool
    private var query: [(name: String, value: String)]

    /// nil where the path has a broken escape.
    init?(_ request: HTTPRequest) {
        http = request
        segments = []
        for part in request.path.split(separator: "/") {
            guard let segment = PercentEncoding.decoded(part, isQuery: false) else { return nil }
            segments.append(segment)
        }
        hasTrailingSlash = request.path.last == "/"
        query = Self.parse(request.rawQuery ?? "")
    }

    /// A pair with a broken escape is left out.
    private static func parse(_ text: Substring) -> [(name: String, value: String)] {
        text.split(separator: "&").compactMap { part in
            let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = PercentEncoding.decoded(halves[0], isQuery: true),
                let value = PercentEncoding.decoded(halves.count == 2 ? halves[1] : "", isQuery: true)
            else { return nil }
            return (name, value)
        }
    }

    /// The first value of a parameter.
    subscript(name: String) -> String? { query.first { $0.name == name }?.value }

    func all(_ name: String) -> [String] { query.filter { $0.name == name }.map(\.value) }

    /// A boolean of the API: given, and neither `false` nor `0`.
    func flag(_ name: String) -> Bool {
        guard let value = self[name] else { return false }
        return value != "0" && value.lowercased() != "false"
    }

    /// Whether the connection is to become another protocol's.
    var wantsUpgrade: Bool { http.headers.contains("Connection", element: "upgrade") && http.headers["Upgrade"] != nil }
    var wantsWebSocket: Bool { wantsUpgrade && http.headers.contains("Upgrade", element: "websocket") }
}

import PodCore

/// How hooks and probes reach what listens in a pod.
package protocol HandlerNetwork: Sendable {
    /// Sends a GET and returns the answer, after at most ten redirections on the same host. Certificates are not checked.
    ///
    /// Throws `EdgedFailure`: `plainAnswer` where a request over TLS was answered without, `unreadableAnswer` where an answer broke off.
    func get(_ request: HandlerRequest, timeout: Duration) async throws -> HandlerAnswer
    /// Returns once a TCP connection stands.
    func connect(host: String, port: Int, timeout: Duration) async throws
    /// Asks `grpc.health.v1.Health` and returns where the service serves.
    func checkHealth(host: String, port: Int, service: String, timeout: Duration) async throws
}

/// A GET of a hook or probe.
package struct HandlerRequest: Sendable, Hashable {
    package var usesTLS: Bool
    package var host: String
    package var port: Int
    /// With the query.
    package var path: String
    /// In the order to be sent; a name may come twice.
    package var headers: [Header]

    /// One header of a request.
    package struct Header: Sendable, Hashable {
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    package init(usesTLS: Bool, host: String, port: Int, path: String, headers: [Header]) {
        self.usesTLS = usesTLS
        self.host = host
        self.port = port
        self.path = path
        self.headers = headers
    }

    /// The request of an `httpGet` with its own headers and, where they leave them out, a user agent and `Accept: */*`.
    init(usesTLS: Bool, host: String, port: Int, path: String, fields: [ProbeAction.HTTPField], agent: String) {
        self.init(usesTLS: usesTLS, host: host, port: port, path: path, headers: fields.map { Header($0.name, $0.value) })
        if !has("User-Agent") { headers.append(Header("User-Agent", agent)) }
        if !has("Accept") { headers.append(Header("Accept", "*/*")) }
        // An empty one takes the header away.
        headers.removeAll { $0.name.lowercased() == "accept" && $0.value.isEmpty }
    }

    private func has(_ name: String) -> Bool { headers.contains { $0.name.lowercased() == name.lowercased() } }

    /// Host and port as a URL has them.
    var authority: String { "\(host.contains(":") ? "[\(host)]" : host):\(port)" }
    var url: String { "\(usesTLS ? "https" : "http")://\(authority)\(path)" }
}

/// What came back.
package struct HandlerAnswer: Sendable, Hashable {
    package var status: Int
    /// Where a redirection leads.
    package var location: String?
    /// The body of a redirection that was not followed, as far as it was read.
    package var body = ""

    package init(status: Int, location: String? = nil, body: String = "") {
        self.status = status
        self.location = location
        self.body = body
    }
}

extension HandlerRequest {
    /// The request that a redirection leads to; nil where it leaves the host, which is not followed.
    func redirected(to location: String) -> HandlerRequest? {
        var next = self
        var rest = location[...]
        if let scheme = ["http://", "https://", "//"].first(where: { location.lowercased().hasPrefix($0) }) {
            if scheme != "//" { next.usesTLS = scheme == "https://" }
            rest = rest.dropFirst(scheme.count)
            let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
            rest = rest.dropFirst(authority.count)
            guard let (name, port) = Self.split(authority), name == host else { return nil }
            next.port = port ?? (next.usesTLS ? 443 : 80)
            // The header names the host that was asked first.
            next.headers.removeAll { $0.name.lowercased() == "host" }
        }
        rest = rest.prefix { $0 != "#" }
        if rest.isEmpty || rest.hasPrefix("?") {
            next.path = (rest.isEmpty || location.contains("://") ? "/" : String(path.prefix { $0 != "?" })) + rest
        } else if rest.hasPrefix("/") {
            next.path = Self.withoutDots(String(rest))
        } else {
            let base = path.prefix { $0 != "?" }
            next.path = Self.withoutDots((base.lastIndex(of: "/").map { String(base[...$0]) } ?? "/") + rest)
        }
        return next
    }

    /// Takes `.` and `..` out of a path, as far as its query.
    private static func withoutDots(_ path: String) -> String {
        let query = path.firstIndex(of: "?").map { path[$0...] } ?? ""
        var parts: [Substring] = []
        let names = path.dropLast(query.count).split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        for (index, name) in names.enumerated() {
            let isLast = index == names.count - 1
            switch name {
            case "..": if !parts.isEmpty { parts.removeLast() }
            case ".": break
            default:
                parts.append(name)
                continue
            }
            if isLast { parts.append("") }
        }
        return "/" + parts.joined(separator: "/") + query
    }

    private static func split(_ authority: Substring) -> (host: String, port: Int?)? {
        var authority = authority
        if let at = authority.lastIndex(of: "@") { authority = authority[authority.index(after: at)...] }
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            let port = authority[authority.index(after: end)...].dropFirst()
            return (String(authority[authority.index(after: authority.startIndex)..<end]), port.isEmpty ? nil : Int(port))
        }
        guard let colon = authority.firstIndex(of: ":") else { return (String(authority), nil) }
        return (String(authority[..<colon]), Int(authority[authority.index(after: colon)...]))
    }
}

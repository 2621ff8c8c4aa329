/// Where a server is: host, port and path, from a URL such as `https://192.0.2.7:10002` or `wss://cloud.example:10000/p/n/events`.
package struct PeerAddress: Sendable, Hashable, CustomStringConvertible {
    /// A host name or an IP address, without brackets.
    package var host: String
    package var port: Int
    /// Begins with a slash.
    package var path: String

    package init(host: String, port: Int, path: String = "/") {
        self.host = host
        self.port = port
        self.path = path.hasPrefix("/") ? path : "/" + path
    }

    /// Reads a URL, or `host:port` alone; nil where the host is missing or the port is none. Without a port 443 is meant.
    package init?(_ text: String) {
        var rest = Substring(text)
        if let scheme = rest.firstRange(of: "://") { rest = rest[scheme.upperBound...] }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let path = String(rest[slash...])
        let authority = rest[..<slash]
        var host = authority
        var port = 443
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            host = authority[authority.index(after: authority.startIndex)..<end]
            let tail = authority[authority.index(after: end)...]
            if !tail.isEmpty {
                guard tail.hasPrefix(":"), let number = UInt16(tail.dropFirst()) else { return nil }
                port = Int(number)
            }
        } else if let colon = authority.lastIndex(of: ":") {
            guard let number = UInt16(authority[authority.index(after: colon)...]) else { return nil }
            host = authority[..<colon]
            port = Int(number)
            guard !host.contains(":") else { return nil }
        }
        guard !host.isEmpty, port > 0 else { return nil }
        self.init(host: String(host), port: port, path: path.isEmpty ? "/" : path)
    }

    /// The same server under another path.
    package func at(_ path: String) -> PeerAddress { PeerAddress(host: host, port: port, path: path) }

    /// `host:port`, as the Host header has it.
    package var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    package var description: String { authority + (path == "/" ? "" : path) }
}

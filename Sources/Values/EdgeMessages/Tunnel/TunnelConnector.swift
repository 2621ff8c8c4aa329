package import Primitives

/// What the cloud asks the edge to request of its kubelet (`spec/01 §9.3`).
package struct TunnelConnector: Sendable, Hashable {
    /// The stream it opens.
    package var stream: UInt64
    /// `/containerLogs/default/web-0/web`, not percent-encoded.
    package var path: String
    /// The path as it was sent where that differs from the plain encoding of `path`; else empty.
    package var rawPath: String
    /// Percent-encoded.
    package var query: String
    /// Names with all their values.
    package var headers: [String: [String]]
    /// nil stands for GET and is left out.
    package var method: String?

    package init(
        stream: UInt64, path: String, rawPath: String = "", query: String = "", headers: [String: [String]] = [:], method: String? = nil
    ) {
        self.stream = stream
        self.path = path
        self.rawPath = rawPath
        self.query = query
        self.headers = headers
        self.method = method
    }

    /// Reads the data of a connect frame; missing keys are empty. Throws `JSONError`.
    package init(decoding data: [UInt8]) throws(JSONError) {
        let json = try JSONValue(parsing: data)
        self.init(
            stream: json["MessID"].int.flatMap { UInt64(exactly: $0) } ?? 0, path: json["url"]["Path"].string ?? "",
            rawPath: json["url"]["RawPath"].string ?? "", query: json["url"]["RawQuery"].string ?? "",
            headers: Dictionary(json["header"].members.map { ($0.key, $0.value.strings) }, uniquingKeysWith: +), method: json["method"].string)
    }

    /// The JSON as a Go cloud writes it: the address is always the kubelet's on the node.
    package var json: JSONValue {
        var json: JSONValue = [
            "MessID": .integer(Int64(clamping: stream)),
            "url": [
                "Scheme": "http", "Opaque": "", "User": .null, "Host": "127.0.0.1:10350", "Path": .string(path), "RawPath": .string(rawPath),
                "OmitHost": false, "ForceQuery": false, "RawQuery": .string(query), "Fragment": "", "RawFragment": "",
            ],
        ]
        json["header"] = .object(JSONObject(uniqueKeysWithValues: headers.sorted { $0.key < $1.key }.map { ($0.key, JSONValue($0.value)) }))
        if let method { json["method"] = .string(method) }
        return json
    }

    /// The request target: path, percent-encoded, and query.
    package var target: String {
        let path = rawPath.isEmpty ? Self.escaped(path) : rawPath
        return query.isEmpty ? path : "\(path)?\(query)"
    }

    private static func escaped(_ path: String) -> String {
        let plain = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/:@!$&'()*+,;=".utf8)
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in path.utf8 {
            if plain.contains(byte) { bytes.append(byte) } else { bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// A whole answer as it came over the wire, its chunks joined.
struct HTTPAnswer: Sendable {
    var status: Int
    var body: String

    static func get(_ port: Int, _ target: String) async throws -> HTTPAnswer {
        let client = try RawClient(port: port)
        defer { client.close() }
        await client.send("GET \(target) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return HTTPAnswer(await client.readToEnd())
    }

    init(_ text: String) {
        let gap = text.firstRange(of: "\r\n\r\n")
        let head = gap.map { text[..<$0.lowerBound] } ?? text[...]
        status = head.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        let rest = gap.map { text[$0.upperBound...] } ?? ""
        body = head.lowercased().contains("transfer-encoding: chunked") ? Self.joined(rest) : String(rest)
    }

    private static func joined(_ text: Substring) -> String {
        var rest = Array(text.utf8)[...]
        var whole: [UInt8] = []
        while let end = rest.firstIndex(of: 13), let size = Int(String(decoding: rest[..<end], as: UTF8.self), radix: 16), size > 0 {
            let start = end + 2
            guard start + size <= rest.endIndex else { break }
            whole += rest[start..<(start + size)]
            rest = rest[(start + size)...].dropFirst(2)
        }
        return String(decoding: whole, as: UTF8.self)
    }
}

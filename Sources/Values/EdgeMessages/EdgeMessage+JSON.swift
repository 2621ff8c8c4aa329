package import Primitives

/// Why bytes are not a message.
package struct EdgeMessageError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable { case json, shape, content }

    package let code: Code
    package let message: String

    package init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}

extension EdgeMessage {
    /// Reads one message of the wire. Keys are matched without regard to case, as Go matches them.
    package init(wire bytes: some Collection<UInt8>, limits: JSONLimits = .wire) throws(EdgeMessageError) {
        let json: JSONValue
        do { json = try JSONValue(parsing: bytes, limits: limits) } catch {
            throw EdgeMessageError(code: .json, message: "no JSON message: \(error)")
        }
        try self.init(json: json)
    }

    package init(json: JSONValue) throws(EdgeMessageError) {
        guard case .object(var members) = json else { throw Self.misshapen("a message is a JSON object") }
        var header = try Self.members("header", of: members.take("header"))
        var route = try Self.members("route", of: members.take("route"))
        let timestamp = header.take("timestamp") ?? 0
        guard let timestamp = timestamp.isNull ? 0 : timestamp.int else { throw Self.misshapen("header.timestamp is no whole number") }
        self.init(
            header: Header(
                id: try Self.text("header.msg_id", header.take("msg_id")) ?? "",
                parentID: try Self.text("header.parent_msg_id", header.take("parent_msg_id")), timestamp: timestamp,
                resourceVersion: try Self.text("header.resourceversion", header.take("resourceversion"))),
            route: Route(
                source: try Self.text("route.source", route.take("source")) ?? "",
                group: try Self.text("route.group", route.take("group")) ?? "",
                operation: try Self.text("route.operation", route.take("operation")) ?? "",
                resource: try Self.text("route.resource", route.take("resource")) ?? ""),
            content: members.take("content") ?? .null)
        self.header.rest = header
        self.route.rest = route
        rest = members
    }

    package var json: JSONValue {
        var header: JSONObject = ["msg_id": .string(self.header.id)]
        if let parent = self.header.parentID { header["parent_msg_id"] = .string(parent) }
        header["timestamp"] = .integer(self.header.timestamp)
        if let version = self.header.resourceVersion { header["resourceversion"] = .string(version) }
        header.merge(self.header.rest) { known, _ in known }
        var route: JSONObject = [:]
        for (key, value) in [
            ("source", self.route.source), ("group", self.route.group), ("operation", self.route.operation), ("resource", self.route.resource),
        ] where !value.isEmpty { route[key] = .string(value) }
        route.merge(self.route.rest) { known, _ in known }
        var message: JSONObject = ["header": .object(header), "route": .object(route), "content": content]
        message.merge(rest) { known, _ in known }
        return .object(message)
    }

    /// The payload of one WebSocket text message, with the newline that Go's encoder ends with.
    package var wire: [UInt8] { json.encoded(.goEscapes) + [UInt8(ascii: "\n")] }

    private static func members(_ name: String, of value: JSONValue?) throws(EdgeMessageError) -> JSONObject {
        switch value {
        case nil, .null: return [:]
        case .object(let members): return members
        default: throw misshapen("\(name) is no object")
        }
    }

    /// A string member; empty counts as missing.
    private static func text(_ name: String, _ value: JSONValue?) throws(EdgeMessageError) -> String? {
        switch value {
        case nil, .null: return nil
        case .string(let text): return text.isEmpty ? nil : text
        default: throw misshapen("\(name) is no string")
        }
    }

    private static func misshapen(_ message: String) -> EdgeMessageError { EdgeMessageError(code: .shape, message: message) }
}

extension JSONObject {
    /// Removes the member `name`, whatever its case.
    fileprivate mutating func take(_ name: String) -> JSONValue? {
        if let value = removeValue(forKey: name) { return value }
        guard let key = keys.first(where: { $0.lowercased() == name }) else { return nil }
        return removeValue(forKey: key)
    }
}

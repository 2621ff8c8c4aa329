import KubeMachinery
import Primitives

/// Reads the protobuf form of the few objects that clients insist on sending so.
enum ProtobufBody {
    static let mediaType = "application/vnd.kubernetes.protobuf"

    /// The object in an envelope (`k8s\0`, then a `runtime.Unknown`); 415 for a kind without a table, 400 for broken bytes.
    static func decode(_ bytes: [UInt8]) throws(KubeStatus) -> JSONValue {
        guard bytes.starts(with: [0x6B, 0x38, 0x73, 0x00]) else { throw broken("the envelope is missing") }
        var envelope = ProtobufReader(bytes[4...])
        var apiVersion = ""
        var kind = ""
        var raw: ArraySlice<UInt8> = []
        while let (number, value) = try envelope.next() {
            switch (number, value) {
            case (1, .bytes(let type)):
                var reader = ProtobufReader(type)
                while let (number, value) = try reader.next() {
                    guard case .bytes(let text) = value else { continue }
                    if number == 1 { apiVersion = String(decoding: text, as: UTF8.self) }
                    if number == 2 { kind = String(decoding: text, as: UTF8.self) }
                }
            case (2, .bytes(let content)): raw = content
            default: continue
            }
        }
        guard ProtobufSchemas.messages[kind] != nil else {
            throw KubeStatus(
                code: 415, reason: "UnsupportedMediaType",
                message: "the body of the request was in an unknown format - accepted media types include: application/json")
        }
        var object = try message(raw, kind, depth: 0)
        object["apiVersion"] = .string(apiVersion)
        object["kind"] = .string(kind)
        return object
    }

    static func broken(_ cause: String) -> KubeStatus { .badRequest("the protobuf body cannot be read: \(cause)") }

    private static func message(_ bytes: ArraySlice<UInt8>, _ type: String, depth: Int) throws(KubeStatus) -> JSONValue {
        guard depth < 16, let fields = ProtobufSchemas.messages[type] else { throw broken("it is nested too deeply") }
        var result = JSONObject()
        var reader = ProtobufReader(bytes)
        while let (number, value) = try reader.next() {
            guard let entry = fields[number] else { continue }
            if case .map = entry.field, case .bytes(let pair) = value {
                let (key, text) = try mapEntry(pair)
                var map = result[entry.name]?.members ?? [:]
                map[key] = .string(text)
                result[entry.name] = .object(map)
                continue
            }
            guard let decoded = try Self.value(value, entry.field, depth: depth) else { continue }
            if entry.isRepeated {
                result[entry.name] = .array((result[entry.name]?.elements ?? []) + [decoded])
            } else if decoded != .string("") {
                // An empty text is what Go leaves out of JSON.
                result[entry.name] = decoded
            }
        }
        return .object(result)
    }

    private static func value(_ value: ProtobufReader.Value, _ field: ProtobufSchemas.Field, depth: Int) throws(KubeStatus) -> JSONValue? {
        switch (field, value) {
        case (.text, .bytes(let bytes)): return .string(String(decoding: bytes, as: UTF8.self))
        case (.bytes, .bytes(let bytes)): return .string(Base64.encode(bytes))
        case (.integer, .number(let number)): return .integer(Int64(bitPattern: number))
        case (.flag, .number(let number)): return .bool(number != 0)
        case (.message(let type), .bytes(let bytes)): return try message(bytes, type, depth: depth + 1)
        case (.time, .bytes(let bytes)):
            var reader = ProtobufReader(bytes)
            while let (number, value) = try reader.next() {
                if number == 1, case .number(let seconds) = value, abs(Int64(bitPattern: seconds)) < 1 << 40 {
                    return .string(Timestamp(seconds: Int64(bitPattern: seconds)).rfc3339)
                }
            }
            return nil
        default: return nil
        }
    }

    private static func mapEntry(_ bytes: ArraySlice<UInt8>) throws(KubeStatus) -> (String, String) {
        var entry = ("", "")
        var reader = ProtobufReader(bytes)
        while let (number, value) = try reader.next() {
            guard case .bytes(let text) = value else { continue }
            if number == 1 { entry.0 = String(decoding: text, as: UTF8.self) }
            if number == 2 { entry.1 = String(decoding: text, as: UTF8.self) }
        }
        return entry
    }
}

/// Reads the fields of one protobuf message.
struct ProtobufReader {
    enum Value {
        case number(UInt64)
        case bytes(ArraySlice<UInt8>)
    }

    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// The next field; nil at the end. Throws where a field is cut off or of a form that proto2 messages here do not have.
    mutating func next() throws(KubeStatus) -> (number: Int, value: Value)? {
        guard !rest.isEmpty else { return nil }
        let tag = try varint()
        guard let number = Int(exactly: tag >> 3) else { throw ProtobufBody.broken("a field number is too large") }
        switch tag & 7 {
        case 0: return (number, .number(try varint()))
        case 1: return (number, .bytes(try take(8)))
        case 2:
            guard let count = Int(exactly: try varint()) else { throw ProtobufBody.broken("a length is too large") }
            return (number, .bytes(try take(count)))
        case 5: return (number, .bytes(try take(4)))
        default: throw ProtobufBody.broken("an unknown wire type")
        }
    }

    private mutating func varint() throws(KubeStatus) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard let byte = rest.popFirst() else { throw ProtobufBody.broken("it ends within a number") }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        throw ProtobufBody.broken("a number is too long")
    }

    private mutating func take(_ count: Int) throws(KubeStatus) -> ArraySlice<UInt8> {
        guard count <= rest.count else { throw ProtobufBody.broken("it ends within a field") }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }
}

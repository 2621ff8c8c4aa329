import EdgeMessages
import Primitives
import Testing

@Suite("Wire decoding of bad input")
struct WireRefusalTests {
    /// T5: no object where one has to be, at the top and in each nested place.
    @Test(
        "values of the wrong kind are a typed error",
        arguments: [
            "null", "[]", "7", "\"x\"", "true", #"{"header":[]}"#, #"{"header":"x"}"#, #"{"header":5}"#, #"{"route":[]}"#, #"{"route":1}"#,
            #"{"header":{"msg_id":5}}"#, #"{"header":{"parent_msg_id":{}}}"#, #"{"header":{"timestamp":"1"}}"#, #"{"header":{"timestamp":1.5}}"#,
            #"{"header":{"resourceversion":7}}"#, #"{"route":{"source":1}}"#, #"{"route":{"resource":["a"]}}"#, #"{"route":{"operation":true}}"#,
        ])
    func shapes(text: String) {
        #expect { try EdgeMessage(wire: text.utf8) } throws: { ($0 as? EdgeMessageError)?.code == .shape }
    }

    @Test("null counts as missing, as in Go")
    func nulls() throws {
        let text = #"{"header":null,"route":null,"content":null}"#
        let message = try EdgeMessage(wire: text.utf8)
        #expect(message.header.id.isEmpty)
        #expect(message.route.source.isEmpty)
        #expect(TypedMessage<EdgeToCloudMessage>(message).body == .zero)
    }

    /// T6.
    @Test("ten thousand levels are an error, not a crash")
    func depth() {
        let text = #"{"content":"# + String(repeating: "[", count: 10_000) + String(repeating: "]", count: 10_000) + "}"
        #expect { try EdgeMessage(wire: text.utf8) } throws: { ($0 as? EdgeMessageError)?.code == .json }
    }

    /// T7.
    @Test("of repeated keys the last counts, huge numbers survive, NaN is refused")
    func numbers() throws {
        let text = #"{"header":{"msg_id":"a","msg_id":"b","timestamp":2},"route":{},"content":[1e400,123456789012345678901234567890]}"#
        let message = try EdgeMessage(wire: text.utf8)
        #expect(message.header.id == "b")
        #expect(message.content.text() == "[1e400,123456789012345678901234567890]")
        #expect(throws: EdgeMessageError.self) { try EdgeMessage(wire: #"{"content":NaN}"#.utf8) }
        #expect(throws: EdgeMessageError.self) { try EdgeMessage(wire: #"{"header":{"timestamp":1e400}}"#.utf8) }
    }

    /// T8.
    @Test("invalid UTF-8 is refused, lone surrogates become the replacement character")
    func text() throws {
        let start = Array(#"{"content":""#.utf8)
        for bad: [UInt8] in [[0xFF], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xE2, 0x82]] {
            #expect(throws: EdgeMessageError.self) { try EdgeMessage(wire: start + bad + Array("\"}".utf8)) }
        }
        #expect(try EdgeMessage(wire: #"{"content":"\udc00"}"#.utf8).content == "\u{FFFD}")
    }

    /// T9.
    @Test(
        "odd resources are other resources and come back unchanged",
        arguments: ["a//b", "../x/y", "a/./b", "/", "a/b/c/d", "//", "a", String(repeating: "x/", count: 500_000), "default/pod/.."])
    func resources(text: String) {
        let resource = EdgeResource(text)
        #expect(resource == .other(text))
        #expect(resource.text == text)
    }

    @Test("unknown operations, groups and sources are other messages, not errors")
    func unknown() throws {
        let text = #"{"header":{"msg_id":"a","timestamp":1},"route":{"source":"s","group":"g","operation":"dance","resource":"r"},"content":1}"#
        let message = try EdgeMessage(wire: text.utf8)
        #expect(TypedMessage<EdgeToCloudMessage>(message).body == .other(MessageParts("dance", .other("r"), 1)))
        #expect(TypedMessage<CloudToEdgeMessage>(message).body == .other(MessageParts("dance", .other("r"), 1)))
    }

    /// T11: 16 MiB is the limit (`spec/01 §3.2`).
    @Test("a message just below the limit is read, one above is refused")
    func size() throws {
        let head = Array(#"{"content":""#.utf8)
        let tail = Array("\"}".utf8)
        let room = (16 << 20) - head.count - tail.count
        let fits = head + [UInt8](repeating: 0x61, count: room) + tail
        #expect(try EdgeMessage(wire: fits).content.string?.utf8.count == room)
        let tooLong = head + [UInt8](repeating: 0x61, count: room + 1) + tail
        #expect { try EdgeMessage(wire: tooLong) } throws: { ($0 as? EdgeMessageError)?.code == .json }
    }

    /// T13.
    @Test("versions that are no number count as none", arguments: ["", "abc", "-1", "1.5", "18446744073709551616", " 7"])
    func versions(text: String) {
        let message = EdgeMessage(
            header: .init(id: "a", timestamp: 0, resourceVersion: text), route: .init(source: "", group: "", operation: "", resource: ""),
            content: .null)
        #expect(message.objectVersion == 0)
    }
}

import Primitives
import Testing

@Suite("JSON documents")
struct JSONValueTests {
    @Test("numbers, order and unknown members survive a round trip")
    func roundTrip() throws {
        let text = #"{"b":1,"a":[1.50,-0,1e400,18446744073709551616,-9223372036854775808],"c":{"x":null,"y":"\u00e9\n"}}"#
        let value = try JSONValue(parsing: text)
        #expect(value.text() == #"{"b":1,"a":[1.50,-0,1e400,18446744073709551616,-9223372036854775808],"c":{"x":null,"y":"é\n"}}"#)
        #expect(value["a"][3] == .decimal("18446744073709551616"))
    }

    @Test("a path of subscripts makes what it names")
    func writing() {
        var value: JSONValue = [:]
        value["metadata"]["labels"]["app"] = "web"
        value["metadata"]["name"] = "n"
        value["metadata"].removeMember("name")
        #expect(value == ["metadata": ["labels": ["app": "web"]]])
    }

    @Test(
        "what is no JSON is refused",
        arguments: [
            "", "{", "[1,]", "{\"a\":1,}", "nul", "01", "1.", "\"\\x\"", "\"\u{1}\"", "1 2", "NaN", "{\"a\" 1}", "\"\\u12\"", "+1", ".5", "1e",
        ])
    func refusals(text: String) {
        #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
    }

    @Test("ten thousand levels are an error, not a crash")
    func depth() {
        let text = String(repeating: "[", count: 10_000)
        #expect { try JSONValue(parsing: text) } throws: { ($0 as? JSONError)?.code == .tooDeep }
    }

    @Test("lone surrogates become the replacement character, invalid UTF-8 is refused")
    func text() throws {
        #expect(try JSONValue(parsing: #""\ud800x""#).string == "\u{FFFD}x")
        #expect(try JSONValue(parsing: #""\ud83d\ude00""#).string == "😀")
        #expect { try JSONValue(parsing: [0x22, 0xFF, 0x22]) } throws: { ($0 as? JSONError)?.code == .invalidText }
    }

    @Test("of a repeated key the last value counts")
    func repeatedKeys() throws {
        #expect(try JSONValue(parsing: #"{"a":1,"a":2}"#) == ["a": 2])
    }

    @Test("Go's escapes")
    func goEscapes() {
        #expect(JSONValue.string("<a&b>\u{2028}").text(.goEscapes) == #""\u003ca\u0026b\u003e\u2028""#)
    }

    @Test("member order does not make documents differ")
    func equality() {
        let one: JSONValue = ["a": 1, "b": 2]
        let other: JSONValue = ["b": 2, "a": 1]
        #expect(one == other)
        #expect(one.hashValue == other.hashValue)
        #expect(one != ["a": 1, "b": nil])
    }
}

@Suite("Timestamps")
struct TimestampTests {
    @Test(
        "RFC 3339 both ways",
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2024-02-29T23:59:59Z", 1_709_251_199), ("2026-11-23T11:15:56Z", 1_795_432_556),
            ("1969-12-31T23:59:59Z", -1),
        ] as [(String, Int64)])
    func bothWays(text: String, seconds: Int64) {
        #expect(Timestamp(rfc3339: text) == Timestamp(seconds: seconds))
        #expect(Timestamp(seconds: seconds).rfc3339 == text)
    }

    @Test("fractions and offsets")
    func fractions() {
        #expect(Timestamp(rfc3339: "2024-01-01T02:00:00.5+02:00") == Timestamp(seconds: 1_704_067_200, nanoseconds: 500_000_000))
        #expect(Timestamp(seconds: 0, nanoseconds: 1_500_000).rfc3339Micro == "1970-01-01T00:00:00.001500Z")
        #expect(Timestamp(rfc3339: "2024-01-01T02:00:00") == nil)
    }

    @Test("adding and subtracting durations")
    func arithmetic() {
        let start = Timestamp(seconds: 10, nanoseconds: 900_000_000)
        #expect(start + .milliseconds(200) == Timestamp(seconds: 11, nanoseconds: 100_000_000))
        #expect(start + .milliseconds(-950) == Timestamp(seconds: 9, nanoseconds: 950_000_000))
        #expect((start + .seconds(3)) - start == .seconds(3))
        #expect(Timestamp(milliseconds: -1).milliseconds == -1)
    }
}

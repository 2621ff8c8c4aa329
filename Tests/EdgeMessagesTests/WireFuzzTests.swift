import EdgeMessages
import Foundation
import Primitives
import Testing

/// `FUZZ_CASES` sets how many cases run, `FUZZ_SEED` where they begin: a failing case names the seed that repeats it alone.
@Suite("Wire decoding of anything")
struct WireFuzzTests {
    private static let environment = ProcessInfo.processInfo.environment

    @Test("changed messages decode, or fail with a typed error; what decodes encodes to what decodes the same")
    func mutations() throws {
        let corpus = try Corpus()
        let first = Self.environment["FUZZ_SEED"].flatMap(UInt64.init) ?? 1
        let cases =
            Self.environment["FUZZ_SEED"] != nil && Self.environment["FUZZ_CASES"] == nil
            ? 1 : Self.environment["FUZZ_CASES"].flatMap(UInt64.init) ?? 20_000
        var decoded = 0
        for seed in first..<first + cases {
            var generator = SeededGenerator(seed: seed)
            let bytes = corpus.mutant(using: &generator)
            do {
                let message = try EdgeMessage(wire: bytes)
                decoded += 1
                let up = TypedMessage<EdgeToCloudMessage>(message).message
                let down = TypedMessage<CloudToEdgeMessage>(message).message
                guard up == message, down == message, try EdgeMessage(wire: message.wire) == message else {
                    Issue.record("not the same after a round trip, FUZZ_SEED=\(seed)")
                    return
                }
                // Reading an answer and the class of delivery never traps either.
                _ = (message.answer, message.deliveryClass, message.objectVersion, message.isDeleteLike, message.objectUID)
            } catch {
                // The compiler holds the error's type: `EdgeMessageError`.
                if error.message.isEmpty { Issue.record("an error without a text, FUZZ_SEED=\(seed)") }
            }
        }
        if cases >= 1000 {
            // Both outcomes have to be met often, or the test shows nothing.
            #expect(decoded > Int(cases) / 50)
            #expect(decoded < Int(cases) * 49 / 50)
        }
    }
}

/// Messages to begin from: the captured ones that are small, and a few by hand.
private struct Corpus {
    private var messages: [[UInt8]] = [
        Array(#"{"header":{"msg_id":"","timestamp":0},"route":{},"content":null}"#.utf8),
        Array(#"{"HEADER":{"Msg_ID":"a","timestamp":1e3},"Route":{"source":"x"},"CONTENT":"OK"}"#.utf8),
        Array(#"{"header":{"msg_id":"a","timestamp":1},"route":{"resource":"a/b/c"},"content":{"Object":null,"Err":{"Op":"Get"}}}"#.utf8),
    ]

    /// Tokens of the grammar and values that have hurt others.
    private static let dictionary: [String] = [
        "null", "{}", "[]", "0", "-1", "1e999", "18446744073709551616", "\"\"", "\"\\ud800\"", "\"..\"", "true", "\"metadata\"", "\"Err\":{}",
        "\"content\":", "\"header\":null", "\"route\":[]", "default/node/", "k8s/ca.crt", "membership", "a//b", "NaN", "\u{0}",
        String(repeating: "[", count: 700), String(repeating: "{\"a\":", count: 600), "\"resourceversion\":\"abc\"", "\"timestamp\":\"x\"",
    ]

    init() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "Golden/Captures").path()
        for file in try FileManager.default.contentsOfDirectory(atPath: folder).sorted() where file.hasSuffix(".jsonl") {
            let text = try String(contentsOfFile: folder + "/" + file, encoding: .utf8)
            for line in text.split(separator: "\n") where line.utf8.count < 1500 {
                let entry = try JSONValue(parsing: String(line))
                if entry["kind"].string == "message" { messages.append(entry["raw"].encoded()) }
            }
        }
    }

    func mutant(using generator: inout SeededGenerator) -> [UInt8] {
        var bytes = messages.randomElement(using: &generator) ?? []
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            let place = Int.random(in: 0...bytes.count, using: &generator)
            let end = min(bytes.count, place + Int.random(in: 0...12, using: &generator))
            switch Int.random(in: 0..<7, using: &generator) {
            case 0: bytes.removeSubrange(place..<end)
            case 1: bytes.insert(contentsOf: Array((Self.dictionary.randomElement(using: &generator) ?? "").utf8), at: place)
            case 2: bytes.replaceSubrange(place..<end, with: Array((Self.dictionary.randomElement(using: &generator) ?? "").utf8))
            case 3: if place < bytes.count { bytes[place] = UInt8.random(in: 0...255, using: &generator) }
            case 4: bytes.removeSubrange(place...)
            case 5: swapValues(&bytes, using: &generator)
            default: bytes.insert(contentsOf: bytes[place..<end], at: place)
            }
        }
        return bytes
    }

    /// Puts a value of another kind in the place of some value, so that the document stays well formed.
    private func swapValues(_ bytes: inout [UInt8], using generator: inout SeededGenerator) {
        guard var document = try? JSONValue(parsing: bytes), case .object(let members) = document else { return }
        let values: [JSONValue] = [
            nil, [], [:], 7, "x", true, .decimal("1e400"), .integer(.min), ["metadata": ["uid": 5]], ["ErrStatus": "x"], ["Object": nil, "Err": [:]],
        ]
        guard let key = members.keys.randomElement(using: &generator), let value = values.randomElement(using: &generator) else { return }
        if case .object(let inner) = document[key], let innerKey = inner.keys.randomElement(using: &generator), Bool.random(using: &generator) {
            document[key][innerKey] = value
        } else {
            document[key] = value
        }
        bytes = document.encoded()
    }
}

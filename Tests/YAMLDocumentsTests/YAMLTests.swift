import Primitives
import Testing
import YAMLDocuments

@Suite("YAML documents")
struct YAMLTests {
    static let scalars: [(String, String)] = [
        ("yes", "true"), ("On", "true"), ("y", "true"), ("TRUE", "true"), ("yEs", "\"yEs\""), ("no", "false"), ("off", "false"),
        ("~", "null"), ("", "null"), ("Null", "null"), ("nil", "\"nil\""),
        ("12", "12"), ("-12", "-12"), ("+12", "12"), ("0x1F", "31"), ("0o17", "15"), ("017", "15"), ("0b101", "5"), ("1_000", "1000"),
        ("089", "89"), ("18446744073709551615", "18446744073709551615"), ("99999999999999999999", "99999999999999999999"),
        ("1.5", "1.5"), (".5", "0.5"), ("1.", "1"), ("1e3", "1e3"), ("+1.5E-3", "1.5e-3"), ("1.2.3", "\"1.2.3\""), ("0x", "\"0x\""),
        ("2001-12-14", "\"2001-12-14\""), ("1:30", "\"1:30\""), ("10Mi", "\"10Mi\""),
        ("'12'", "\"12\""), ("\"a\\tb\"", "\"a\\tb\""), ("!!str 12", "\"12\""), ("!!int 12", "12"), ("! 12", "\"12\""),
        ("[a, 1, {b: c}]", #"["a",1,{"b":"c"}]"#), ("|\n  a\n  b\n", "\"a\\nb\\n\""), (">-\n  a\n  b\n", "\"a b\""),
    ]

    @Test("scalars mean what they mean to Kubernetes", arguments: scalars)
    func meaning(yaml: String, json: String) throws {
        #expect(try YAML.parse("v: \(yaml)")["v"].text() == json)
    }

    @Test("anchors, aliases and merge keys expand; own keys win over merged ones, earlier merges over later ones")
    func merging() throws {
        let value = try YAML.parse(
            """
            base: &base {a: 1, b: 2}
            other: &other {b: 3, c: 4}
            one: {<<: *base, b: 9}
            two: {<<: [*base, *other]}
            list: [*base]
            """)
        #expect(value["one"] == ["a": 1, "b": 9])
        #expect(value["two"] == ["a": 1, "b": 2, "c": 4])
        #expect(value["list"] == [["a": 1, "b": 2]])
    }

    static let refusals: [(String, YAMLError.Code, Int)] = [
        ("a: 1\nb: 2\na: 3\n", .duplicateKey, 3), ("a: [1, 2\n", .syntax, 2), ("a: *nowhere\n", .unknownAlias, 1), ("a: .inf\n", .value, 1),
        ("a: !!int x\n", .value, 1), ("a: !thing x\n", .value, 1), ("? [a]\n: 1\n", .shape, 1), ("a: 1\n---\nb: 2\n", .shape, 0),
        ("\ta: 1", .syntax, 1), ("<<: 1\n", .shape, 1), (String(repeating: "[", count: 5000), .tooDeep, 1),
    ]

    @Test("what is no acceptable document is refused with its line", arguments: refusals)
    func refused(text: String, code: YAMLError.Code, line: Int) throws {
        let error = try #require(throws: YAMLError.self) { try YAML.parse(text) }
        #expect(error.code == code || (code == .tooDeep && error.code == .syntax), "\(error)")
        #expect(error.line == line)
    }

    @Test("a billion laughs are refused")
    func laughs() throws {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...9 {
            let alias = "*a\(level - 1)"
            text += "a\(level): &a\(level) [\(Array(repeating: alias, count: 10).joined(separator: ", "))]\n"
        }
        let error = try #require(throws: YAMLError.self) { try YAML.parse(text) }
        #expect(error.code == .tooLarge)
    }

    @Test("several documents, empty ones left out")
    func several() throws {
        #expect(try YAML.parseAll("---\na: 1\n---\n# nothing\n---\n- b\n...\n") == [["a": 1], ["b"]])
        #expect(try YAML.parseAll("") == [])
        #expect(try YAML.parse("# only a comment\n") == .null)
    }

    static let awkward: [String] = [
        "", " ", "a", "yes", "12", "0x1", "1e3", "-", "- a", "-a", "--v=4", "a: b", "a:", "a #b", "#a", "@a", "`a", "%a", "'a", "\"a", "a\"b", "\\",
        "a\nb", "a\nb\n", "a\n\n", "\na", " a\nb", "a \nb", "a\n  b\n\nc", "\u{7}", "\u{2028}", "é", "😀", "\u{FEFF}x", "2001-01-01", "1:30", "~",
        "null", "=",
        "<<", "---", "...", "a\tb", "\ta", "a\r\nb", "[]", "{}", "{a", "? a", "| a", "!a", "&a", "*a", ".inf", "1_0", "key with spaces",
        "http://x:1/y",
    ]

    @Test("every text is read back as it was written, as a value, a key, an element and deep inside", arguments: awkward)
    func texts(text: String) throws {
        let value: JSONValue = [
            "value": .string(text), "list": [.string(text), [.string(text), []], ["k": .string(text), "l": [.string(text)]]],
            "map": .object([text: .string(text), "x": [:]]), "deep": ["a": ["b": .string(text)]],
        ]
        let yaml = YAML.text(value)
        #expect(try YAML.parse(yaml) == value, "\(yaml)")
        #expect(try YAML.parse(YAML.text(.string(text))) == .string(text))
    }

    @Test("long keys are written so that they can be read")
    func longKeys() throws {
        let value: JSONValue = ["a": ["b": .object([String(repeating: "k", count: 3000): ["x": 1]])]]
        #expect(try YAML.parse(YAML.text(value)) == value)
    }

    @Test("the manner of writing: block style, lists not indented under their key, sorted on demand")
    func manner() {
        let value: JSONValue = ["b": [["x": 1, "y": [2]], "s"], "a": ["e": [], "m": [:], "n": nil, "t": true], "l": "one\ntwo\n"]
        #expect(
            YAML.text(value, sortedKeys: true)
                == "a:\n  e: []\n  m: {}\n  \"n\": null\n  t: true\nb:\n- x: 1\n  \"y\":\n  - 2\n- s\nl: |\n  one\n  two\n")
    }
}

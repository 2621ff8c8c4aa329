import Primitives
import Testing

@Suite("Base64")
struct Base64Tests {
    @Test(
        "reads what it writes, in both alphabets",
        arguments: [
            ("", "", ""), ("f", "Zg==", "Zg"), ("fo", "Zm8=", "Zm8"), ("foo", "Zm9v", "Zm9v"), ("foobar", "Zm9vYmFy", "Zm9vYmFy"),
            ("??>", "Pz8+", "Pz8-"), ("???", "Pz8/", "Pz8_"),
        ])
    func both(text: String, standard: String, url: String) {
        #expect(Base64.encode(text.utf8) == standard)
        #expect(Base64.encodeURL(text.utf8) == url)
        #expect(Base64.decode(standard) == Array(text.utf8))
        #expect(Base64.decodeURL(url) == Array(text.utf8))
    }

    @Test("refuses what is not Base64", arguments: ["Z", "Zg=", "Zg", "Zm9v=", "Z===", "Zh==", "Zm\u{0}v", "Zm9-", "===="])
    func refused(text: String) { #expect(Base64.decode(text) == nil) }
}

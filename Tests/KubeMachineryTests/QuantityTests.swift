import KubeMachinery
import Testing

@Suite("Quantities")
struct QuantityTests {
    @Test(
        "the canonical text of what is read",
        arguments: [
            ("0", "0"), ("1", "1"), ("1000", "1k"), ("1500m", "1500m"), ("1000m", "1"), ("0.5", "500m"), (".5", "500m"), ("1.", "1"),
            ("100Mi", "100Mi"), ("1024Ki", "1Mi"), ("1024Mi", "1Gi"), ("1.5Gi", "1536Mi"), ("1000Ki", "1000Ki"), ("0.5Ki", "512"),
            ("1e3", "1e3"), ("12E2", "1200"), ("1E", "1E"), ("-3k", "-3k"), ("+2", "2"), ("100n", "100n"), ("0.1n", "1n"), ("1u", "1u"),
            ("16379912Ki", "16379912Ki"), ("243497856212", "243497856212"), ("9223372036854775807", "9223372036854775807"),
            ("99999999999999999999", "9223372036854775807"), ("0.0000000001", "1n"), ("123456.789", "123456789m"), ("8Ei", "9223372036854775807"),
        ])
    func canonical(text: String, canonical: String) throws {
        let quantity = try #require(Quantity(text))
        #expect(quantity.canonical == canonical)
        #expect(quantity.text == text)
    }

    @Test("what is no quantity is refused", arguments: ["", "m", "1mm", "1.2.3", "ki", "1ki", "0x1", "1e", "1e999", "--1", " 1", "1 Gi", "1Gib"])
    func refusals(text: String) { #expect(Quantity(text) == nil) }

    @Test("equal values are equal however they are written")
    func equality() {
        #expect(Quantity("1024Mi") == Quantity("1Gi"))
        #expect(Quantity("1000m") == Quantity("1"))
        #expect(Set([Quantity("2k"), Quantity("2000")]).count == 1)
    }

    @Test("whole and milli values are rounded up", arguments: [("1500m", 2, 1500), ("1n", 1, 1), ("2Ki", 2048, 2_048_000), ("-1500m", -2, -1500)])
    func values(text: String, value: Int64, milli: Int64) throws {
        let quantity = try #require(Quantity(text))
        #expect(quantity.value == value)
        #expect(quantity.milliValue == milli)
    }

    @Test("sums and differences keep the format of the left side")
    func arithmetic() throws {
        let one = try #require(Quantity("1Gi"))
        let other = try #require(Quantity("512Mi"))
        #expect((one + other).text == "1536Mi")
        #expect((one - other).text == "512Mi")
        #expect((Quantity.zero + other).text == "512Mi")
        #expect(try (#require(Quantity("250m")) + #require(Quantity("750m"))).text == "1")
        #expect(other < one)
    }
}

/// Base64 (RFC 4648): the standard alphabet with padding, and the one of URLs and JWTs without.
package enum Base64 {
    /// Standard alphabet, padded.
    package static func encode(_ bytes: some Sequence<UInt8>) -> String { encode(bytes, alphabet: standard, isPadded: true) }

    /// The alphabet of URLs (`-`, `_`), without padding.
    package static func encodeURL(_ bytes: some Sequence<UInt8>) -> String { encode(bytes, alphabet: url, isPadded: false) }

    /// Reads the standard alphabet with its padding; line breaks and blanks are skipped. nil for anything else.
    package static func decode(_ text: some StringProtocol) -> [UInt8]? {
        decode(text.utf8.filter { !($0 == 10 || $0 == 13 || $0 == 32 || $0 == 9) }, plus: UInt8(ascii: "+"), slash: UInt8(ascii: "/"), isPadded: true)
    }

    /// Reads the alphabet of URLs without padding; nil for anything else.
    package static func decodeURL(_ text: some StringProtocol) -> [UInt8]? {
        decode(Array(text.utf8), plus: UInt8(ascii: "-"), slash: UInt8(ascii: "_"), isPadded: false)
    }

    private static let standard = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let url = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    private static func encode(_ bytes: some Sequence<UInt8>, alphabet: [UInt8], isPadded: Bool) -> String {
        var text: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                text.append(alphabet[Int(bits >> UInt32(count) & 63)])
            }
            bits &= (1 << UInt32(count)) - 1
        }
        if count > 0 { text.append(alphabet[Int(bits << UInt32(6 - count) & 63)]) }
        while isPadded, text.count % 4 != 0 { text.append(UInt8(ascii: "=")) }
        return String(decoding: text, as: UTF8.self)
    }

    private static func decode(_ text: [UInt8], plus: UInt8, slash: UInt8, isPadded: Bool) -> [UInt8]? {
        var text = text[...]
        if isPadded {
            guard text.count % 4 == 0 else { return nil }
            for _ in 0..<2 where text.last == UInt8(ascii: "=") { text.removeLast() }
        }
        guard text.count % 4 != 1 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count * 3 / 4)
        var bits: UInt32 = 0
        var count = 0
        for character in text {
            let value: UInt8
            switch character {
            case 65...90: value = character - 65
            case 97...122: value = character - 71
            case 48...57: value = character + 4
            case plus: value = 62
            case slash: value = 63
            default: return nil
            }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
                bits &= (1 << UInt32(count)) - 1
            }
        }
        return bits == 0 ? bytes : nil
    }
}

import Primitives

/// One block of a PEM text (RFC 7468).
package struct PEMBlock: Sendable, Hashable {
    /// `CERTIFICATE`, `EC PRIVATE KEY`, …
    package var label: String
    package var bytes: [UInt8]

    package init(label: String, bytes: [UInt8]) {
        self.label = label
        self.bytes = bytes
    }

    /// The block as text that ends in a newline, 64 characters a line.
    package var text: String {
        var text = "-----BEGIN \(label)-----\n"
        var line = Substring(Base64.encode(bytes))
        while !line.isEmpty {
            text += line.prefix(64) + "\n"
            line = line.dropFirst(64)
        }
        return text + "-----END \(label)-----\n"
    }

    /// Every well-formed block of a text; what stands between blocks is skipped, broken blocks too.
    package static func parse(_ text: String) -> [PEMBlock] {
        var blocks: [PEMBlock] = []
        var label: String?
        var base64 = ""
        for line in text.split(whereSeparator: \.isNewline) {
            let line = line.trimmingPrefix { $0 == " " || $0 == "\t" }
            if line.hasPrefix("-----BEGIN "), let name = name(line, "-----BEGIN ") {
                label = name
                base64 = ""
            } else if line.hasPrefix("-----END "), let name = name(line, "-----END ") {
                if name == label, let bytes = Base64.decode(base64), !bytes.isEmpty { blocks.append(PEMBlock(label: name, bytes: bytes)) }
                label = nil
            } else if label != nil, !line.contains(":") {
                base64 += line
            }
        }
        return blocks
    }

    private static func name(_ line: Substring, _ prefix: String) -> String? {
        let rest = line.dropFirst(prefix.count)
        guard let end = rest.firstRange(of: "-----") else { return nil }
        return String(rest[..<end.lowerBound])
    }

    /// The DER of the first certificate of a PEM text. Throws `malformedCertificate`.
    package static func certificate(_ text: String) throws -> [UInt8] {
        guard let block = parse(text).first(where: { $0.label == "CERTIFICATE" }) else {
            throw TrustError(code: .malformedCertificate, message: "there is no certificate in the PEM text")
        }
        return block.bytes
    }

    /// A certificate as PEM.
    package static func text(certificate der: [UInt8]) -> String { PEMBlock(label: "CERTIFICATE", bytes: der).text }
}

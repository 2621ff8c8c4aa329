/// The name of an image as a pod gives it: `[domain[:port]/]path[:tag][@digest]` (`spec/05 §17.1`).
package struct ImageReference: Sendable, Hashable {
    /// Domain and path as given; short names stay short.
    package let name: String
    package let tag: String?
    package let digest: String?

    /// Reads a reference. Throws `InvalidImageName` with the kubelet's words for what is none.
    package init(_ text: String) throws(StartFailure) {
        func refuse(_ why: String) -> StartFailure {
            StartFailure(
                reason: "InvalidImageName",
                message: "Failed to apply default image tag \"\(text)\": couldn't parse image name \"\(text)\": invalid reference format\(why)")
        }
        var rest = text[...]
        if let at = rest.firstIndex(of: "@") {
            let digest = String(rest[rest.index(after: at)...])
            guard Self.isDigest(digest) else { throw refuse("") }
            self.digest = digest
            rest = rest[..<at]
        } else {
            digest = nil
        }
        let lastSlash = rest.lastIndex(of: "/") ?? rest.startIndex
        if let colon = rest[lastSlash...].lastIndex(of: ":") {
            let tag = String(rest[rest.index(after: colon)...])
            guard Self.isTag(tag) else { throw refuse("") }
            self.tag = tag
            rest = rest[..<colon]
        } else {
            tag = nil
        }
        name = String(rest)
        var parts = rest.split(separator: "/", omittingEmptySubsequences: false)
        if parts.count > 1, let first = parts.first, first.contains(where: { $0 == "." || $0 == ":" || $0.isUppercase }) || first == "localhost" {
            guard Self.isDomain(first) else { throw refuse("") }
            parts.removeFirst()
        }
        guard !parts.isEmpty, name.utf8.count <= 255 else { throw refuse("") }
        guard parts.allSatisfy(Self.isComponent) else {
            let lower = parts.allSatisfy { Self.isComponent(Substring($0.lowercased())) }
            throw refuse(lower ? ": repository name (\(parts.joined(separator: "/"))) must be lowercase" : "")
        }
    }

    /// What to ask the runtime for: with `:latest` where neither tag nor digest is given.
    package var complete: String {
        let tagged = name + (tag.map { ":" + $0 } ?? "")
        if let digest { return "\(tagged)@\(digest)" }
        return tag == nil ? "\(name):latest" : tagged
    }

    /// Whether the same name may mean another image tomorrow.
    package var isFloating: Bool { digest == nil && (tag ?? "latest") == "latest" }

    private static func isLower(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || isNumber(byte)
    }
    private static func isNumber(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    private static func isWord(_ byte: UInt8) -> Bool {
        isLower(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) || byte == UInt8(ascii: "_")
    }

    /// Lower-case letters and digits, parted by one dot, one or two underscores, or dashes.
    private static func isComponent(_ text: Substring) -> Bool {
        let bytes = Array(text.utf8)
        guard let first = bytes.first, let last = bytes.last, isLower(first), isLower(last) else { return false }
        var separator: [UInt8] = []
        for byte in bytes {
            if isLower(byte) {
                let isFine =
                    separator.isEmpty || separator == [46] || separator == [95] || separator == [95, 95] || separator.allSatisfy { $0 == 45 }
                guard isFine else { return false }
                separator = []
            } else {
                separator.append(byte)
            }
        }
        return true
    }

    private static func isDomain(_ text: Substring) -> Bool {
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return false }
            let port = text[text.index(after: end)...]
            return text[..<end].dropFirst().allSatisfy { $0.isHexDigit || $0 == ":" } && (port.isEmpty || isPort(port))
        }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2, !isPort(":" + parts[1]) { return false }
        return parts[0].split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            !label.isEmpty && label.first != "-" && label.last != "-" && label.utf8.allSatisfy { isWord($0) && $0 != 95 || $0 == 45 }
        }
    }

    private static func isPort(_ text: Substring) -> Bool { text.count > 1 && text.first == ":" && text.dropFirst().utf8.allSatisfy(isNumber) }

    private static func isTag(_ text: String) -> Bool {
        guard let first = text.utf8.first, isWord(first), text.utf8.count <= 128 else { return false }
        return text.utf8.allSatisfy { isWord($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
    }

    private static func isDigest(_ text: String) -> Bool {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let first = parts[0].utf8.first, isWord(first) else { return false }
        return parts[1].utf8.count >= 32 && parts[1].allSatisfy { $0.isHexDigit }
    }
}

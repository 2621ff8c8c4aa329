/// A tar archive (ustar) in memory, made of what a small image needs: directories, files and links.
package struct TarArchive: Sendable {
    private var blocks: [UInt8] = []

    package init() {}

    package mutating func addDirectory(_ path: String, mode: Int = 0o755) { addHeader(path + "/", kind: "5", mode: mode, size: 0) }

    package mutating func addFile(_ path: String, _ content: [UInt8], mode: Int = 0o644) {
        addHeader(path, kind: "0", mode: mode, size: content.count)
        blocks.append(contentsOf: content)
        blocks.append(contentsOf: repeatElement(0, count: (512 - content.count % 512) % 512))
    }

    package mutating func addLink(_ path: String, to target: String) { addHeader(path, kind: "2", mode: 0o777, size: 0, link: target) }

    /// The archive, closed.
    package func finished() -> [UInt8] { blocks + [UInt8](repeating: 0, count: 1024) }

    private mutating func addHeader(_ path: String, kind: Character, mode: Int, size: Int, link: String = "") {
        precondition(path.utf8.count < 100 && link.utf8.count < 100, "an archive of ours has short paths, not \(path)")
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, _ offset: Int) { header.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8) }
        func octal(_ number: Int, _ width: Int) -> String {
            let digits = String(number, radix: 8)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        put(path, 0)
        put(octal(mode, 7), 100)
        put(octal(0, 7), 108)
        put(octal(0, 7), 116)
        put(octal(size, 11), 124)
        put(octal(0, 11), 136)
        put("        ", 148)
        put(String(kind), 156)
        put(link, 157)
        put("ustar", 257)
        put("00", 263)
        put("root", 265)
        put("root", 297)
        let sum = header.reduce(0) { $0 + Int($1) }
        put(octal(sum, 6), 148)
        header[154] = 0
        header[155] = UInt8(ascii: " ")
        blocks.append(contentsOf: header)
    }
}

import Glibc
import HTTPServing

extension KubeletHTTPService {
    /// A file or a list of names below `/var/log`. Links are followed as long as they stay below.
    func systemLogs(_ request: ServedRequest, _ path: ArraySlice<String>) throws -> HTTPResponse {
        guard configuration.servesSystemLogs else { return .text(405, "logs endpoint is disabled.") }
        let missing = ServedFailure(404, "404 page not found\n")
        guard !path.contains(where: { $0 == ".." || $0.contains("/") || $0.utf8.contains(0) }) else { throw missing }
        guard let entry = SystemLogEntry(root: configuration.systemLogDirectory, path: path.joined(separator: "/")) else { throw missing }
        guard entry.isDirectory else {
            return .stream(200, headers: ["Content-Type": "text/plain; charset=utf-8"]) { writer in
                var position = 0
                while case let bytes = try entry.read(at: position), !bytes.isEmpty {
                    try await writer.write(bytes)
                    position += bytes.count
                }
            }
        }
        guard request.hasTrailingSlash else {
            return HTTPResponse(status: 301, headers: ["Location": "\(path.last ?? "logs")/"], body: [])
        }
        let links = entry.names().map { "<a href=\"\(Self.escaped($0))\">\(Self.escaped($0))</a>\n" }
        let page = "<!doctype html>\n<pre>\n\(links.joined())</pre>\n"
        return HTTPResponse(status: 200, headers: ["Content-Type": "text/html; charset=utf-8"], body: Array(page.utf8))
    }

    private static func escaped(_ name: String) -> String {
        var text = ""
        for character in name {
            switch character {
            case "&": text += "&amp;"
            case "<": text += "&lt;"
            case ">": text += "&gt;"
            case "\"": text += "&#34;"
            default: text.append(character)
            }
        }
        return text
    }
}

/// An open file or directory that is known to lie below a root, whatever links led to it.
final class SystemLogEntry: Sendable {
    let isDirectory: Bool
    private let descriptor: Int32

    /// nil where there is nothing, nothing that can be read, or something outside.
    init?(root: String, path: String) {
        guard let real = realpath(root, nil) else { return nil }
        defer { free(real) }
        let base = String(cString: real)
        descriptor = open("\(base)/\(path)", O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        var information = stat()
        // What was opened is asked where it lies: nothing can change between a check and its use.
        guard let place = Self.place(descriptor), place == base || place.hasPrefix(base + "/"), fstat(descriptor, &information) == 0,
            [S_IFREG, S_IFDIR].contains(information.st_mode & S_IFMT)
        else {
            close(descriptor)
            return nil
        }
        isDirectory = information.st_mode & S_IFMT == S_IFDIR
    }

    deinit { close(descriptor) }

    private static func place(_ descriptor: Int32) -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = buffer.withUnsafeMutableBytes { bytes in
            bytes.withMemoryRebound(to: CChar.self) { $0.baseAddress.map { readlink("/proc/self/fd/\(descriptor)", $0, 4096) } ?? -1 }
        }
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }

    /// At most 64 KiB from `position` on; empty at the end.
    func read(at position: Int) throws -> [UInt8] {
        var code: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: 64 * 1024) { buffer, count in
            let got = pread(descriptor, buffer.baseAddress, buffer.count, off_t(position))
            code = got < 0 ? errno : 0
            count = max(0, got)
        }
        if code != 0 { throw ServedFailure(500, "reading failed: \(String(cString: strerror(code)))") }
        return bytes
    }

    /// In order; directories end in a slash.
    func names() -> [String] {
        let copy = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0 else { return [] }
        guard let stream = fdopendir(copy) else {
            close(copy)
            return []
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(entry.pointee.d_type == UInt8(DT_DIR) ? name + "/" : name) }
        }
        return names.sorted()
    }
}

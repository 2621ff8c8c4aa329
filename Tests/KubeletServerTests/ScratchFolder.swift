import Glibc
import Primitives
import Testing

/// A folder of one test.
struct ScratchFolder: Sendable {
    let root = "/tmp/kubelet-server-\(UniqueID.next())"

    init() throws { try #require(mkdir(root, 0o755) == 0) }

    func path(_ name: String) -> String { "\(root)/\(name)" }

    func makeFolder(_ name: String) throws { try #require(mkdir(path(name), 0o755) == 0) }

    func write(_ name: String, _ text: String) throws { try put(name, text, O_TRUNC) }
    func append(_ name: String, _ text: String) throws { try put(name, text, O_APPEND) }

    private func put(_ name: String, _ text: String, _ flag: Int32) throws {
        let file = open(path(name), O_WRONLY | O_CREAT | O_CLOEXEC | flag, 0o644)
        try #require(file >= 0)
        defer { close(file) }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            try #require(count > 0)
            rest = rest.dropFirst(count)
        }
    }

    func link(_ name: String, to target: String) throws { try #require(symlink(target, path(name)) == 0) }
    func move(_ name: String, to other: String) throws { try #require(rename(path(name), path(other)) == 0) }

    func remove() { Self.remove(root) }

    private static func remove(_ path: String) {
        guard unlink(path) != 0 else { return }
        if let folder = opendir(path) {
            while let entry = readdir(folder) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name != ".", name != ".." { remove("\(path)/\(name)") }
            }
            closedir(folder)
        }
        rmdir(path)
    }
}

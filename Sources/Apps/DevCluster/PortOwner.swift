import Glibc

/// Who listens on a TCP port of this machine.
package enum PortOwner {
    /// Whether 127.0.0.1:`port` can be bound now.
    package static func isFree(_ port: UInt16) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return true }
        defer { close(descriptor) }
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0 }
        }
    }

    /// A port that nobody uses at this moment.
    package static func anyFreePort() -> UInt16 {
        for _ in 0..<200 {
            let port = UInt16.random(in: 20000...32000)
            if isFree(port) { return port }
        }
        return 0
    }

    /// The program and process that listen on `port`, as far as /proc shows it.
    package static func describe(_ port: UInt16) -> String {
        guard let inode = listeningInode(port) else { return "another program" }
        let target = "socket:[\(inode)]"
        for process in entries("/proc") where Int32(process) != nil {
            for descriptor in entries("/proc/\(process)/fd") where link("/proc/\(process)/fd/\(descriptor)") == target {
                let name = (try? HostFile.read("/proc/\(process)/comm")).map { String(decoding: $0, as: UTF8.self) } ?? ""
                return "\(name.split(separator: "\n").first.map(String.init) ?? "a program") (process \(process))"
            }
        }
        return "another program"
    }

    private static func listeningInode(_ port: UInt16) -> Substring? {
        let digits = String(port, radix: 16, uppercase: true)
        let suffix = ":" + String(repeating: "0", count: 4 - digits.count) + digits
        for file in ["/proc/net/tcp", "/proc/net/tcp6"] {
            guard let bytes = try? HostFile.read(file) else { continue }
            for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n").dropFirst() {
                let fields = line.split(separator: " ")
                if fields.count > 9, fields[1].hasSuffix(suffix), fields[3] == "0A" { return Substring(fields[9]) }
            }
        }
        return nil
    }

    private static func entries(_ path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            names.append(withUnsafePointer(to: &entry.pointee.d_name) { String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self)) })
        }
        return names
    }

    private static func link(_ path: String) -> String {
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = buffer.withUnsafeMutableBufferPointer { buffer in
            buffer.withMemoryRebound(to: CChar.self) { $0.baseAddress.map { readlink(path, $0, buffer.count) } ?? -1 }
        }
        return count > 0 ? String(decoding: buffer.prefix(count), as: UTF8.self) : ""
    }
}

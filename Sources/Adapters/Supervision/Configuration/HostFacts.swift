import Glibc

/// What defaults are computed from on this machine.
package struct HostFacts: Sendable {
    /// The host's name in lower case.
    package var name: String
    /// The address that other machines reach this one at, as far as routes tell; 127.0.0.1 where there is no other.
    package var address: String

    /// Facts that are known.
    package init(name: String, address: String) {
        self.name = name
        self.address = address
    }

    /// The facts of this machine.
    package static func read() -> HostFacts {
        var buffer = [CChar](repeating: 0, count: 256)
        let name =
            gethostname(&buffer, buffer.count - 1) == 0 ? String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self) : ""
        return HostFacts(name: name.lowercased(), address: routedAddress() ?? firstAddress() ?? "127.0.0.1")
    }

    /// The source address of the default route: a datagram socket is connected, nothing is sent.
    private static func routedAddress() -> String? {
        let socket = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        guard socket >= 0 else { return nil }
        defer { close(socket) }
        var peer = sockaddr_in()
        peer.sin_family = sa_family_t(AF_INET)
        peer.sin_port = UInt16(9).bigEndian
        inet_pton(AF_INET, "192.0.2.1", &peer.sin_addr)
        var own = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isConnected = withUnsafePointer(to: &peer) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(socket, $0, length) == 0 }
        }
        guard isConnected else { return nil }
        let isRead = withUnsafeMutablePointer(to: &own) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket, $0, &length) == 0 }
        }
        return isRead ? text(own.sin_addr) : nil
    }

    private static func firstAddress() -> String? {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return nil }
        defer { freeifaddrs(list) }
        var next = list
        while let entry = next {
            next = entry.pointee.ifa_next
            let flags = entry.pointee.ifa_flags
            guard let address = entry.pointee.ifa_addr, address.pointee.sa_family == sa_family_t(AF_INET), flags & UInt32(IFF_UP) != 0,
                flags & UInt32(IFF_LOOPBACK) == 0
            else { continue }
            return address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { text($0.pointee.sin_addr) }
        }
        return nil
    }

    private static func text(_ address: in_addr) -> String? {
        var address = address
        var buffer = [CChar](repeating: 0, count: Int(INET_ADDRSTRLEN))
        guard inet_ntop(AF_INET, &address, &buffer, socklen_t(buffer.count)) != nil else { return nil }
        let text = String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        return text == "0.0.0.0" ? nil : text
    }
}

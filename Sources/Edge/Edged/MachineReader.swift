import Glibc
import PodCore
import Primitives

/// Reads what this machine is and has, from /proc, /sys and /etc (`spec/05 §5.7–5.9`).
struct MachineReader: Sendable {
    /// Where the machine's files are; another directory in tests.
    var prefix = ""

    private func line(_ path: String) -> String? { HostFiles.line(prefix + path).flatMap { $0.isEmpty ? nil : $0 } }

    var cores: Int64 { Int64(max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

    /// Bytes; 0 where it cannot be told.
    var memory: Int64 { memoryField("MemTotal") ?? 0 }
    var availableMemory: Int64? { memoryField("MemAvailable") }

    private func memoryField(_ name: String) -> Int64? {
        guard let text = HostFiles.text(prefix + "/proc/meminfo") else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix(name + ":") {
            let fields = line.split(separator: " ")
            guard fields.count > 1, let kibibytes = Int64(fields[1]) else { return nil }
            return kibibytes.multipliedReportingOverflow(by: 1024).overflow ? nil : kibibytes * 1024
        }
        return nil
    }

    /// Page size in kibibytes to bytes of all such pages.
    var hugepages: [Int64: Int64] {
        guard let directory = try? OwnDirectory(prefix + "/sys/kernel/mm/hugepages"), let names = try? directory.contents() else { return [:] }
        var pages: [Int64: Int64] = [:]
        for name in names where name.hasPrefix("hugepages-") && name.hasSuffix("kB") {
            guard let size = Int64(name.dropFirst(10).dropLast(2)), size > 0, size < 1 << 40 else { continue }
            let count = line("/sys/kernel/mm/hugepages/\(name)/nr_hugepages").flatMap(Int64.init) ?? 0
            let (bytes, overflow) = count.multipliedReportingOverflow(by: size * 1024)
            pages[size] = overflow ? 0 : bytes
        }
        return pages
    }

    var machineID: String { line("/etc/machine-id") ?? line("/var/lib/dbus/machine-id") ?? "" }
    var systemUUID: String { line("/sys/class/dmi/id/product_uuid") ?? machineID }
    var bootID: String { line("/proc/sys/kernel/random/boot_id") ?? "" }
    var kernelVersion: String { line("/proc/sys/kernel/osrelease") ?? "" }

    /// Whether the kernel confines programs by AppArmor profiles.
    var enforcesAppArmor: Bool {
        HostFiles.exists(prefix + "/sys/kernel/security/apparmor") && line("/sys/module/apparmor/parameters/enabled")?.first == "Y"
    }

    /// `PRETTY_NAME` of os-release.
    var systemName: String {
        for path in ["/etc/os-release", "/usr/lib/os-release"] {
            guard let text = HostFiles.text(prefix + path) else { continue }
            for line in text.split(separator: "\n") where line.hasPrefix("PRETTY_NAME=") {
                return line.dropFirst("PRETTY_NAME=".count).filter { $0 != "\"" }
            }
        }
        return "Linux"
    }

    /// Kubernetes' name of the processor's architecture.
    static var architecture: String {
        #if arch(x86_64)
            "amd64"
        #elseif arch(arm64)
            "arm64"
        #else
            "arm"
        #endif
    }

    static var hostName: String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
        return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    // MARK: - Addresses

    /// The node's own address: of the interface with the default route, else the first that is not loopback.
    static func nodeAddress() -> String? {
        let addresses = interfaceAddresses()
        if let interface = defaultInterface(), let address = addresses.first(where: { $0.interface == interface }) { return address.address }
        return addresses.first?.address
    }

    /// The addresses of interfaces that are up, IPv4 first; loopback and link-local ones are left out.
    static func interfaceAddresses() -> [(interface: String, address: String)] {
        var head: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&head) == 0 else { return [] }
        defer { freeifaddrs(head) }
        var four: [(String, String)] = []
        var six: [(String, String)] = []
        var next = head
        while let entry = next {
            next = entry.pointee.ifa_next
            guard let address = entry.pointee.ifa_addr, entry.pointee.ifa_flags & UInt32(IFF_UP) != 0,
                entry.pointee.ifa_flags & UInt32(IFF_LOOPBACK) == 0
            else { continue }
            let family = Int32(address.pointee.sa_family)
            guard family == AF_INET || family == AF_INET6, let text = text(address, family) else { continue }
            let name = String(cString: entry.pointee.ifa_name)
            if family == AF_INET, !text.hasPrefix("169.254.") { four.append((name, text)) }
            if family == AF_INET6, !text.hasPrefix("fe80") { six.append((name, text)) }
        }
        return (four + six).map { (interface: $0.0, address: $0.1) }
    }

    private static func text(_ address: UnsafeMutablePointer<sockaddr>, _ family: Int32) -> String? {
        var buffer = [CChar](repeating: 0, count: 64)
        let length = family == AF_INET ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size
        guard getnameinfo(address, socklen_t(length), &buffer, socklen_t(buffer.count), nil, 0, Int32(NI_NUMERICHOST)) == 0 else { return nil }
        return String(decoding: buffer.prefix { $0 != 0 && $0 != 0x25 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private static func defaultInterface() -> String? {
        guard let table = HostFiles.text("/proc/net/route") else { return nil }
        for line in table.split(separator: "\n").dropFirst() {
            let fields = line.split(whereSeparator: { $0 == "\t" || $0 == " " })
            if fields.count > 1, fields[1] == "00000000" { return String(fields[0]) }
        }
        return nil
    }
}

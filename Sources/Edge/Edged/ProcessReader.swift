import Glibc
import PodCore

/// Reads what processes and network interfaces do, from /proc.
struct ProcessReader: Sendable {
    /// Where the kernel shows its processes; another directory in tests.
    var proc = "/proc"

    /// The most processes that there can be, and how many there are.
    func processes() -> (maximum: UInt64?, running: UInt64?) {
        let limits = ["sys/kernel/pid_max", "sys/kernel/threads-max"].compactMap { HostFiles.line("\(proc)/\($0)").flatMap { UInt64($0) } }
        // `0.24 0.94 1.24 1/101 22822`: running and all tasks.
        let tasks = HostFiles.line("\(proc)/loadavg").flatMap { line -> UInt64? in
            let fields = line.split(separator: " ")
            guard fields.count > 3, let all = fields[3].split(separator: "/").last else { return nil }
            return UInt64(all)
        }
        return (limits.min(), tasks)
    }

    /// The interfaces that a process sees; nil where it is gone. Loopback and the host's ends of pods' cables are left out.
    func network(of process: String) -> NetworkUsage? {
        guard let text = HostFiles.text("\(proc)/\(process)/net/dev") else { return nil }
        var interfaces = text.split(separator: "\n").dropFirst(2).compactMap { Self.interface($0) }
        let first = defaultInterface(of: process) ?? "eth0"
        if let index = interfaces.firstIndex(where: { $0.name == first }), index > 0 { interfaces.swapAt(0, index) }
        return interfaces.isEmpty ? nil : NetworkUsage(interfaces: interfaces)
    }

    private static func interface(_ line: Substring) -> NetworkUsage.Interface? {
        guard let colon = line.firstIndex(of: ":") else { return nil }
        let name = String(line[..<colon].drop { $0 == " " })
        let fields = line[line.index(after: colon)...].split(separator: " ").map { UInt64($0) ?? 0 }
        let isForeign = name == "lo" || ["veth", "docker", "nerdctl"].contains { name.hasPrefix($0) }
        guard fields.count >= 11, !isForeign else { return nil }
        var interface = NetworkUsage.Interface(name: name)
        interface.receivedBytes = fields[0]
        interface.receiveErrors = fields[2]
        interface.sentBytes = fields[8]
        interface.sendErrors = fields[10]
        return interface
    }

    private func defaultInterface(of process: String) -> String? {
        guard let table = HostFiles.text("\(proc)/\(process)/net/route") else { return nil }
        for line in table.split(separator: "\n").dropFirst() {
            let fields = line.split { $0 == "\t" || $0 == " " }
            if fields.count > 1, fields[1] == "00000000" { return String(fields[0]) }
        }
        return nil
    }

    /// The agent itself.
    func ownUsage() -> ContainerUsage {
        var usage = ContainerUsage(name: "kubelet")
        var time = timespec()
        if clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 {
            usage.processor.nanoseconds = UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
        }
        // `size resident shared …` in pages.
        let pages = (HostFiles.line("\(proc)/self/statm") ?? "").split(separator: " ").compactMap { UInt64($0) }
        let page = UInt64(max(sysconf(Int32(_SC_PAGESIZE)), 1))
        if pages.count > 2 {
            usage.memory.usage = pages[1] * page
            usage.memory.workingSet = pages[1] * page
            usage.memory.resident = (pages[1] - min(pages[1], pages[2])) * page
        }
        return usage
    }
}

import Glibc
import PodCore

/// Reads what control groups use, in version 1 and 2 (`spec/05 §27.2`). Paths are as in `PodCgroups`; `/` is the whole machine.
struct CgroupReader: Sendable {
    private let root: String
    private let isVersionTwo: Bool
    private let proc: String

    init(_ cgroups: PodCgroups, proc: String = "/proc") {
        root = cgroups.root
        isVersionTwo = cgroups.isVersionTwo
        self.proc = proc
    }

    private func file(_ controller: String, _ path: String, _ name: String) -> String {
        let below = path == "/" ? "" : path
        return isVersionTwo ? "\(root)\(below)/\(name)" : "\(root)/\(controller)\(below)/\(name)"
    }

    private func number(_ controller: String, _ path: String, _ name: String) -> UInt64? {
        HostFiles.line(file(controller, path, name)).flatMap { UInt64($0) }
    }

    /// The numbers of a file with a name and a number in each line.
    private func table(_ path: String) -> [Substring: UInt64] {
        guard let text = HostFiles.text(path) else { return [:] }
        var table: [Substring: UInt64] = [:]
        for line in text.split(separator: "\n") {
            guard let blank = line.firstIndex(of: " ") else { continue }
            let rest = line[blank...].drop { $0 == " " }
            table[line[..<blank]] = UInt64(rest.prefix { $0.isNumber })
        }
        return table
    }

    /// Nanoseconds of processor time since the group was made.
    func processorTime(_ path: String) -> UInt64? {
        guard isVersionTwo else { return number("cpuacct", path, "cpuacct.usage") }
        return table(file("", path, "cpu.stat"))["usage_usec"].map { $0 &* 1000 }
    }

    /// nil where there is no such group. `available` is of the group's limit, or of the machine for `/`.
    func memory(_ path: String) -> MemoryUsage? {
        let machine = path == "/" || limit(path) == nil ? table("\(proc)/meminfo") : [:]
        var memory = MemoryUsage()
        if let usage = number("memory", path, isVersionTwo ? "memory.current" : "memory.usage_in_bytes") {
            memory.usage = usage
        } else if path == "/", let total = machine["MemTotal:"], let free = machine["MemFree:"] {
            // The root of version 2 has no number of its own.
            memory.usage = (total - min(free, total)) &* 1024
        }
        guard let usage = memory.usage else { return nil }
        let stat = table(file("memory", path, "memory.stat"))
        memory.workingSet = usage - min(usage, stat[isVersionTwo ? "inactive_file" : "total_inactive_file"] ?? 0)
        memory.resident = stat[isVersionTwo ? "anon" : "total_rss"]
        memory.pageFaults = stat[isVersionTwo ? "pgfault" : "total_pgfault"]
        memory.majorPageFaults = stat[isVersionTwo ? "pgmajfault" : "total_pgmajfault"]
        memory.swapUsage = isVersionTwo ? number("", path, "memory.swap.current") : stat["total_swap"]
        let most = path == "/" ? machine["MemTotal:"].map { $0 &* 1024 } : limit(path)
        if let most, let working = memory.workingSet { memory.available = most - min(most, working) }
        return memory
    }

    /// Bytes; nil for a group that has none or one beyond any machine.
    func limit(_ path: String) -> UInt64? {
        guard path != "/" else { return nil }
        return number("memory", path, isVersionTwo ? "memory.max" : "memory.limit_in_bytes").flatMap { $0 < 1 << 60 ? $0 : nil }
    }

    /// How many processes the group and those below hold, and the first of them.
    func processes(_ path: String) -> (count: UInt64, first: pid_t?) {
        let controller = ["memory", "pids", "cpu"].first { HostFiles.exists(file($0, path, "cgroup.procs")) } ?? "memory"
        var open = [String(file(controller, path, "cgroup.procs").dropLast("/cgroup.procs".count))]
        var count: UInt64 = 0
        var first: pid_t?
        while let directory = open.popLast(), count < 1 << 20 {
            let processes = (HostFiles.text("\(directory)/cgroup.procs") ?? "").split(separator: "\n")
            count += UInt64(processes.count)
            if first == nil { first = processes.first.flatMap { pid_t($0) } }
            guard let own = try? OwnDirectory(directory), let names = try? own.contents() else { continue }
            // The kernel's own files all have a dot in their names, groups of a runtime are told by what they hold.
            open += names.map { "\(directory)/\($0)" }.filter { HostFiles.exists("\($0)/cgroup.procs") }
        }
        return (count, first)
    }
}

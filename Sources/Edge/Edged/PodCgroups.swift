import Glibc
import Logging
import PodCore

/// The control groups of pods, as well as this machine lets one make them: v1 or v2, whole or in part (`spec/05 §21.6–21.8`).
///
/// A refused limit is a warning: the container's own limits are the runtime's.
struct PodCgroups: Sendable {
    enum Version: Sendable { case one(controllers: [String]), two }

    let root: String
    let version: Version
    private let logger: Logger

    /// Finds out what is mounted at `root`.
    init(root: String = "/sys/fs/cgroup", logger: Logger) {
        self.root = root
        self.logger = logger
        if HostFiles.exists("\(root)/cgroup.controllers") {
            version = .two
        } else {
            version = .one(controllers: ["cpu", "memory", "pids", "hugetlb", "cpuset"].filter { HostFiles.exists("\(root)/\($0)/tasks") })
        }
    }

    /// Whether a limit of memory can hold swap in check as well.
    var hasSwapController: Bool {
        guard isVersionTwo else { return HostFiles.exists("\(root)/memory/memory.memsw.limit_in_bytes") }
        // The root has no limits of its own, groups have.
        let own = (HostFiles.line("/proc/self/cgroup") ?? "").split(separator: ":", omittingEmptySubsequences: false).last ?? "/"
        return HostFiles.exists("\(root)\(own)/memory.swap.max") || HostFiles.exists("\(root)/kubepods/memory.swap.max")
    }

    var isVersionTwo: Bool { if case .two = version { true } else { false } }

    /// Where `path` (like `/kubepods/burstable/pod…`) is for each controller that matters.
    private func directories(_ path: String) -> [(controller: String, directory: String)] {
        switch version {
        case .one(let controllers): controllers.filter { $0 != "cpuset" }.map { ($0, "\(root)/\($0)\(path)") }
        case .two: [("", "\(root)\(path)")]
        }
    }

    /// Makes the group with those above it and sets its limits; returns why one could not be made.
    @discardableResult
    func make(_ path: String, _ limits: ResourcePlan, maximumProcesses: Int64) -> String? {
        guard isSafe(path) else { return nil }
        var problem: String?
        if case .two = version { enableControllers(path) }
        for (controller, directory) in directories(path) {
            guard makeDirectory(directory) else {
                let cause = String(cString: strerror(errno))
                logger.warning("cgroup not made", metadata: ["path": "\(directory)", "error": "\(cause)"])
                problem = problem ?? "cannot make \(directory): \(cause)"
                continue
            }
            for (file, value) in values(controller, limits, maximumProcesses: maximumProcesses) {
                do { try HostFiles.put(value, into: "\(directory)/\(file)") } catch {
                    logger.debug("cgroup limit refused", metadata: ["path": "\(directory)/\(file)", "error": "\(error)"])
                }
            }
        }
        return problem
    }

    /// Removes the group and those beneath it; processes that are left in it are killed.
    func remove(_ path: String) {
        guard isSafe(path), path.split(separator: "/").count > 1 else { return }
        let all: [String]
        switch version {
        case .one: all = (HostFiles.exists(root) ? entries(root) : []).map { "\(root)/\($0)\(path)" }
        case .two: all = ["\(root)\(path)"]
        }
        for directory in all where HostFiles.exists(directory) { removeTree(directory, depth: 0) }
    }

    private func isSafe(_ path: String) -> Bool {
        path.hasPrefix("/") && path.split(separator: "/").allSatisfy { $0 != ".." && $0 != "." } && path.split(separator: "/").count > 0
    }

    private func makeDirectory(_ path: String) -> Bool {
        var current = ""
        for name in path.split(separator: "/") {
            current += "/\(name)"
            if mkdir(current, 0o755) != 0, errno != EEXIST { return false }
        }
        return true
    }

    /// In version 2 a group hands a controller down by naming it.
    private func enableControllers(_ path: String) {
        var current = root
        for name in path.split(separator: "/") {
            for controller in ["+cpu", "+memory", "+pids", "+cpuset", "+io", "+hugetlb"] {
                try? HostFiles.put(controller, into: "\(current)/cgroup.subtree_control")
            }
            current += "/\(name)"
            mkdir(current, 0o755)
        }
    }

    private func values(_ controller: String, _ limits: ResourcePlan, maximumProcesses: Int64) -> [(String, String)] {
        let period = limits.cpuPeriod > 0 ? limits.cpuPeriod : 100_000
        switch controller {
        case "cpu":
            var values: [(String, String)] = limits.cpuShares > 0 ? [("cpu.shares", "\(limits.cpuShares)")] : []
            if limits.cpuQuota > 0 { values += [("cpu.cfs_period_us", "\(period)"), ("cpu.cfs_quota_us", "\(limits.cpuQuota)")] }
            return values
        case "memory": return limits.memoryLimit > 0 ? [("memory.limit_in_bytes", "\(limits.memoryLimit)")] : []
        case "pids": return maximumProcesses > 0 ? [("pids.max", "\(maximumProcesses)")] : []
        case "hugetlb": return limits.hugepageLimits.sorted { $0.key < $1.key }.map { ("hugetlb.\($0.key).limit_in_bytes", "\($0.value)") }
        case "":
            var values: [(String, String)] = []
            if limits.cpuShares > 1 { values.append(("cpu.weight", "\(1 + (min(limits.cpuShares, 262_144) - 2) * 9999 / 262_142)")) }
            if limits.cpuQuota > 0 { values.append(("cpu.max", "\(limits.cpuQuota) \(period)")) }
            if limits.memoryLimit > 0 { values.append(("memory.max", "\(limits.memoryLimit)")) }
            if maximumProcesses > 0 { values.append(("pids.max", "\(maximumProcesses)")) }
            values += limits.hugepageLimits.sorted { $0.key < $1.key }.map { ("hugetlb.\($0.key).max", "\($0.value)") }
            return values
        default: return []
        }
    }

    private func entries(_ directory: String) -> [String] {
        guard let own = try? OwnDirectory(directory) else { return [] }
        return (try? own.contents()) ?? []
    }

    private func removeTree(_ directory: String, depth: Int) {
        guard depth < 8 else { return }
        for name in entries(directory) where isDirectory("\(directory)/\(name)") { removeTree("\(directory)/\(name)", depth: depth + 1) }
        if rmdir(directory) == 0 || errno == ENOENT { return }
        guard errno == EBUSY, let text = HostFiles.text("\(directory)/cgroup.procs") else { return }
        for process in text.split(separator: "\n").compactMap({ pid_t($0) }) where process > 1 && process != getpid() { kill(process, SIGKILL) }
        if rmdir(directory) != 0, errno != ENOENT {
            logger.debug("cgroup not removed yet", metadata: ["path": "\(directory)", "error": "\(String(cString: strerror(errno)))"])
        }
    }

    private func isDirectory(_ path: String) -> Bool {
        var information = stat()
        return lstat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFDIR
    }
}

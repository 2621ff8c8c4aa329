import EdgeTesting
import KubeMachinery
import Logging
import PodCore
import Primitives
import Synchronization
import Testing

@testable import Edged

/// A kubelet that measures files of the test's own in place of the machine's, with what it told and whom it asked to free disk.
struct UsageBed: Sendable {
    let bed: KubeletBed
    let edged: Edged
    let events = ToldEvents()
    let reclaimer = AskedReclaimer()
    var cgroup: String { bed.directory + "/cgroup" }
    var proc: String { bed.directory + "/proc" }

    init(_ bed: KubeletBed, eviction: EvictionSettings? = nil, isVersionTwo: Bool = false) throws {
        self.bed = bed
        var configuration = bed.configuration
        if let eviction {
            configuration.eviction = eviction
            configuration.evictionInterval = .seconds(10)
        }
        let own = try OwnDirectory(bed.directory)
        try own.makeDirectory("proc/sys/kernel")
        if isVersionTwo {
            try own.makeDirectory("cgroup")
            try HostFiles.create([], at: bed.directory + "/cgroup/cgroup.controllers", mode: 0o644)
        } else {
            for controller in ["cpu", "memory", "pids"] {
                try own.makeDirectory("cgroup/\(controller)")
                try HostFiles.create([], at: "\(bed.directory)/cgroup/\(controller)/tasks", mode: 0o644)
            }
        }
        let logger = Logger(label: "edged") { _ in SwiftLogNoOpLogHandler() }
        edged = try Edged(
            configuration, runtime: bed.runtime, backend: bed.backend, handlers: bed.network, events: events,
            cgroups: PodCgroups(root: bed.directory + "/cgroup", logger: logger), processes: ProcessReader(proc: bed.directory + "/proc"),
            reclaimer: reclaimer, clock: bed.clock, logger: logger)
    }

    /// Puts a file of the kernel's where the kubelet looks for it.
    func write(_ text: String, _ path: String) throws {
        let parts = path.split(separator: "/").dropLast().joined(separator: "/")
        try OwnDirectory("/" + parts).makeDirectory(mode: 0o755)
        try HostFiles.create(Array(text.utf8), at: path, mode: 0o644)
    }

    /// A machine of 1000 MiB that uses so much of it.
    func useMemory(_ mebibytes: Int) throws {
        try write("MemTotal: 1024000 kB\nMemFree: 1 kB\n", proc + "/meminfo")
        try write("\(mebibytes << 20)\n", cgroup + "/memory/memory.usage_in_bytes")
        try write("total_inactive_file 0\n", cgroup + "/memory/memory.stat")
    }

    /// Asks while time passes.
    func usage(onlyProcessorAndMemory: Bool = false) async throws -> NodeUsage {
        let source = edged.usage
        async let answer = source.usage(onlyProcessorAndMemory: onlyProcessorAndMemory)
        await bed.pass(.milliseconds(500))
        return try await answer
    }

    func running(_ body: @Sendable @escaping () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do { try await edged.run() } catch is CancellationError {}
            }
            try await body()
            group.cancelAll()
        }
    }

    func condition(_ type: String) async -> String? {
        await bed.backend.currentNode?.status["conditions"].elements.first { $0["type"].string == type }?["status"].string
    }
}

final class ToldEvents: EventSink {
    private let events = Mutex<[KubeletEvent]>([])

    func record(_ event: KubeletEvent) { events.withLock { $0.append(event) } }
    func messages(_ reason: String) -> [String] { events.withLock { $0.filter { $0.reason == reason }.map(\.message) } }
}

actor AskedReclaimer: DiskReclaimer {
    private(set) var asked: [String] = []

    func removeDeadContainers() async throws { asked.append("containers") }
    func removeUnusedImages() async throws { asked.append("images") }
}

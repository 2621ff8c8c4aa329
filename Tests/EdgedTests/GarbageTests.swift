import ContainerRuntime
import EdgeTesting
import Glibc
import KubeMachinery
import Logging
import PodCore
import Primitives
import Supervision
import Testing

@testable import Edged

extension RecordingEvents {
    var reasons: [String] { all.map(\.reason) }
    func message(_ reason: String) -> String? { all.last { $0.reason == reason }?.message }
}

@Suite(.enabled(if: getuid() == 0, "mounting needs root")) struct GarbageTests {
    // MARK: - Host safety

    @Test func `a directory bound beneath is not emptied although it is on the same device`() throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        let root = try OwnDirectory(bed.directory + "/root")
        try root.makeDirectory("pods/gone/volumes/data")
        let data = try OwnDirectory(bed.directory + "/data")
        try data.makeDirectory()
        try HostFiles.create([1], at: data.path + "/precious", mode: 0o600)
        try #require(mount(data.path, root.path + "/pods/gone/volumes/data", nil, UInt(MS_BIND), nil) == 0)
        #expect(throws: EdgedFailure.self) { try root.remove("pods/gone") }
        #expect(HostFiles.exists(data.path + "/precious"))
        try Mounts.unmount(root.path + "/pods/gone/volumes/data")
        try root.remove("pods/gone")
        #expect(!HostFiles.exists(root.path + "/pods/gone") && HostFiles.exists(data.path + "/precious"))
    }

    @Test(arguments: ["", ".", "..", "/", "/bin", "../../..", "a/b"])
    func `an ended container with a strange name takes nothing with it`(_ name: String) async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        let context = try bed.context()
        try context.logs.makeDirectory("default_web_uid-web/main", mode: 0o755)
        let log = context.logs.path + "/default_web_uid-web/main/0.log"
        try HostFiles.create([1], at: log, mode: 0o600)
        try HostFiles.create([1], at: bed.directory + "/0.log", mode: 0o600)
        var state = ContainerState(id: "c", sandboxID: "s", name: name, attempt: 0, phase: .exited, createdAt: bed.clock.now().wall)
        state.labels = [ContainerLabel.podNamespace: "default", ContainerLabel.podName: "web", ContainerLabel.podUID: "uid-web"]
        state.logPath = name
        try await context.removeDead(state)
        #expect(HostFiles.exists(log) && HostFiles.exists(bed.directory + "/0.log"))
    }

    @Test func `only dead links to our own logs are removed`() throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        let context = try bed.context()
        let directory = bed.configuration.containerLogDirectory
        try OwnDirectory(directory).makeDirectory()
        try context.logs.makeDirectory("a")
        try HostFiles.create([], at: context.logs.path + "/a/0.log", mode: 0o600)
        symlink(context.logs.path + "/a/0.log", directory + "/live.log")
        symlink(context.logs.path + "/a/1.log", directory + "/dead.log")
        symlink("/nowhere/0.log", directory + "/foreign.log")
        try HostFiles.create([], at: directory + "/file.log", mode: 0o600)
        LogLinks(context).removeDead()
        #expect(try OwnDirectory(directory).contents().sorted() == ["file.log", "foreign.log", "live.log"])
    }

    @Test func `what pods left behind goes, each by itself, and a disk bound there keeps its data`() throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        let context = try bed.context()
        let disk = try OwnDirectory(bed.directory + "/disk")
        try disk.makeDirectory()
        try HostFiles.create([1], at: disk.path + "/precious", mode: 0o600)
        for uid in ["known", "gone", "bound"] { try context.root.makeDirectory("pods/\(uid)/volumes/data") }
        for name in ["default_a_known", "default_b_gone", "somebody's", "a_b"] { try context.logs.makeDirectory(name) }
        try #require(mount(disk.path, context.root.path + "/pods/bound/volumes/data", nil, UInt(MS_BIND), nil) == 0)
        Leftovers(context).remove(known: ["known"])
        #expect(try context.root.contents("pods") == ["known"])
        #expect(try context.logs.contents().sorted() == ["a_b", "default_a_known", "somebody's"])
        #expect(HostFiles.exists(disk.path + "/precious"))
        #expect(Mounts.points(below: bed.directory).isEmpty)
    }

    // MARK: - Logs

    @Test func `a log that is too long is rotated, older ones are compressed, the oldest go`() async throws {
        var bed = try KubeletBed()
        bed.configuration.garbage.logSize = 1000
        bed.configuration.garbage.logFiles = 4
        defer { bed.clean() }
        try await bed.running { [bed] in
            await bed.backend.start([makePod("web")])
            try await bed.eventually("it runs") { await bed.runtime.runningContainers == ["web-main"] }
            let logs = try OwnDirectory(bed.configuration.podLogDirectory)
            let directory = "default_web_uid-web/web-main"
            for round in 0..<6 {
                let text = [UInt8](repeating: UInt8(ascii: "a") + UInt8(round), count: 1000)
                try HostFiles.create(text, at: "\(logs.path)/\(directory)/0.log", mode: 0o640)
                try await bed.eventually("it is rotated") { !HostFiles.exists("\(logs.path)/\(directory)/0.log") }
            }
            try await bed.eventually("the older ones are compressed") {
                let files = try logs.contents(directory)
                return files.count == 3 && files.count { $0.hasSuffix(".gz") } == 2
            }
            let files = try logs.contents(directory).sorted()
            let newest = try #require(files.last)
            #expect(HostFiles.text("\(logs.path)/\(directory)/\(newest)") == String(repeating: "f", count: 1000))
            let packed = try #require(HostFiles.read("\(logs.path)/\(directory)/\(files[0])"))
            #expect(packed.starts(with: [0x1F, 0x8B]) && packed.count < 100)
            #expect(await bed.runtime.reopenedLogs.count >= 6)
        }
    }

    @Test func `a log that cannot be reopened keeps its name`() async throws {
        var bed = try KubeletBed()
        bed.configuration.garbage.logSize = 10
        defer { bed.clean() }
        try await bed.running { [bed] in
            await bed.runtime.fail("reopenLog", RuntimeFailure(code: .failed, message: "no"))
            await bed.backend.start([makePod("web")])
            try await bed.eventually("it runs") { await bed.runtime.runningContainers == ["web-main"] }
            let directory = bed.configuration.podLogDirectory + "/default_web_uid-web/web-main"
            try HostFiles.create([UInt8](repeating: 97, count: 20), at: directory + "/0.log", mode: 0o640)
            let before = await bed.runtime.reopenedLogs.count
            try await bed.eventually("it was tried") { await bed.runtime.reopenedLogs.count > before }
            try await bed.eventually("it has its name") { try OwnDirectory(directory).contents() == ["0.log"] }
        }
    }

    @Test func `what is packed unpacks to what it was`() async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        try OwnDirectory(bed.directory).makeDirectory()
        var generator = SeededGenerator(seed: 7)
        let bytes = (0..<300_000).map { _ in UInt8.random(in: 32...80, using: &generator) }
        try HostFiles.create(bytes, at: bed.directory + "/plain", mode: 0o600)
        let source = open(bed.directory + "/plain", O_RDONLY)
        let target = open(bed.directory + "/plain.gz", O_WRONLY | O_CREAT, 0o600)
        defer { for file in [source, target] { close(file) } }
        try await Gzip.compress(from: source, to: target, named: "plain")
        let result = try await HelperProgram("/bin/gzip", ["-t", bed.directory + "/plain.gz"]).run(limit: .seconds(20), clock: SystemClock())
        #expect(result.status == 0, "\(result.output)")
        let listing = try await HelperProgram("/bin/gzip", ["-l", bed.directory + "/plain.gz"]).run(limit: .seconds(20), clock: SystemClock())
        #expect(listing.output.contains(" 300000 "), "\(listing.output)")
    }

    // MARK: - Containers and images

    @Test func `logs of removed containers go with them`() async throws {
        try await withKubelet { bed in
            await bed.backend.start([makePod("web")])
            try await bed.eventually("it runs") { await bed.runtime.runningContainers == ["web-main"] }
            let logs = try OwnDirectory(bed.configuration.podLogDirectory)
            let directory = "default_web_uid-web/web-main"
            for attempt in 0..<3 {
                for name in ["\(attempt).log", "\(attempt).log.20261123-111557.gz"] {
                    try HostFiles.create([1], at: "\(logs.path)/\(directory)/\(name)", mode: 0o640)
                }
                await bed.runtime.end("web-main", code: 1)
                try await bed.eventually("it runs again", within: .seconds(120)) { await bed.runtime.runningContainers == ["web-main"] }
            }
            try await bed.eventually("only the last one's logs are left") {
                try Set(logs.contents(directory)) == ["2.log", "2.log.20261123-111557.gz"]
            }
        }
    }

    @Test func `unused images go where the disk is full, and an event tells what is missing`() async throws {
        var bed = try KubeletBed()
        bed.configuration.garbage.sandboxImage = "pause:3"
        defer { bed.clean() }
        let events = RecordingEvents()
        let (runtime, clock) = (bed.runtime, bed.clock)
        for image in ["busybox:1", "old:1", "other:1", "pause:3"] { await runtime.addImage(image) }
        let context = try bed.context(events: events)
        let collector = GarbageCollector(
            context, pods: { ["uid-web": PodStanding(hasEnded: false, images: ["busybox:1"])] }, space: { _ in (100, 1) })
        try await collector.running {
            try await eventually(clock, "unused images are gone") { await runtime.calls(of: "removeImage").count == 2 }
            try await eventually(clock, "it is told") { events.reasons.contains("FreeDiskSpaceFailed") }
        }
        #expect(await Set(runtime.calls(of: "removeImage")) == ["sha256:old:1", "sha256:other:1"])
        #expect(
            events.message("FreeDiskSpaceFailed")
                == "Failed to garbage collect required amount of images. Attempted to free 19 bytes, but only found 2 bytes eligible to free.")
    }

    @Test func `nothing goes before the wanted pods are known`() async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        await bed.runtime.addImage("old:1")
        let collector = GarbageCollector(try bed.context(), pods: { nil }, space: { _ in (100, 1) })
        try await collector.removeUnusedImages()
        try await collector.removeDeadContainers()
        #expect(await bed.runtime.calls.isEmpty)
    }

    @Test func `failures are told: containers at once, images when they fail again`() async throws {
        let bed = try KubeletBed()
        defer { bed.clean() }
        let events = RecordingEvents()
        await bed.runtime.fail("containers", RuntimeFailure(code: .failed, message: "the runtime is away"))
        let (clock, context) = (bed.clock, try bed.context(events: events))
        let collector = GarbageCollector(context, pods: { [:] }, space: { _ in (100, 1) })
        try await collector.running {
            try await eventually(clock, "containers", within: .seconds(100)) { events.reasons.contains("ContainerGCFailed") }
            #expect(!events.reasons.contains("ImageGCFailed"))
            try await eventually(clock, "images", within: .seconds(700)) { events.reasons.contains("ImageGCFailed") }
        }
        #expect(events.message("ImageGCFailed") == "the runtime is away")
    }
}

extension GarbageCollector {
    /// Collects while `body` runs.
    nonisolated func running(_ body: @Sendable @escaping () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do { try await self.run() } catch is CancellationError {}
            }
            try await body()
            group.cancelAll()
        }
    }
}

/// Moves the clock until it is so.
private func eventually(
    _ clock: ManualClock, _ what: Comment, within limit: Duration = .seconds(60), _ condition: () async throws -> Bool
) async throws {
    let end = clock.now().uptime + limit
    while try await !condition() {
        try #require(clock.now().uptime < end, what)
        for _ in 0..<50 { await Task.yield() }
        clock.advance(by: .milliseconds(500))
    }
}

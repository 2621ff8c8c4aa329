import DeliveryCore
import EdgeTesting
import Foundation
import KubeMachinery
import ObjectStore
import Primitives
import Synchronization
import Testing

@testable import MetaManager

@Suite("Storage faults: full disk, kill -9, power cut", .timeLimit(.minutes(2)))
struct StorageFaultTests {
    // MARK: - T36

    @Test(
        "T36 a disk that is full at any write costs the caller an error and nothing else; with room again all goes on",
        .enabled(if: TestDisk.isPossible, "mounts a file system"))
    func fullDisk() async throws {
        let disk = try TestDisk(kilobytes: 4096)
        defer { withExtendedLifetime(disk) {} }
        let path = disk.path + "/edgecore.db"
        var kept: Set<String> = []
        var failures = 0
        try await { () async throws in
            let edge = try EdgeOnDisk(path)
            try await edge.running {
                // Room for none of the pages of a write, then for one more each time.
                for room in 0..<24 {
                    try disk.fill(leaving: room * 4)
                    for step in 0..<4 {
                        let name = "n\(room)-\(step)"
                        do {
                            if step.isMultiple(of: 2) {
                                try await edge.receive(pod: name, padding: 6000)
                            } else {
                                try await edge.report(name, padding: 6000)
                            }
                            kept.insert(step.isMultiple(of: 2) ? "pod \(name)" : "report \(name)")
                        } catch {
                            failures += 1
                            #expect("\(error)".contains("free disk space"), "\(error)")
                        }
                    }
                    #expect(try await edge.held() == kept, "on the disk with \(room * 4) KB")
                    try disk.free()
                    try await edge.receive(pod: "after-\(room)")
                    try await edge.report("after-\(room)")
                    kept.formUnion(["pod after-\(room)", "report after-\(room)"])
                }
            }
        }()
        #expect(failures > 12 && kept.count > 60, "\(failures) writes found the disk full, \(kept.count) did not")
        #expect(try await EdgeOnDisk(path).held() == kept)
    }

    @Test(
        "T36 on a full disk no store begins, and the one that is there opens all the same",
        .enabled(if: TestDisk.isPossible, "mounts a file system"))
    func openingOnFullDisk() async throws {
        let disk = try TestDisk(kilobytes: 256)
        defer { withExtendedLifetime(disk) {} }
        try disk.fill(leaving: 0)
        #expect { _ = try EdgeOnDisk(disk.path + "/edgecore.db") } throws: { "\($0)".contains("free disk space") }
        try disk.free()
        try await { () async throws in try await (try EdgeOnDisk(disk.path + "/edgecore.db")).receive(pod: "a") }()
        try disk.fill(leaving: 0)
        let edge = try EdgeOnDisk(disk.path + "/edgecore.db")
        #expect(try await edge.held() == ["pod a"])
        await #expect { try await edge.receive(pod: "b", padding: 6000) } throws: { "\($0)".contains("free disk space") }
        try disk.free()
        try await edge.receive(pod: "b")
        #expect(try await edge.held() == ["pod a", "pod b"])
    }

    // MARK: - T37

    @Test("T37 a process killed with -9 at any moment has on its disk whatever it acknowledged")
    func killedProcess() async throws {
        let folder = "/tmp/killed-edge-\(UniqueID.next())"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for round in 0..<4 {
            // One file for all lives, so that what one left behind is recovered by the next.
            await #expect(processExitsWith: .signal(SIGKILL)) { [folder = folder as String, round = round as Int] in
                try await MortalEdge(folder: folder, round: round).live()
            }
            let acknowledged = try MortalEdge.acknowledged(folder)
            try #require(acknowledged.count > round * 20, "it lived for a while: \(acknowledged.count)")
            let log = LogRecorder()
            let held = try await { () async throws in try await (try EdgeOnDisk("\(folder)/edge.db", log: log)).held() }()
            #expect(acknowledged.isSubset(of: held), "round \(round) lost \(acknowledged.subtracting(held))")
            // What was being written when it died may be there or not; there are four writers.
            #expect(held.subtracting(acknowledged).count <= 4 * (round + 1), "\(held.subtracting(acknowledged))")
            #expect(log.lines.isEmpty, "no life left a damaged file")
        }
    }

    // MARK: - T38

    /// A real file system over a device that forgets what was not synced. It shows that an acknowledgement comes after the sync of all that
    /// it needs: pages, log, the file's length and its name in the folder. It does not show sectors that were half written or written in
    /// another order within one sync: `cutLog` of the store's tests and the simulation of the outbox do.
    @Test(
        "T38 a power cut that takes everything unsynced takes nothing that was acknowledged",
        .enabled(if: PowerCutDisk.isPossible, "mounts ext4 from an image"))
    func powerCut() async throws {
        let disk = try PowerCutDisk()
        defer { withExtendedLifetime(disk) {} }
        let edge = try EdgeOnDisk(disk.path + "/edgecore.db")
        var acknowledged: Set<String> = []
        var cuts: [(disk: PowerCutDisk, acknowledged: Set<String>)] = []
        try await edge.running {
            for number in 0..<6 {
                // Larger each time: the last ones pass the point where the log is copied into the file.
                let padding = number * number * 10_000
                try await edge.receive(pod: "p\(number)", padding: padding)
                acknowledged.insert("pod p\(number)")
                cuts.append((try disk.cut(), acknowledged))
                try await edge.report("r\(number)", padding: padding)
                acknowledged.insert("report r\(number)")
                cuts.append((try disk.cut(), acknowledged))
            }
        }
        // The model bites: of two files only the one that was synced outlives the cut.
        for name in ["unsynced", "synced"] {
            let file = open("\(disk.path)/\(name)", O_WRONLY | O_CREAT, 0o600)
            #expect(write(file, "kept", 4) == 4 && (name == "unsynced" || fsync(file) == 0))
            close(file)
        }
        let last = try disk.cut()
        #expect(FileManager.default.contents(atPath: last.path + "/synced") == Data("kept".utf8))
        #expect(FileManager.default.contents(atPath: last.path + "/unsynced") != Data("kept".utf8))
        defer { withExtendedLifetime((cuts, last)) {} }
        for (cut, acknowledged) in cuts {
            let log = LogRecorder()
            let held = try await { () async throws in try await (try EdgeOnDisk(cut.path + "/edgecore.db", log: log)).held() }()
            #expect(held == acknowledged)
            #expect(log.lines.isEmpty)
        }
    }
}

/// An edge in a process of its own that writes until it is killed, and notes outside its store what it has acknowledged.
struct MortalEdge {
    private static let notes = "acknowledged"

    let folder: String
    let round: Int

    func live() async throws {
        let edge = try EdgeOnDisk("\(folder)/edge.db")
        let notes = open("\(folder)/\(Self.notes)", O_WRONLY | O_CREAT | O_APPEND, 0o600)
        let (round, death) = (round, Death(seed: UInt64(round)))
        try await edge.running {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<4 {
                    group.addTask {
                        for number in 0..<100_000 {
                            let name = "\(round)-\(writer)-\(number)"
                            let padding = number * 977 % 9000
                            if writer.isMultiple(of: 2) {
                                try await edge.receive(pod: name, padding: padding)
                            } else {
                                try await edge.report(name, padding: padding)
                            }
                            // One write call: the kernel has it whole, whatever becomes of this process.
                            let line = Array("\(writer.isMultiple(of: 2) ? "pod" : "report") \(name)\n".utf8)
                            _ = write(notes, line, line.count)
                            death.acknowledged()
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    static func acknowledged(_ folder: String) throws -> Set<String> {
        let text = try String(contentsOfFile: "\(folder)/\(notes)", encoding: .utf8)
        return Set(text.split(separator: "\n").map(String.init))
    }

    /// Kills the process from a thread of its own, a random moment after so many acknowledgements.
    private final class Death: Sendable {
        private let left: Atomic<Int>
        private let turns: Int

        init(seed: UInt64) {
            var generator = SeededGenerator(seed: seed)
            left = Atomic(Int.random(in: 30..<120, using: &generator))
            turns = Int.random(in: 0..<200_000, using: &generator)
        }

        func acknowledged() {
            guard left.subtract(1, ordering: .relaxed).newValue == 0 else { return }
            Thread.detachNewThread { [turns] in
                for _ in 0..<turns { _ = getpid() }
                kill(getpid(), SIGKILL)
            }
        }
    }
}

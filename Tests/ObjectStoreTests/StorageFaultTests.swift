import EdgeTesting
import Foundation
import KubeMachinery
import Primitives
import Testing

@testable import ObjectStore

private let pods = GroupResource(group: "", resource: "pods")

/// An object of about half a kilobyte, so that a page holds a few.
private func pod(_ number: Int) -> KubeObject {
    var pod = KubeObject(apiVersion: "v1", kind: "Pod", namespace: "shop", name: "web-\(1000 + number)")
    pod.spec["text"] = .string(String(repeating: "\(number % 10)", count: 400))
    return pod
}

@Suite("Storage faults: one holder of the file, damage, other releases", .timeLimit(.minutes(1)))
struct StorageFaultTests {
    private func stored(_ store: ObjectStore) async throws -> [KubeObject] {
        try await store.list(pods, namespace: nil, limit: nil, after: nil).objects
    }

    /// A store with pods 0..<count that was closed in good order.
    private func filled(_ count: Int) async throws -> StoreFolder {
        let folder = try StoreFolder()
        let store = try folder.open()
        for number in 0..<count { try await store.apply([.put(pods, pod(number))]) }
        return folder
    }

    // MARK: - T34

    @Test("T34 a store that another process holds for a moment is waited for")
    func shortLock() async throws {
        let folder = try await filled(3)
        let marker = try #require(String(bytes: pod(3).json.encoded(), encoding: .utf8))
        // The holder writes after its pause: whoever sees that has waited for it, on however slow a machine.
        let holder = try LockHolder(
            folder.path,
            script: """
                .system sleep 0.3
                INSERT INTO objects VALUES ('', 'pods', 'shop', 'web-1003', '\(marker)');
                COMMIT;

                """, ends: true)
        await holder.holds()
        #expect(try await stored(try folder.open(lockTimeout: .seconds(40))).map(\.name) == (0..<4).map { pod($0).name })
        await holder.end()
    }

    @Test("T34 a store that another process keeps is refused with the file and the holder, and nothing is lost")
    func lastingLock() async throws {
        let folder = try await filled(3)
        let log = LogRecorder()
        let holder = try LockHolder(folder.path, script: "", ends: false)
        await holder.holds()
        #expect {
            _ = try folder.open(lockTimeout: .milliseconds(200), logger: log.logger)
        } throws: { error in
            let error = error as? StoreError
            return error?.code == .locked && error?.isRetryable == true
                && error?.message.contains("\(folder.path) is held by process \(holder.identifier) (sqlite3)") == true
        }
        await holder.end()
        #expect(try await stored(try folder.open()) == (0..<3).map(pod))
        #expect(folder.files == ["edgecore.db"] && log.lines.isEmpty, "a locked file is no damaged one")
    }

    @Test("T34 a file that is open as a store can be opened by nobody else, until it is closed")
    func secondStore() async throws {
        let folder = try StoreFolder()
        try await { () async throws in
            let store = try folder.open()
            try await store.apply([.put(pods, pod(0))])
            let other = try SQLiteShell.run(folder.path, "INSERT INTO counters VALUES ('mine', 1); SELECT 'written';")
            #expect(other.contains("database is locked") && !other.contains("written"), "\(other)")
            #expect {
                _ = try folder.open(lockTimeout: .milliseconds(100))
            } throws: { error in
                let error = error as? StoreError
                return error?.code == .locked && error?.message.contains("is held by process \(getpid()) (") == true
            }
            try await store.apply([.put(pods, pod(1))])
        }()
        #expect(try await stored(try folder.open()) == [pod(0), pod(1)])
        #expect(try SQLiteShell.run(folder.path, "SELECT count(*) FROM objects;").contains("2"))
    }

    @Test("T34 the holder of a lock is found in the kernel's list")
    func lockList() {
        let list = """
            1: POSIX  ADVISORY  WRITE 77 fe:00:5678 1073741826 1073742335
            1: -> POSIX  ADVISORY  READ 78 fe:00:5678 1073741826 1073741826
            2: FLOCK  ADVISORY  WRITE 79 00:1a:99 0 EOF
            3: OFDLCK ADVISORY  READ -1 fe:00:4 0 EOF
            """
        #expect(FileHolder.processes(in: list, device: 0xFE00, inode: 5678) == [77])
        #expect(FileHolder.processes(in: list, device: 0x1A, inode: 99) == [79])
        #expect(FileHolder.processes(in: list, device: 0xFE00, inode: 4).isEmpty)
        #expect(FileHolder.processes(in: "odd", device: 0, inode: 0).isEmpty)
        #expect(FileHolder.find("/nowhere/at/all") == "another process")
    }

    // MARK: - T35

    /// What happens to a file of many pages.
    enum Damage: String, CaseIterable, Sendable {
        case garbage, garbageHead, cutInHalf, cutWithinPage, cutWithinHeader, brokenPage, emptiedPage, brokenObject

        func apply(to bytes: inout Data) throws {
            let page = 4096
            switch self {
            case .garbage: bytes = Data(repeating: 0x5A, count: bytes.count)
            case .garbageHead: bytes.replaceSubrange(0..<64, with: Data(repeating: 0xFF, count: 64))
            case .cutInHalf: bytes = bytes.prefix(bytes.count / page / 2 * page)
            case .cutWithinPage: bytes = bytes.prefix(bytes.count - page * 3 / 2)
            case .cutWithinHeader: bytes = bytes.prefix(50)
            case .brokenPage: bytes.replaceSubrange(page * 9..<page * 10, with: Data(repeating: 0x5A, count: page))
            case .emptiedPage: bytes.replaceSubrange(page * 9..<page * 10, with: Data(count: page))
            case .brokenObject:
                let place = try #require(bytes.firstRange(of: Data("web-1050\"".utf8)))
                bytes.replaceSubrange(place, with: Data("web-1050}".utf8))
            }
        }

        /// The least that is still there of 120 objects, and what the operator reads.
        var expectation: (kept: Int, words: String) {
            switch self {
            case .garbage, .garbageHead, .cutWithinHeader: (0, "objects that could not be read are lost here")
            case .cutInHalf, .cutWithinPage: (0, "objects that could not be read are lost here")
            case .brokenPage, .emptiedPage: (60, "objects that could not be read are lost here")
            case .brokenObject: (119, "unreadable=pods shop/web-1050")
            }
        }
    }

    @Test("T35 a damaged file is set aside whole, what can be read of it goes on, and the log says what and where", arguments: Damage.allCases)
    func damagedFile(_ damage: Damage) async throws {
        let folder = try await filled(120)
        var bytes = try folder.bytes()
        try damage.apply(to: &bytes)
        try folder.write(bytes)

        if damage != .brokenObject {
            #expect("a store that must not lose anything is not opened, and its file is left alone") {
                _ = try folder.open(mends: false)
            } throws: { error in
                let error = error as? StoreError
                return error?.code == .corrupt && error?.message.contains(folder.path) == true && error?.message.contains("put a copy back") == true
            }
            #expect(try folder.bytes() == bytes && folder.aside == nil)
        }

        let log = LogRecorder()
        let store = try folder.open(logger: log.logger)
        let aside = try #require(folder.aside)
        #expect(try folder.bytes(aside) == bytes)
        let left = try await stored(store)
        #expect(left.count >= damage.expectation.kept && left.count < 120, "\(left.count)")
        #expect(left.allSatisfy { object in (0..<120).contains { pod($0) == object } }, "nothing half is taken over")
        let line = try #require(log.lines.first)
        #expect(log.lines.count == 1 && line.hasPrefix("error store was damaged and set aside"), "\(log.lines)")
        #expect(line.contains(damage.expectation.words) && line.contains("aside=\(folder.folder)/\(aside)"), "\(line)")
        #expect(line.contains(left.isEmpty ? "kept=nothing" : "kept=pods=\(left.count)"), "\(line)")
        try await store.apply([.put(pods, pod(500))])
        #expect(try await stored(store) == left + [pod(500)])
    }

    @Test("T35 a mending killed half-way begins anew; then the store opens like any other, its versions go on, and new damage has a new name")
    func mendedFile() async throws {
        let folder = try await filled(120)
        var identities = Set([try { try folder.open().identity }()])
        for round in 1...2 {
            var bytes = try folder.bytes()
            try Damage.brokenPage.apply(to: &bytes)
            try folder.write(bytes)
            for ending in ["", "-wal", "-journal"] { try folder.write(Data(repeating: UInt8(round), count: 5000), to: "edgecore.db.new" + ending) }
            let revision = try await { await (try folder.open()).revision() }()
            #expect(revision >= 121, "versions never go back")
            let log = LogRecorder()
            let store = try folder.open(logger: log.logger)
            #expect(await store.revision() == revision && log.lines.isEmpty)
            #expect(identities.insert(store.identity).inserted, "what it lacks now the cloud has to be able to see")
            #expect(folder.files.filter { $0.contains(".damaged-") }.count == round)
        }
        #expect(folder.files.allSatisfy { !$0.contains(".new") })
    }

    @Test(
        "T35 T36 a damaged file that there is no room to mend stays as it is, and is mended when there is room",
        .enabled(if: TestDisk.isPossible, "mounts a file system"))
    func noRoomToMend() async throws {
        let disk = try TestDisk(kilobytes: 4096)
        defer { withExtendedLifetime(disk) {} }
        let folder = try StoreFolder(in: disk.path)
        try await { () async throws in
            let store = try folder.open()
            for number in 0..<120 { try await store.apply([.put(pods, pod(number))]) }
        }()
        var bytes = try folder.bytes()
        try Damage.brokenPage.apply(to: &bytes)
        try folder.write(bytes)
        try disk.fill(leaving: 12)
        #expect { _ = try folder.open() } throws: { ($0 as? StoreError)?.code == .full }
        #expect(try folder.bytes() == bytes && folder.aside == nil)
        try disk.free()
        #expect(try await stored(try folder.open()).count >= 60)
        #expect(folder.aside != nil)
    }

    @Test("T35 a file without bytes is never silently empty; the log beside it is kept, which may hold everything")
    func emptyFile() async throws {
        let folder = try StoreFolder()
        try folder.write(Data())
        let log = LogRecorder()
        _ = try folder.open(logger: log.logger)
        #expect(log.lines == ["warning store file has no bytes, starting empty: what it held is lost path=\(folder.path)"])

        let other = try StoreFolder()
        try other.write(Data())
        let frames = Data(repeating: 7, count: 9000)
        try other.write(frames, to: "edgecore.db-wal")
        #expect { _ = try other.open(mends: false) } throws: { ($0 as? StoreError)?.message.contains("it is empty, and its log") == true }
        let store = try other.open(logger: log.logger)
        #expect(try await stored(store).isEmpty)
        let aside = try #require(other.aside)
        #expect(try other.bytes(aside + "-wal") == frames)
        #expect(log.lines.last?.contains("objects that could not be read are lost here") == true, "\(log.lines)")
    }

    @Test("T35 a log without bytes, or one of garbage, takes nothing from what is in the file", arguments: [0, 40, 9000])
    func brokenLog(length: Int) async throws {
        let folder = try await filled(20)
        try folder.write(Data(repeating: 0x5A, count: length), to: "edgecore.db-wal")
        let log = LogRecorder()
        let store = try folder.open(logger: log.logger)
        #expect(try await stored(store) == (0..<20).map(pod))
        #expect(log.lines.isEmpty && folder.aside == nil)
    }

    @Test("T35 damage that is met while running is an error each time, and told to whoever watches; what is sound is still read")
    func damageWhileRunning() async throws {
        let folder = try await filled(120)
        let log = LogRecorder()
        let store = try folder.open(logger: log.logger)
        let watch = Task { try await store.watchForDamage() }
        // Pages are read again where the cache does not hold them.
        try await store.transact { try $0.connection.execute("PRAGMA shrink_memory") }
        let file = try FileHandle(forUpdating: URL(filePath: folder.path))
        try file.seek(toOffset: 4096 * 9)
        try file.write(contentsOf: Data(repeating: 0x5A, count: 4096))
        for _ in 0..<2 {
            await #expect { _ = try await stored(store) } throws: { ($0 as? KubeStatus)?.message.contains("\(folder.path) is damaged") == true }
        }
        await #expect { try await watch.value } throws: { ($0 as? StoreError)?.code == .corrupt }
        #expect(log.lines.filter { $0.hasPrefix("error store operation failed") && $0.contains("is damaged") }.count == 2)
        let first = try await store.object(pods, pod(0).key)
        let last = try await store.object(pods, pod(119).key)
        #expect([first, last].compactMap { $0 }.isEmpty == false)
    }

    @Test("a watch for damage ends with its task")
    func watchEnds() async throws {
        let store = try StoreFolder().open()
        let watch = Task { try await store.watchForDamage() }
        watch.cancel()
        try await watch.value
    }

    // MARK: - T37

    @Test("T37 killed between any two bytes that reach the log: what was acknowledged before is there, and nothing half")
    func cutLog() async throws {
        let folder = try StoreFolder()
        let store = try folder.open()
        var lengths: [Int] = []
        for number in 0..<8 {
            // Two objects in one transaction: both or none.
            try await store.apply([.put(pods, pod(number * 2)), .put(pods, pod(number * 2 + 1))])
            lengths.append(try folder.bytes("edgecore.db-wal").count)
        }
        let (file, frames) = (try folder.bytes(), try folder.bytes("edgecore.db-wal"))
        var cuts = Array(stride(from: 0, through: frames.count, by: 509))
        cuts += lengths.flatMap { [$0 - 1, $0, $0 + 1] }.filter { $0 <= frames.count }
        for cut in cuts {
            let killed = try StoreFolder()
            try killed.write(file)
            try killed.write(frames.prefix(cut), to: "edgecore.db-wal")
            let left = try await stored(try killed.open())
            let acknowledged = lengths.count { $0 <= cut } * 2
            #expect(left == (0..<acknowledged).map(pod), "cut after \(cut) bytes")
        }
    }

    /// The log is synced before its pages are copied into the file, and forgotten after the file is synced. In between a kill leaves the first
    /// pages of the copy, a power cut any of them.
    @Test("T37 T38 killed or without power while the log is copied into the file: everything acknowledged is there", arguments: 0..<12)
    func cutCopy(seed: UInt64) async throws {
        var generator = SeededGenerator(seed: seed)
        let folder = try StoreFolder()
        let store = try folder.open()
        for number in 0..<60 { try await store.apply([.put(pods, pod(number))]) }
        try await store.transact { try $0.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)") }
        for number in 30..<100 { try await store.apply([number.isMultiple(of: 3) ? .remove(pods, pod(number).key) : .put(pods, pod(number))]) }
        let expected = try await stored(store)
        let (before, log) = (try folder.bytes(), try folder.bytes("edgecore.db-wal"))
        try await store.transact { try $0.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)") }
        let after = try folder.bytes()
        try #require(after.count > before.count && log.count > after.count - before.count)

        let page = 4096
        let pages = after.count / page
        let killedAt = Int.random(in: 0...pages, using: &generator)
        var cut = before
        for number in 0..<pages where seed.isMultiple(of: 2) ? number < killedAt : Bool.random(using: &generator) {
            if cut.count < (number + 1) * page { cut.append(Data(count: (number + 1) * page - cut.count)) }
            cut.replaceSubrange(number * page..<(number + 1) * page, with: after[number * page..<(number + 1) * page])
        }
        let killed = try StoreFolder()
        try killed.write(cut)
        try killed.write(log, to: "edgecore.db-wal")
        let recorder = LogRecorder()
        #expect(try await stored(try killed.open(logger: recorder.logger)) == expected)
        #expect(recorder.lines.isEmpty)
    }

    // MARK: - T39

    @Test("T39 a file of a newer release is refused with what to do, and left as it is", arguments: [true, false])
    func newerSchema(mends: Bool) async throws {
        let folder = try await filled(5)
        try SQLiteConnection(path: folder.path, lockTimeout: .zero).execute("PRAGMA user_version = 99")
        let before = try folder.bytes()
        #expect {
            _ = try folder.open(mends: mends)
        } throws: { error in
            let error = error as? StoreError
            return error?.code == .newerSchema && error?.message.contains(folder.path) == true
                && error?.message.contains("schema 99, this one knows 1") == true && error?.message.contains("install that release again") == true
        }
        #expect(try folder.bytes() == before && folder.files == ["edgecore.db"])
    }
}

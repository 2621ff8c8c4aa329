internal import Glibc
internal import KubeMachinery
internal import Logging
internal import Primitives

/// Puts a sound file in the place of one that is damaged or another program's; the old one is kept beside it under a name of its own.
///
/// The new file is made whole before it takes the place of the old one: killed at any point, the next start finds one of the two.
final class StoreReplacement {
    private static let companions = ["-wal", "-shm", "-journal"]

    private let file: StoreFile
    private let suffix: String
    /// What is wrong with the old file; nil where it is sound.
    private let cause: StoreError?
    /// How many objects of each resource were taken over.
    private var kept: [String: Int] = [:]
    /// Rows that were reached and are no objects.
    private var unreadable: Set<String> = []
    /// Whether every row of the old file was reached.
    private var isWhole = true

    private var path: String { file.configuration.path }
    private var fresh: String { path + ".new" }

    /// `suffix`: what the old file's new name ends with, before the time.
    init(_ file: StoreFile, suffix: String, cause: StoreError?) {
        self.file = file
        self.suffix = suffix
        self.cause = cause
    }

    func run() throws(StoreError) {
        let aside = try linkAside()
        do throws(StoreError) {
            for ending in [""] + Self.companions { unlink(fresh + ending) }
            try fill(from: aside)
        } catch {
            // The old file still has its own name.
            for ending in [""] + Self.companions { unlink(aside + ending) }
            throw error
        }
        // A log of the old file beside the new one would be taken for its own.
        for ending in Self.companions { unlink(path + ending) }
        guard rename(fresh, path) == 0 else { throw failure("be replaced") }
        syncFolder()
        tell(aside)
    }

    // MARK: - Files

    /// Gives the old file and what belongs to it a second name, under which SQLite finds them together.
    private func linkAside() throws(StoreError) -> String {
        let stem = "\(path).\(suffix)-\(SystemClock().now().wall.seconds)"
        var aside = stem
        var number = 1
        while link(path, aside) != 0 {
            guard errno == EEXIST, number < 100 else { throw failure("be set aside as \(aside)") }
            number += 1
            aside = "\(stem)-\(number)"
        }
        for ending in ["-wal", "-journal"] where StoreFile.size(of: path + ending) != nil {
            guard link(path + ending, aside + ending) == 0 else { throw failure("be set aside as \(aside)") }
        }
        return aside
    }

    private func syncFolder() {
        let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        let descriptor = Glibc.open(folder.isEmpty ? "." : folder, O_RDONLY | O_DIRECTORY)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    private func failure(_ verb: String) -> StoreError {
        let reason = String(cString: strerror(errno))
        return StoreError(
            code: .failed, message: "the store \(path) cannot \(verb): \(reason)\(cause.map { " (\($0))" } ?? ""); move it away to start empty")
    }

    // MARK: - What is taken over

    private func fill(from aside: String) throws(StoreError) {
        let target = try file.connect(to: fresh)
        try file.makeTables(target)
        // SQLite would throw away the log of a file that has no bytes, and the log may be all that is left.
        guard StoreFile.size(of: aside) != 0 else {
            isWhole = false
            return
        }
        let source = try SQLiteConnection(path: aside, lockTimeout: file.configuration.lockTimeout)
        try target.transaction { () throws(StoreError) in
            if try !takeObjects(from: source, to: target, order: "ASC") {
                isWhole = false
                // What lies behind the damage is reached from the other end.
                _ = try takeObjects(from: source, to: target, order: "DESC")
            }
            if try !takePredecessor(from: source, to: target) { isWhole = false }
            _ = try untilDamage { () throws(StoreError) in
                guard try source.has("counters") else { return }
                try source.execute("SELECT value FROM counters WHERE name = 'revision'") { row throws(StoreError) in
                    try target.execute("UPDATE counters SET value = max(value, ?)", [.integer(row.integer(0))])
                }
            }
        }
    }

    /// False where damage was met on the way.
    private func takeObjects(from source: SQLiteConnection, to target: SQLiteConnection, order: String) throws(StoreError) -> Bool {
        try untilDamage { () throws(StoreError) in
            guard try source.has("objects") else { return }
            try source.execute(
                """
                SELECT api_group, resource, namespace, name, value FROM objects
                ORDER BY api_group \(order), resource \(order), namespace \(order), name \(order)
                """
            ) { [self] row throws(StoreError) in
                let (resource, key) = (row.text(1), "\(row.text(2))/\(row.text(3))")
                guard (try? ObjectStore.object(row, 4)) != nil else {
                    unreadable.insert("\(resource) \(key)")
                    return
                }
                try target.execute(
                    "INSERT OR IGNORE INTO objects VALUES (?, ?, ?, ?, ?)",
                    [.text(row.text(0)), .text(resource), .text(row.text(2)), .text(row.text(3)), .blob(Array(row.blob(4)))])
                kept[resource, default: 0] += target.changes
            }
        }
    }

    /// Objects of the other program, which wrote later than this one where both did. False where damage was met on the way.
    private func takePredecessor(from source: SQLiteConnection, to target: SQLiteConnection) throws(StoreError) -> Bool {
        guard let table = file.configuration.predecessor else { return true }
        return try untilDamage { () throws(StoreError) in
            guard try source.has(table.name) else { return }
            try source.execute("SELECT \(table.columns.map { "\"\($0)\"" }.joined(separator: ", ")) FROM \(table.name)") {
                [self] row throws(StoreError) in
                let texts = table.columns.indices.map { row.text(Int32($0)) }
                guard let (resource, object) = table.translate(texts) else { return }
                try target.execute(
                    "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)",
                    ObjectStore.identity(resource, object.key) + [.blob(object.json.encoded())])
                kept[resource.resource, default: 0] += 1
            }
        }
    }

    /// Whether the body came to its end; false where it met damage.
    private func untilDamage(_ body: () throws(StoreError) -> Void) throws(StoreError) -> Bool {
        do throws(StoreError) { try body() } catch {
            guard error.code == .corrupt else { throw error }
            return false
        }
        return true
    }

    // MARK: - What is said

    private func tell(_ aside: String) {
        var metadata: Logger.Metadata = [
            "path": "\(path)", "aside": "\(aside)",
            "kept": "\(kept.isEmpty ? "nothing" : kept.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " "))",
        ]
        if !unreadable.isEmpty { metadata["unreadable"] = "\(unreadable.sorted().prefix(20).joined(separator: ", "))" }
        if let cause { metadata["cause"] = "\(cause)" }
        switch (cause == nil, isWhole && unreadable.isEmpty) {
        case (true, true): file.logger.notice("store of another program was taken over, its file is kept", metadata: metadata)
        case (true, false):
            file.logger.error(
                "store of another program is damaged and set aside, objects that could not be read are lost here", metadata: metadata)
        case (false, true): file.logger.error("store was damaged and set aside, all its objects are kept", metadata: metadata)
        case (false, false):
            file.logger.error("store was damaged and set aside, objects that could not be read are lost here", metadata: metadata)
        }
    }
}

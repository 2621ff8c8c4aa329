internal import FoundationEssentials
internal import Glibc
internal import Logging

/// A sound file, and what is read of it first.
struct OpenStoreFile {
    var connection: SQLiteConnection
    var revision: UInt64
    var identity: UInt64
}

/// The file of a store: opened, examined, and replaced where it is damaged or another program's.
struct StoreFile {
    /// The schema this release writes, in `PRAGMA user_version`.
    static let schemaVersion: Int64 = 1

    let configuration: ObjectStore.Configuration
    let logger: Logger

    private var path: String { configuration.path }

    func open() throws(StoreError) -> OpenStoreFile {
        try makeFolder()
        do throws(StoreError) {
            try examineEmptyFile()
            let connection = try connect(to: path)
            guard let table = configuration.predecessor, try connection.has(table.name) else { return try examine(connection) }
        } catch {
            guard error.code == .corrupt, configuration.replacesDamagedFile else { throw error }
            try StoreReplacement(self, suffix: "damaged", cause: error).run()
            return try examine(try connect(to: path))
        }
        // The connection is closed by now.
        try StoreReplacement(self, suffix: configuration.predecessor?.suffix ?? "", cause: nil).run()
        return try examine(try connect(to: path))
    }

    /// Opens a file and refuses one of a newer release before anything in it is touched.
    func connect(to path: String) throws(StoreError) -> SQLiteConnection {
        let connection = try SQLiteConnection(path: path, lockTimeout: configuration.lockTimeout)
        guard try version(connection) <= Self.schemaVersion else {
            throw StoreError(
                code: .newerSchema,
                message: """
                    the store \(path) was written by a newer release (schema \(try version(connection)), this one knows \(Self.schemaVersion)); \
                    it is left as it is: install that release again, or move the file away to start empty
                    """)
        }
        return connection
    }

    /// Sees to it that the file is whole and has its tables.
    private func examine(_ connection: SQLiteConnection) throws(StoreError) -> OpenStoreFile {
        try connection.beginWriteAhead(cacheKilobytes: configuration.cacheKilobytes)
        var finding = "ok"
        try connection.execute("PRAGMA quick_check(1)") { row throws(StoreError) in finding = row.text(0) }
        guard finding == "ok" else {
            throw StoreError(
                code: .corrupt, message: "the store \(path) is damaged: \(finding); put a copy back, or move it away to start empty")
        }
        if try version(connection) < Self.schemaVersion { try makeTables(connection) }
        // What would be met later and end the program then is better met now, where it can be mended.
        if configuration.replacesDamagedFile {
            try connection.execute("SELECT value FROM objects") { row throws(StoreError) in _ = try ObjectStore.object(row, 0) }
        }
        // Not copied into a file that takes this one's place.
        try connection.execute("INSERT OR IGNORE INTO counters VALUES ('identity', random())")
        return OpenStoreFile(
            connection: connection, revision: UInt64(clamping: try counter("revision", connection)),
            identity: UInt64(bitPattern: try counter("identity", connection)))
    }

    private func counter(_ name: String, _ connection: SQLiteConnection) throws(StoreError) -> Int64 {
        var value: Int64 = 0
        try connection.execute("SELECT value FROM counters WHERE name = ?", [.text(name)]) { row throws(StoreError) in value = row.integer(0) }
        return value
    }

    func makeTables(_ connection: SQLiteConnection) throws(StoreError) {
        try connection.transaction { () throws(StoreError) in
            try connection.execute(
                """
                CREATE TABLE IF NOT EXISTS objects (
                    api_group TEXT NOT NULL, resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
                    value BLOB NOT NULL, PRIMARY KEY (api_group, resource, namespace, name)) WITHOUT ROWID
                """)
            try connection.execute("CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID")
            try connection.execute("INSERT OR IGNORE INTO counters VALUES ('revision', 1)")
            try connection.execute("PRAGMA user_version = \(Self.schemaVersion)")
        }
    }

    private func version(_ connection: SQLiteConnection) throws(StoreError) -> Int64 {
        var version: Int64 = 0
        try connection.execute("PRAGMA user_version") { row throws(StoreError) in version = row.integer(0) }
        return version
    }

    /// SQLite takes a file of no bytes for a new one, and throws away the log that lies beside it.
    private func examineEmptyFile() throws(StoreError) {
        guard Self.size(of: path) == 0 else { return }
        if let log = Self.size(of: path + "-wal"), log > 0 {
            throw StoreError(
                code: .corrupt,
                message:
                    "the store \(path) is damaged: it is empty, and its log \(path)-wal is not; put a copy back, or move both away to start empty")
        }
        logger.warning("store file has no bytes, starting empty: what it held is lost", metadata: ["path": "\(path)"])
    }

    /// The length of a file; nil where there is none.
    static func size(of path: String) -> Int64? {
        var facts = stat()
        return stat(path, &facts) == 0 ? Int64(facts.st_size) : nil
    }

    private func makeFolder() throws(StoreError) {
        let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        guard !folder.isEmpty else { return }
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o750])
        } catch {
            throw StoreError(code: .failed, message: "the folder \(folder) of the store cannot be made: \(error)")
        }
    }
}

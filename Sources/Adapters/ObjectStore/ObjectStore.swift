internal import FoundationEssentials
internal import KubeMachinery
package import Logging
internal import Primitives

/// Kubernetes objects on SQLite with versions and watch: one store serves the embedded API, another is the memory of an edge node.
///
/// A write is synced to disk when it returns. Reads see every write that has returned. History for watchers lives in memory and is bounded.
package actor ObjectStore {
    package struct Configuration: Sendable {
        /// The file; its folder is made when missing.
        package var path: String
        /// Changes kept for watchers that resume.
        package var historyLength = 4096
        /// Events that a watcher may leave unread before its stream ends.
        package var watcherSlack = 4096
        /// What SQLite may keep of the file in memory.
        package var cacheKilobytes = 512
        /// How long to wait for another process that holds the file.
        package var lockTimeout = Duration.seconds(5)
        /// Sets a damaged file aside and starts empty, instead of refusing to start.
        package var replacesDamagedFile = false

        package init(path: String) { self.path = path }
    }

    /// The schema this release writes, in `PRAGMA user_version`.
    static let schemaVersion: Int64 = 1

    let connection: SQLiteConnection
    let logger: Logger
    var feed: WatchFeed
    var currentRevision: UInt64

    /// Opens the store. Throws `StoreError`.
    package init(_ configuration: Configuration, logger: Logger) throws {
        self.logger = logger
        let folder = configuration.path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        if !folder.isEmpty {
            do {
                try FileManager.default.createDirectory(
                    atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o750])
            } catch {
                throw StoreError(code: .failed, message: "the folder \(folder) of the store cannot be made: \(error)")
            }
        }
        let (connection, revision) = try Self.openOrReplace(configuration, logger: logger)
        self.connection = connection
        currentRevision = revision
        feed = WatchFeed(length: configuration.historyLength, slack: configuration.watcherSlack, startingAfter: revision)
    }

    private static func openOrReplace(_ configuration: Configuration, logger: Logger) throws(StoreError) -> (SQLiteConnection, UInt64) {
        do { return try open(configuration) } catch {
            guard error.code == .corrupt, configuration.replacesDamagedFile else { throw error }
            let aside = try setAside(configuration.path)
            logger.error("store was damaged and set aside, starting empty", metadata: ["path": "\(configuration.path)", "aside": "\(aside)"])
            return try open(configuration)
        }
    }

    private static func open(_ configuration: Configuration) throws(StoreError) -> (SQLiteConnection, UInt64) {
        let connection = try SQLiteConnection(
            path: configuration.path, cacheKilobytes: configuration.cacheKilobytes, lockTimeout: configuration.lockTimeout)
        var version: Int64 = 0
        try connection.execute("PRAGMA user_version") { row throws(StoreError) in version = row.integer(0) }
        guard version <= schemaVersion else {
            throw StoreError(
                code: .newerSchema,
                message: "the store \(configuration.path) was written by a newer release (schema \(version)); install that release again")
        }
        var isSound = true
        try connection.execute("PRAGMA quick_check(1)") { row throws(StoreError) in isSound = row.text(0) == "ok" }
        guard isSound else { throw StoreError(code: .corrupt, message: "the store \(configuration.path) is damaged") }
        try connection.transaction { () throws(StoreError) in
            try connection.execute(
                """
                CREATE TABLE IF NOT EXISTS objects (
                    api_group TEXT NOT NULL, resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
                    value BLOB NOT NULL, PRIMARY KEY (api_group, resource, namespace, name)) WITHOUT ROWID
                """)
            try connection.execute("CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID")
            try connection.execute("INSERT OR IGNORE INTO counters VALUES ('revision', 1)")
            if version < schemaVersion { try connection.execute("PRAGMA user_version = \(schemaVersion)") }
        }
        var revision: UInt64 = 0
        try connection.execute("SELECT value FROM counters WHERE name = 'revision'") { row throws(StoreError) in
            revision = UInt64(clamping: row.integer(0))
        }
        return (connection, revision)
    }

    /// Moves the file and its companions out of the way and returns the new name of the file.
    private static func setAside(_ path: String) throws(StoreError) -> String {
        let stamp = SystemClock().now().wall.seconds
        for suffix in ["", "-wal", "-shm"] where FileManager.default.fileExists(atPath: path + suffix) {
            do { try FileManager.default.moveItem(atPath: path + suffix, toPath: "\(path).damaged-\(stamp)\(suffix)") } catch {
                throw StoreError(code: .corrupt, message: "the store \(path) is damaged and cannot be set aside: \(error)")
            }
        }
        return "\(path).damaged-\(stamp)"
    }

    /// Ends every watch; the store itself stays usable.
    package func endWatches() { feed.finish() }
}

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
        /// Sets a damaged file aside and goes on with what can be read of it, instead of refusing to start.
        package var replacesDamagedFile = false
        /// Another program's file that may lie in the place of this one.
        package var predecessor: PredecessorTable?

        package init(path: String) { self.path = path }
    }

    /// A random number, made with the file: another one where it was lost, or replaced because it was damaged or another program's.
    package nonisolated let identity: UInt64
    let connection: SQLiteConnection
    let logger: Logger
    var feed: WatchFeed
    var currentRevision: UInt64
    private var damage: StoreError?
    private let damageSignal = Signal()

    /// Opens the store, which is then held until the last reference to it is gone. Throws `StoreError`.
    package init(_ configuration: Configuration, logger: Logger) throws {
        self.logger = logger
        let file = try StoreFile(configuration: configuration, logger: logger).open()
        connection = file.connection
        currentRevision = file.revision
        identity = file.identity
        feed = WatchFeed(length: configuration.historyLength, slack: configuration.watcherSlack, startingAfter: file.revision)
    }

    /// Returns when cancelled; throws `StoreError` once a damaged part of the file was met, so that somebody acts on it. For one waiter.
    package func watchForDamage() async throws {
        if damage == nil { await damageSignal.wait() }
        if let damage { throw damage }
    }

    /// Notes that a damaged part of the file was met.
    func note(_ error: StoreError) {
        guard error.code == .corrupt, damage == nil else { return }
        damage = error
        damageSignal.set()
    }

    /// Ends every watch; the store itself stays usable.
    package func endWatches() { feed.finish() }
}

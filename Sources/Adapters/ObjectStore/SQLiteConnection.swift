internal import CSQLite
internal import Glibc
internal import Primitives

/// One connection to one SQLite file, with its prepared statements. Used by one actor only.
final class SQLiteConnection {
    private let handle: OpaquePointer
    private let path: String
    private var statements: [String: OpaquePointer] = [:]

    /// Opens or makes the file and keeps it for itself: another process that holds it is waited for up to `lockTimeout`, and finds it locked later.
    init(path: String, lockTimeout: Duration) throws(StoreError) {
        var opened: OpaquePointer?
        let result = sqlite3_open_v2(path, &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, nil)
        guard let opened, result == SQLITE_OK else {
            let cause = opened.map { String(cString: sqlite3_errmsg($0)) } ?? "out of memory"
            sqlite3_close_v2(opened)
            throw StoreError(code: .failed, message: "the store \(path) cannot be opened: \(cause); check the folder and its owner")
        }
        handle = opened
        self.path = path
        sqlite3_busy_timeout(handle, Int32(clamping: Int64(lockTimeout / .milliseconds(1))))
        try execute("PRAGMA locking_mode = EXCLUSIVE")
    }

    /// Makes it a file to write to: a write-ahead log, every commit synced.
    func beginWriteAhead(cacheKilobytes: Int) throws(StoreError) {
        var mode = ""
        try execute("PRAGMA journal_mode = WAL") { row throws(StoreError) in mode = row.text(0) }
        guard mode == "wal" else {
            throw StoreError(
                code: .failed, message: "the store \(path) cannot have a write-ahead log (its journal is \(mode)): check its file system")
        }
        try execute("PRAGMA synchronous = FULL")
        try execute("PRAGMA cache_size = -\(cacheKilobytes)")
        try execute("PRAGMA wal_autocheckpoint = 256")
        try execute("PRAGMA journal_size_limit = 1048576")
    }

    deinit {
        for statement in statements.values { sqlite3_finalize(statement) }
        sqlite3_close_v2(handle)
    }

    enum Value {
        case text(String)
        case integer(Int64)
        case blob([UInt8])
    }

    /// Runs a statement and hands each row to `row`.
    func execute(_ sql: String, _ values: [Value] = [], row: ((Row) throws(StoreError) -> Void)? = nil) throws(StoreError) {
        let statement = try prepared(sql)
        defer {
            sqlite3_reset(statement)
            sqlite3_clear_bindings(statement)
        }
        for (index, value) in values.enumerated() { try check(bind(value, at: Int32(index + 1), to: statement)) }
        while true {
            switch sqlite3_step(statement) {
            case SQLITE_DONE: return
            case SQLITE_ROW: try row?(Row(statement: statement))
            case let failure: throw error(failure)
            }
        }
    }

    /// Runs `body` as one transaction that is rolled back when it throws.
    func transaction<Result>(_ body: () throws(StoreError) -> Result) throws(StoreError) -> Result {
        try execute("BEGIN IMMEDIATE")
        do {
            let result = try body()
            try execute("COMMIT")
            return result
        } catch {
            try? execute("ROLLBACK")
            throw error
        }
    }

    /// Whether the file has a table.
    func has(_ table: String) throws(StoreError) -> Bool {
        var count: Int64 = 0
        try execute("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?", [.text(table)]) { row throws(StoreError) in
            count = row.integer(0)
        }
        return count > 0
    }

    /// Rows that the last statement changed.
    var changes: Int { Int(sqlite3_changes(handle)) }

    struct Row {
        fileprivate let statement: OpaquePointer

        func text(_ column: Int32) -> String { String(decoding: blob(column), as: UTF8.self) }

        func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(statement, column) }

        func blob(_ column: Int32) -> UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(start: sqlite3_column_blob(statement, column), count: Int(sqlite3_column_bytes(statement, column)))
        }
    }

    private func prepared(_ sql: String) throws(StoreError) -> OpaquePointer {
        if let statement = statements[sql] { return statement }
        var statement: OpaquePointer?
        try check(sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil))
        guard let statement else { throw StoreError(code: .failed, message: "the store \(path) has no statement for: \(sql)") }
        statements[sql] = statement
        return statement
    }

    private func bind(_ value: Value, at index: Int32, to statement: OpaquePointer) -> Int32 {
        // SQLITE_TRANSIENT: SQLite copies before the call returns.
        let copies = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        return switch value {
        case .text(let text): sqlite3_bind_text(statement, index, text, Int32(clamping: text.utf8.count), copies)
        case .integer(let number): sqlite3_bind_int64(statement, index, number)
        case .blob(let bytes): sqlite3_bind_blob64(statement, index, bytes, UInt64(bytes.count), copies)
        }
    }

    private func check(_ result: Int32) throws(StoreError) { if result != SQLITE_OK { throw error(result) } }

    private func error(_ result: Int32) -> StoreError {
        let cause = String(cString: sqlite3_errmsg(handle))
        // What the system said to SQLite's last call: a quota and a limit of the file's size are no SQLITE_FULL.
        let isFull = [ENOSPC, EDQUOT, EFBIG].contains(sqlite3_system_errno(handle))
        // A sector that the disk cannot read is damage as well: SQLITE_IOERR_READ and SQLITE_IOERR_CORRUPTFS.
        let isUnreadable = [SQLITE_IOERR | 1 << 8, SQLITE_IOERR | 33 << 8].contains(sqlite3_extended_errcode(handle))
        return switch result & 0xFF {
        case SQLITE_CORRUPT, SQLITE_NOTADB,
            SQLITE_IOERR where isUnreadable:
            StoreError(code: .corrupt, message: "the store \(path) is damaged: \(cause); put a copy back, or move it away to start empty")
        case SQLITE_FULL,
            SQLITE_IOERR where isFull, SQLITE_CANTOPEN where isFull:
            StoreError(code: .full, message: "no room for the store \(path): \(cause); free disk space")
        case SQLITE_BUSY, SQLITE_LOCKED:
            StoreError(code: .locked, message: "the store \(path) is held by \(FileHolder.find(path)): only one process can have it, so end that one")
        case SQLITE_IOERR, SQLITE_READONLY, SQLITE_CANTOPEN:
            StoreError(code: .failed, message: "the store \(path) cannot be read or written: \(cause); check the disk and the file's owner")
        default: StoreError(code: .failed, message: "the store \(path) failed: \(cause)")
        }
    }
}

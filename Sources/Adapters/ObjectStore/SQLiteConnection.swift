internal import CSQLite
internal import Primitives

/// One connection to one SQLite file, with its prepared statements. Used by one actor only.
final class SQLiteConnection {
    private let handle: OpaquePointer
    private let path: String
    private var statements: [String: OpaquePointer] = [:]

    /// Opens or makes the file: write-ahead log, every commit synced, a lock waited for up to `lockTimeout`.
    init(path: String, cacheKilobytes: Int, lockTimeout: Duration) throws(StoreError) {
        var opened: OpaquePointer?
        let result = sqlite3_open_v2(path, &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, nil)
        guard let opened, result == SQLITE_OK else {
            let cause = opened.map { String(cString: sqlite3_errmsg($0)) } ?? "out of memory"
            sqlite3_close_v2(opened)
            throw StoreError(code: .failed, message: "the store \(path) cannot be opened: \(cause); check the folder and its owner")
        }
        handle = opened
        self.path = path
        sqlite3_busy_timeout(handle, Int32(clamping: lockTimeout.components.seconds * 1000))
        try execute("PRAGMA journal_mode = WAL")
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
        return switch result & 0xFF {
        case SQLITE_CORRUPT, SQLITE_NOTADB: StoreError(code: .corrupt, message: "the store \(path) is damaged: \(cause)")
        case SQLITE_FULL: StoreError(code: .full, message: "no room for the store \(path): \(cause); free disk space")
        case SQLITE_BUSY, SQLITE_LOCKED: StoreError(code: .locked, message: "the store \(path) is locked by another process: \(cause)")
        case SQLITE_IOERR, SQLITE_READONLY, SQLITE_CANTOPEN:
            StoreError(code: .failed, message: "the store \(path) cannot be read or written: \(cause); check the disk and the file's owner")
        default: StoreError(code: .failed, message: "the store \(path) failed: \(cause)")
        }
    }
}

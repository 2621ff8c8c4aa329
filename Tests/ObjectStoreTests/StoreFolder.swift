import Foundation
import Logging
import Primitives

@testable import ObjectStore

/// A folder with one store in it, removed with the last reference to it.
final class StoreFolder: Sendable {
    let folder: String
    var path: String { folder + "/edgecore.db" }

    init(in parent: String = "/tmp") throws {
        folder = "\(parent)/store-\(UniqueID.next())"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// Opens the store as the edge does, or as the control plane, which mends nothing.
    func open(mends: Bool = true, lockTimeout: Duration = .seconds(20), logger: Logger? = nil) throws -> ObjectStore {
        var configuration = ObjectStore.Configuration(path: path)
        configuration.replacesDamagedFile = mends
        configuration.lockTimeout = lockTimeout
        return try ObjectStore(configuration, logger: logger ?? Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    var files: [String] { (try? FileManager.default.contentsOfDirectory(atPath: folder).sorted()) ?? [] }

    func bytes(_ name: String = "edgecore.db") throws -> Data { try Data(contentsOf: URL(filePath: "\(folder)/\(name)")) }

    func write(_ bytes: Data, to name: String = "edgecore.db") throws { try bytes.write(to: URL(filePath: "\(folder)/\(name)")) }

    /// The file that was set aside.
    var aside: String? { files.first { $0.hasPrefix("edgecore.db.damaged-") && !$0.hasSuffix("-wal") } }
}

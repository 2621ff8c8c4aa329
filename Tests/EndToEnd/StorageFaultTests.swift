import DevCluster
import EdgeTesting
import Foundation
import Primitives
import Testing

/// edgecore itself on files that are taken, broken or too new: what it does, and what the operator reads.
@Suite("Storage faults of edgecore", .timeLimit(.minutes(2)))
struct StorageFaultTests {
    private let cluster: TestCluster
    private var database: String { cluster.folder + "/edgecore.db" }
    private var configuration: String { cluster.folder + "/edgecore.yaml" }
    private var logFile: String { cluster.folder + "/log/edgecore.log" }

    init() throws {
        cluster = try TestCluster()
        try FileManager.default.createDirectory(atPath: cluster.folder + "/log", withIntermediateDirectories: true)
        try Data(
            """
            apiVersion: edgecore.config.kubeedge.io/v1alpha2
            kind: EdgeCore
            database: {dataSource: \(database)}
            modules: {edgeHub: {enable: false}, edged: {enable: false}, edgeStream: {enable: false}}

            """.utf8
        ).write(to: URL(filePath: configuration))
    }

    private var arguments: [String] { ["--config", configuration] }

    private func log() -> String { (try? String(contentsOfFile: logFile, encoding: .utf8)) ?? "" }

    /// Starts edgecore and waits until it has its store.
    private func start() async throws -> ChildProcess {
        let edge = try cluster.start("edgecore", arguments)
        try await cluster.until("edgecore has its store") {
            try #require(await edge.exitStatus() == nil, "it ended: \(log())")
            return try String(contentsOfFile: "/proc/locks", encoding: .utf8).contains(" WRITE \(edge.identifier) ")
        }
        return edge
    }

    private func crash(_ edge: ChildProcess) async throws {
        kill(edge.identifier, SIGKILL)
        #expect(try await edge.wait(for: .seconds(20)) == 128 + SIGKILL)
    }

    @Test("T34 a second edgecore on the same store ends and names the first, which goes on; killed, it leaves the store to the next")
    func secondEdgecore() async throws {
        defer { try? FileManager.default.removeItem(atPath: cluster.folder) }
        let first = try await start()
        let second = try await cluster.run("\(cluster.programs)/edgecore", arguments)
        #expect(second.status == 1)
        #expect(second.text.contains("edgecore: the store \(database) is held by process \(first.identifier) (edgecore)"), "\(second.text)")
        #expect(await first.exitStatus() == nil)
        try await crash(first)
        let third = try await start()
        await third.stop()
        #expect(await third.exitStatus() == 0)
        #expect(!log().contains("damaged"))
    }

    @Test("T35 edgecore starts on a broken store, and its log says where the old file is; T39 it does not start on one of a newer release")
    func brokenAndNewer() async throws {
        defer { try? FileManager.default.removeItem(atPath: cluster.folder) }
        try Data(repeating: 0x5A, count: 20_000).write(to: URL(filePath: database))
        let edge = try await start()
        await edge.stop()
        #expect(await edge.exitStatus() == 0)
        let names = try FileManager.default.contentsOfDirectory(atPath: cluster.folder)
        let aside = try #require(names.first { $0.hasPrefix("edgecore.db.damaged-") })
        let line = try #require(log().split(separator: "\n").first { $0.contains("set aside") })
        #expect(line.contains("error") && line.contains("\(cluster.folder)/\(aside)") && line.contains("kept=nothing"), "\(line)")

        let change = try await cluster.run("sqlite3", [database, "PRAGMA user_version = 7"])
        try #require(change.status == 0, "\(change.text)")
        let before = try Data(contentsOf: URL(filePath: database))
        let refused = try await cluster.run("\(cluster.programs)/edgecore", arguments)
        #expect(refused.status == 1)
        #expect(refused.text.contains("was written by a newer release (schema 7, this one knows 1)"), "\(refused.text)")
        #expect(refused.text.contains("install that release again"))
        #expect(try Data(contentsOf: URL(filePath: database)) == before)
    }
}

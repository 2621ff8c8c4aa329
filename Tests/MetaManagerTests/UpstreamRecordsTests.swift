import EdgeTesting
import Foundation
import KubeMachinery
import PodCore
import Primitives
import Testing

@testable import MetaManager
@testable import ObjectStore

/// The file of a Go edge v1.17.0 as its ORM makes it (`spec/01 §7.1`).
private struct GoEdgeFile {
    static let tables = [
        "CREATE TABLE IF NOT EXISTS `meta` (`key` varchar(256) NOT NULL PRIMARY KEY, `type` varchar(32) NOT NULL DEFAULT '' , `value` text)",
        """
        CREATE TABLE IF NOT EXISTS `meta_v2` (`key` varchar(256) NOT NULL PRIMARY KEY, `groupversionresource` varchar(256) NOT NULL DEFAULT '' ,
            `namespace` varchar(256) NOT NULL DEFAULT '' , `name` varchar(256) NOT NULL DEFAULT '' ,
            `resourceversion` bigint unsigned NOT NULL DEFAULT 0 , `value` text)
        """,
        """
        CREATE TABLE IF NOT EXISTS `device` (`id` varchar(64) NOT NULL PRIMARY KEY, `name` text, `description` text, `state` text,
            `last_online` text)
        """,
        """
        CREATE TABLE IF NOT EXISTS `device_attr` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `deviceid` text, `name` text,
            `description` text, `value` text, `optional` bool, `attr_type` text, `metadata` text)
        """,
        "CREATE TABLE IF NOT EXISTS `sub_topics` (`topic` text NOT NULL PRIMARY KEY)",
        "CREATE TABLE IF NOT EXISTS `target_urls` (`url` text NOT NULL PRIMARY KEY)",
    ]

    static let pod = """
        {"metadata":{"name":"pod1","namespace":"devtest","uid":"3a82f897","resourceVersion":"525","creationTimestamp":"2026-11-23T11:15:57Z"},\
        "spec":{"containers":[{"name":"main","image":"registry.local/busybox:1.35"}],"nodeName":"edge-1","serviceAccountName":"default"},\
        "status":{"phase":"Running"}}
        """

    static let token = """
        {"kind":"TokenRequest","apiVersion":"authentication.k8s.io/v1","metadata":{"name":"default","namespace":"devtest",\
        "creationTimestamp":"2026-11-23T11:15:57Z"},"spec":{"audiences":["https://kubernetes.default.svc.cluster.local"],\
        "expirationSeconds":3607,"boundObjectRef":{"kind":"Pod","apiVersion":"v1","name":"pod1","uid":"3a82f897"}},\
        "status":{"token":"eyJh.eyJi.c2ln","expirationTimestamp":"2026-11-23T12:16:04Z"}}
        """

    static let rows: [(key: String, type: String, value: String)] = [
        ("devtest/pod/pod1", "pod", pod),
        ("devtest/podpatch/pod1", "podpatch", #"{"status":{"phase":"Running"}}"#),
        (
            "devtest/configmap/cm1", "configmap",
            #"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"cm1","namespace":"devtest","uid":"c1"},"data":{"key":"v0"}}"#
        ),
        ("devtest/secret/sec1", "secret", #"{"metadata":{"name":"sec1","namespace":"devtest","uid":"c2"},"data":{"password":"czA="}}"#),
        ("default/node/edge-1", "node", #"{"metadata":{"name":"edge-1","uid":"n1","resourceVersion":"9"},"status":{"capacity":{"cpu":"2"}}}"#),
        // A stored error (D-01), a row cut short, an answer of another kind.
        ("devtest/secret/gone", "secret", #"{"ErrStatus":{"metadata":{},"status":"Failure","code":404}}"#),
        ("devtest/configmap/half", "configmap", #"{"metadata":{"name":"half","#),
        ("kube-node-lease/lease/edge-1", "lease", #"{"metadata":{"name":"edge-1","uid":"l1"}}"#),
        (
            #""default"/"devtest"/[]string(nil)/3607/v1.BoundObjectReference{Kind:"Pod", APIVersion:"v1", Name:"pod1", UID:"3a82f897"}"#,
            "serviceaccounttoken", token
        ),
    ]

    static func write(_ path: String, rows: [(key: String, type: String, value: String)] = rows) throws {
        let file = try SQLiteConnection(path: path, lockTimeout: .zero)
        for table in tables { try file.execute(table) }
        for row in rows { try file.execute("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", [.text(row.key), .text(row.type), .text(row.value)]) }
        try file.execute("INSERT OR REPLACE INTO device VALUES ('d1', 'thermometer', '', 'online', '')")
    }

    static func count(_ path: String, _ table: String) throws -> Int64 {
        var count: Int64 = 0
        try SQLiteConnection(path: path, lockTimeout: .zero).execute("SELECT count(*) FROM \(table)") { row throws(StoreError) in
            count = row.integer(0)
        }
        return count
    }
}

@Suite("The file of a Go edge", .timeLimit(.minutes(1)))
final class UpstreamRecordsTests {
    private let folder = "/tmp/go-edge-\(UniqueID.next())"
    private var path: String { folder + "/edgecore.db" }

    init() throws { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private var kept: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { $0.contains(".go-") }.sorted() }

    @Test("T39 where a Go edge v1.17 ran before, its pods, configuration and tokens serve without the cloud, and its file is kept")
    func takeover() async throws {
        try GoEdgeFile.write(path)
        let log = LogRecorder()
        let edge = try EdgeOnDisk(path, log: log)
        var changes = await edge.manager.pods().makeAsyncIterator()
        guard case .known(let pods) = await changes.next() else { throw Failure() }
        #expect(pods.map { "\($0.kind) \($0.namespace ?? "")/\($0.name) \($0.uid) \($0.version)" } == ["Pod devtest/pod1 3a82f897 525"])
        #expect(try await edge.manager.configMap(ObjectKey(namespace: "devtest", name: "cm1")).json["data"]["key"] == "v0")
        #expect(try await edge.manager.secret(ObjectKey(namespace: "devtest", name: "sec1")).kind == "Secret")
        #expect(try await edge.manager.node().status["capacity"]["cpu"] == "2")
        let asked: JSONValue = [
            "spec": [
                "audiences": .null, "expirationSeconds": 3607,
                "boundObjectRef": ["kind": "Pod", "apiVersion": "v1", "name": "pod1", "uid": "3a82f897"],
            ]
        ]
        let token = try await edge.manager.serviceAccountToken(namespace: "devtest", serviceAccount: "default", request: asked)
        #expect(token.status["token"] == "eyJh.eyJi.c2ln")
        for name in ["gone", "half"] {
            await #expect(throws: KubeStatus.self) { try await edge.manager.secret(ObjectKey(namespace: "devtest", name: name)) }
        }

        let aside = try #require(kept.first)
        #expect(kept.count == 1)
        #expect(try GoEdgeFile.count("\(folder)/\(aside)", "meta") == Int64(GoEdgeFile.rows.count))
        #expect(try GoEdgeFile.count("\(folder)/\(aside)", "device") == 1)
        #expect(
            log.lines.first == "notice store of another program was taken over, its file is kept aside=\(folder)/\(aside) "
                + "kept=configmaps=1 nodes=1 pods=1 secrets=1 serviceaccounttokens=1 path=\(path)")
    }

    @Test("T39 the takeover happens once, and again when a Go edge ran in between: then its objects are the newer ones, reports that wait stay")
    func thereAndBack() async throws {
        try GoEdgeFile.write(path)
        for _ in 0..<2 {
            try await { () async throws in
                let edge = try EdgeOnDisk(path)
                try await edge.running { try await edge.report("waits") }
                #expect(try await edge.held() == ["report waits"])
            }()
            #expect(kept.count == 1)
        }
        try GoEdgeFile.write(path, rows: [("devtest/pod/pod1", "pod", GoEdgeFile.pod.replacing("\"525\"", with: "\"900\""))])
        let edge = try EdgeOnDisk(path)
        #expect(kept.count == 2)
        #expect(try await edge.held() == ["report waits"])
        let pods = try await edge.store.list(EdgeRecords.pods, namespace: nil, limit: nil, after: nil).objects
        #expect(pods.map(\.version) == [900])
        #expect(try await edge.manager.secret(ObjectKey(namespace: "devtest", name: "sec1")).uid == "c2")
    }

    @Test("T39 a damaged file of a Go edge gives what can be read of it")
    func damaged() async throws {
        let rows = (0..<60).map { number in
            (
                key: "devtest/pod/p\(1000 + number)", type: "pod",
                value: """
                {"metadata":{"name":"p\(1000 + number)","namespace":"devtest","uid":"u\(number)"},"spec":{"nodeName":"edge-1",\
                "text":"\(String(repeating: "x", count: 600))"}}
                """
            )
        }
        try GoEdgeFile.write(path, rows: rows)
        var bytes = try Data(contentsOf: URL(filePath: path))
        bytes.replaceSubrange(bytes.count - 4096..<bytes.count, with: Data(repeating: 0x5A, count: 4096))
        try bytes.write(to: URL(filePath: path))
        let log = LogRecorder()
        let edge = try EdgeOnDisk(path, log: log)
        let pods = try await edge.store.list(EdgeRecords.pods, namespace: nil, limit: nil, after: nil).objects
        #expect(pods.count >= 30 && pods.count < 60, "\(pods.count)")
        let line = try #require(log.lines.first)
        #expect(line.hasPrefix("error store of another program is damaged and set aside, objects that could not be read are lost here"), "\(line)")
        #expect(line.contains("aside=\(path).go-") && line.contains("kept=pods=\(pods.count)"), "\(line)")
    }

    private struct Failure: Error {}
}

import DeliveryCore
import EdgeMessages
import EdgeTesting
import KubeMachinery
import KubeResources
import Primitives
import Testing

@testable import CloudHub

@Suite("Sync records in the Kubernetes API")
struct SyncRecordKeeperTests {
    private func key() throws -> SyncRecordKey {
        var pod = KubeObject(apiVersion: "v1", kind: "Pod", namespace: "ending", name: "web")
        pod.uid = "u"
        pod.json["metadata"]["resourceVersion"] = "7"
        let message = EdgeMessage.object(.update, pod, GroupVersionKind("v1", "Pod"), source: EdgeSource.edgeController)
        return try #require(SyncRecordKey(message, node: "edge-1"))
    }

    private func keeper(_ api: FakeKubeAPI, store: StoreIdentity? = nil) -> SyncRecordKeeper {
        SyncRecordKeeper(api: api, store: store, copies: { _, _ in nil }, writes: Turnstile(places: 1))
    }

    @Test("a namespace that is being deleted takes no record; the object goes on all the same")
    func terminatingNamespace() async throws {
        let api = FakeKubeAPI()
        let refusal = KubeStatus(
            code: 403, reason: "Forbidden", message: "unable to create new content in namespace ending because it is being terminated",
            details: ["causes": [["reason": "NamespaceTerminating", "field": "metadata.namespace"]]])
        await api.fail(.create, Resources.objectSyncs, times: 2, with: refusal)
        let keeper = keeper(api)
        let opened = await keeper.perform(.open(try key()))
        #expect(opened.0 == .done(version: 0) && opened.cause == nil)
        let written = await keeper.perform(.write(try key(), version: 7))
        #expect(written.0 == .done(version: 7) && written.cause == nil)
    }

    @Test("another refusal is a failure with its cause, and is tried again by the session")
    func refusal() async throws {
        let api = FakeKubeAPI()
        await api.fail(.create, Resources.objectSyncs, with: KubeStatus(code: 403, reason: "Forbidden", message: "not for you"))
        let outcome = await keeper(api).perform(.open(try key()))
        #expect(outcome.0 == .failed && outcome.cause?.message == "not for you")
    }

    @Test("T52 three cloudcores race on one record: none fails, it never goes back, and the newest version stands", arguments: 0..<20)
    func race(seed: UInt64) async throws {
        let api = FakeKubeAPI()
        let key = try key()
        var generator = SeededGenerator(seed: seed)
        let versions = (1...30).map { UInt64($0) }.shuffled(using: &generator)
        let outcomes = await withTaskGroup(of: [(UInt64, SyncRecordOutcome)].self) { group in
            for instance in 0..<3 {
                let keeper = keeper(api)
                group.addTask {
                    var outcomes = [(UInt64(0), await keeper.perform(.open(key)).0)]
                    for version in versions where Int(version) % 3 == instance {
                        outcomes.append((version, await keeper.perform(.write(key, version: version)).0))
                    }
                    return outcomes
                }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
        #expect(outcomes.count == 33)
        for (version, outcome) in outcomes {
            // More conflicts in a row than a keeper tries against leave the session to try again.
            if case .done(let recorded) = outcome { #expect(recorded >= version) } else { #expect(outcome == .failed) }
        }
        if case .failed = outcomes.max(by: { $0.0 < $1.0 })?.1 { _ = await keeper(api).perform(.write(key, version: 30)) }
        let records = await api.objects(Resources.objectSyncs)
        #expect(records.map { $0.status["objectResourceVersion"].string } == ["30"])
    }

    @Test("a record of another store counts for nothing until the node has the object, wherever the writing breaks off", arguments: [nil, 1], 0..<4)
    func otherStore(before: UInt64?, failing: Int) async throws {
        let api = FakeKubeAPI()
        let key = try key()
        let old = keeper(api, store: before.map { StoreIdentity($0) })
        _ = await old.perform(.open(key))
        #expect(await old.perform(.write(key, version: 9)).0 == .done(version: 9))

        let new = StoreIdentity(2)
        #expect(await keeper(api, store: new).perform(.open(key)).0 == .done(version: 0))
        // The node has acknowledged an older version than the other store had: a late copy sent it.
        for _ in 0..<failing { await api.fail(.update, Resources.objectSyncs, with: KubeStatus.serviceUnavailable("away")) }
        let writer = keeper(api, store: new)
        for _ in 0...failing {
            let outcome = await writer.perform(.write(key, version: 8)).0
            let said = await keeper(api, store: new).perform(.open(key)).0
            #expect(outcome == .done(version: 8) ? said == .done(version: 8) : said == .done(version: 0), "\(outcome) \(said)")
        }
        #expect(await keeper(api, store: new).perform(.open(key)).0 == .done(version: 8))
        // One that nobody told of counts as another one, a Go edge's too.
        #expect(await keeper(api).perform(.open(key)).0 == .done(version: 0))
        #expect(await keeper(api).perform(.write(key, version: 8)).0 == .done(version: 8))
        #expect(await api.objects(Resources.objectSyncs).map(\.annotations) == [[:]])
        #expect(await keeper(api, store: new).perform(.open(key)).0 == .done(version: 0))
    }

    @Test("the store that an edge announces is read from its words, and nothing else is")
    func announcements() {
        let store = StoreIdentity(.max)
        #expect(StoreIdentity(announcement: ["leases", store.announcement]) == store)
        for words in [[], ["leases"], ["store="], ["store=a", "store=b"], ["store=\u{e9}"], ["store=" + String(repeating: "a", count: 65)]] {
            #expect(StoreIdentity(announcement: Set(words)) == nil, "\(words)")
        }
    }
}

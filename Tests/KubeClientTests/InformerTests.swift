import EdgeTesting
import KubeMachinery
import Logging
import Primitives
import Testing

@testable import KubeClient

private let configMaps = GroupVersionResource(resource: "configmaps")

/// A clock whose waits are over at once.
private struct HastyClock: MomentSource {
    func now() -> Moment { Moment(wall: Timestamp(seconds: 1), uptime: .seconds(1)) }
    func wait(until deadline: Duration) async throws {
        await Task.yield()
        try Task.checkCancellation()
    }
}

/// A logger that says nothing.
private let quiet = Logger(label: "informer") { _ in SwiftLogNoOpLogHandler() }

private struct Missing: Error {
    let what: String
    init(_ what: String) { self.what = what }
}

@Suite(.timeLimit(.minutes(1))) struct InformerTests {
    private let api = FakeKubeAPI()

    private func map(_ name: String, _ value: String = "") -> KubeObject {
        var object = KubeObject(apiVersion: "v1", kind: "ConfigMap", namespace: "n", name: name)
        object.json["data"] = ["value": .string(value)]
        return object
    }

    /// Runs an informer beside the body and hands the body a reader of its changes.
    private func withInformer(
        query: ListQuery = ListQuery(), _ body: (Informer, inout AsyncStream<InformerChange>.Iterator) async throws -> Void
    ) async throws {
        let informer = Informer(api: api, resource: configMaps, query: query, clock: HastyClock(), logger: quiet)
        var changes = await informer.changes().makeAsyncIterator()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try? await informer.run() }
            await informer.synced()
            try await body(informer, &changes)
            group.cancelAll()
        }
    }

    @Test func `the content comes first, then every change`() async throws {
        await api.put(configMaps, map("a"))
        try await withInformer { informer, changes in
            guard case .added(let first) = await changes.next() else { throw Missing("no addition") }
            #expect(first.name == "a")
            #expect(await informer.object(first.key)?.name == "a")
            await api.put(configMaps, map("a", "new"))
            guard case .updated(let old, let new) = await changes.next() else { throw Missing("no update") }
            #expect(old.json["data"]["value"] == "" && new.json["data"]["value"] == "new")
            await api.drop(configMaps, first.key)
            guard case .deleted = await changes.next() else { throw Missing("no deletion") }
            #expect(await informer.objects().isEmpty)
        }
    }

    @Test func `a list of many pages is taken whole`() async throws {
        for index in 0..<7 { await api.put(configMaps, map("m\(index)")) }
        try await withInformer(query: ListQuery(limit: 3)) { informer, _ in
            #expect(await informer.objects().count == 7)
            #expect(await api.count(.list, configMaps) == 3)
        }
    }

    @Test func `a watch that was cut goes on from where it was, without a new list`() async throws {
        await api.put(configMaps, map("a"))
        try await withInformer { _, changes in
            _ = await changes.next()
            try await api.calls(.watch, configMaps, atLeast: 1)
            await api.cutWatches()
            await api.fail(.watch, configMaps, times: 3, with: .serviceUnavailable("down"))
            await api.drop(configMaps, ObjectKey(namespace: "n", name: "a"))
            await api.put(configMaps, map("b"))
            guard case .deleted(let gone) = await changes.next() else { throw Missing("no deletion") }
            #expect(gone.name == "a")
            guard case .added(let new) = await changes.next() else { throw Missing("no addition") }
            #expect(new.name == "b")
            #expect(await api.count(.list, configMaps) == 1)
        }
    }

    @Test func `a history that is gone leads to a new list that tells the difference`() async throws {
        await api.put(configMaps, map("a"))
        await api.put(configMaps, map("b"))
        try await withInformer { informer, changes in
            _ = await changes.next()
            _ = await changes.next()
            try await api.calls(.watch, configMaps, atLeast: 1)
            await api.fail(.list, configMaps, times: 2, with: .internalError("no"))
            await api.drop(configMaps, ObjectKey(namespace: "n", name: "a"))
            // The mailbox may tell the deletion before the cut; either way it comes exactly once.
            await api.forgetHistory()
            await api.cutWatches(with: KubeStatus.gone("too old"))
            guard case .deleted(let gone) = await changes.next() else { throw Missing("no deletion") }
            #expect(gone.name == "a")
            await api.put(configMaps, map("c"))
            guard case .added(let new) = await changes.next() else { throw Missing("no addition") }
            #expect(new.name == "c")
            #expect(await informer.objects().map(\.name) == ["b", "c"])
        }
    }

    @Test func `T54 failed lists and broken watches delete nothing`() async throws {
        await api.put(configMaps, map("a"))
        try await withInformer { informer, changes in
            _ = await changes.next()
            try await api.calls(.watch, configMaps, atLeast: 1)
            await api.fail(.list, configMaps, times: 5, with: .serviceUnavailable("down"))
            await api.fail(.watch, configMaps, times: 5, with: .gone("too old"))
            await api.cutWatches(with: KubeStatus.gone("too old"))
            try await api.calls(.list, configMaps, atLeast: 5)
            #expect(await informer.objects().map(\.name) == ["a"])
            // A list that succeeds and is empty is believed.
            await api.drop(configMaps, ObjectKey(namespace: "n", name: "a"))
            guard case .deleted = await changes.next() else { throw Missing("no deletion") }
        }
    }

    @Test func `T54 an empty list is believed only when an object that it lacks is gone`() async throws {
        await api.put(configMaps, map("a"))
        await api.put(configMaps, map("b"))
        try await withInformer { informer, changes in
            for _ in 0..<2 { _ = await changes.next() }
            try await api.calls(.watch, configMaps, atLeast: 1)
            await api.showEmpty(configMaps, times: 3)
            await api.fail(.get, configMaps, with: .internalError("nor can it be asked"))
            await api.forgetHistory()
            await api.cutWatches(with: KubeStatus.gone("too old"))
            try await api.calls(.list, configMaps, atLeast: 5)
            try await api.calls(.watch, configMaps, atLeast: 2)
            #expect(await api.count(.get, configMaps) == 3)
            #expect(await informer.objects().map(\.name) == ["a", "b"])

            await api.cutWatches()
            for name in ["a", "b"] { await api.drop(configMaps, ObjectKey(namespace: "n", name: name)) }
            await api.forgetHistory()
            for _ in 0..<2 { guard case .deleted = await changes.next() else { throw Missing("no deletion") } }
            #expect(await informer.objects().isEmpty)
        }
    }

    @Test func `a bookmark moves the place to go on from`() async throws {
        await api.put(configMaps, map("a"))
        try await withInformer { informer, changes in
            _ = await changes.next()
            try await api.calls(.watch, configMaps, atLeast: 1)
            await api.put(GroupVersionResource(resource: "secrets"), KubeObject(apiVersion: "v1", kind: "Secret", namespace: "n", name: "s"))
            await api.sendBookmarks(configMaps)
            await api.put(configMaps, map("b"))
            _ = await changes.next()
            await api.cutWatches()
            await api.put(configMaps, map("c"))
            guard case .added(let new) = await changes.next() else { throw Missing("no addition") }
            #expect(new.name == "c")
            #expect(await informer.objects().count == 3)
            #expect(await api.count(.list, configMaps) == 1)
        }
    }

    @Test func `readers end with the informer`() async throws {
        let informer = Informer(api: api, resource: configMaps, clock: HastyClock(), logger: quiet)
        let changes = await informer.changes()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await informer.run() }
            await informer.synced()
            group.cancelAll()
        }
        var count = 0
        for await _ in changes { count += 1 }
        #expect(count == 0)
    }
}

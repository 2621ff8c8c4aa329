import FoundationEssentials
import KubeMachinery
import Logging
import ObjectStore
import Primitives
import Testing

private let pods = GroupResource(group: "", resource: "pods")
private let secrets = GroupResource(group: "", resource: "secrets")

private func pod(_ name: String, namespace: String = "default", value: JSONValue = 1) -> KubeObject {
    var pod = KubeObject(apiVersion: "v1", kind: "Pod", namespace: namespace, name: name)
    pod.spec["value"] = value
    return pod
}

/// A folder that is removed with the last reference to it.
private final class Folder {
    let path = NSTemporaryPath.unique()
    deinit { try? FileManager.default.removeItem(atPath: path) }
}

private enum NSTemporaryPath {
    static func unique() -> String { "/tmp/object-store-\(UniqueID.next())" }
}

@Suite("The object store")
struct ObjectStoreTests {
    private let folder = Folder()
    private var path: String { "\(folder.path)/store.db" }

    private func open(_ adjust: (inout ObjectStore.Configuration) -> Void = { _ in }) throws -> ObjectStore {
        var configuration = ObjectStore.Configuration(path: path)
        adjust(&configuration)
        return try ObjectStore(configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    @Test("what was written is there after the store is opened again")
    func reopening() async throws {
        let revision: UInt64
        do {
            let store = try open()
            _ = try await store.create(pods, pod("a"))
            _ = try await store.create(pods, pod("b"))
            _ = try await store.remove(pods, ObjectKey(namespace: "default", name: "a"), expecting: nil)
            revision = await store.revision()
        }
        let store = try open()
        #expect(await store.revision() == revision)
        #expect(try await store.list(pods, namespace: nil, limit: nil, after: nil).objects.map(\.name) == ["b"])
    }

    @Test("a file has its number for life, another file another one")
    func identity() throws {
        let number = try { try open().identity }()
        #expect(try { try open().identity }() == number)
        try FileManager.default.removeItem(atPath: path)
        #expect(try open().identity != number)
    }

    @Test("a write with an old version is a conflict and changes nothing")
    func conflicts() async throws {
        let store = try open()
        let first = try await store.create(pods, pod("a"))
        _ = try await store.replace(pods, pod("a", value: 2), expecting: first.resourceVersion)
        await #expect { try await store.replace(pods, pod("a", value: 3), expecting: first.resourceVersion) } throws: {
            ($0 as? KubeStatus)?.isConflict == true
        }
        await #expect { try await store.remove(pods, first.key, expecting: first.resourceVersion) } throws: {
            ($0 as? KubeStatus)?.isConflict == true
        }
        await #expect { try await store.create(pods, pod("a")) } throws: { ($0 as? KubeStatus)?.isAlreadyExists == true }
        await #expect { try await store.replace(pods, pod("z"), expecting: nil) } throws: { ($0 as? KubeStatus)?.isNotFound == true }
        #expect(try await store.object(pods, first.key)?.spec["value"] == 2)
    }

    @Test("pages follow one another in the order of the keys")
    func paging() async throws {
        let store = try open()
        for (namespace, name) in [("b", "1"), ("a", "2"), ("a", "1"), ("b", "0")] {
            _ = try await store.create(pods, pod(name, namespace: namespace))
        }
        _ = try await store.create(secrets, pod("other", namespace: "a"))
        let first = try await store.list(pods, namespace: nil, limit: 3, after: nil)
        #expect(first.objects.map(\.key.description) == ["a/1", "a/2", "b/0"])
        #expect(first.remaining == 1)
        let second = try await store.list(pods, namespace: nil, limit: 3, after: first.next)
        #expect(second.objects.map(\.key.description) == ["b/1"])
        #expect(second.next == nil)
        #expect(try await store.list(pods, namespace: "a", limit: nil, after: nil).objects.count == 2)
    }

    @Test("a watcher sees what came after its revision, and only its own resource and namespace")
    func watching() async throws {
        let store = try open()
        let start = try await store.create(pods, pod("a")).version
        _ = try await store.create(pods, pod("b"))
        let stream = try await store.watch(pods, namespace: "default", after: start)
        _ = try await store.create(secrets, pod("s"))
        _ = try await store.create(pods, pod("elsewhere", namespace: "other"))
        _ = try await store.replace(pods, pod("b", value: 2), expecting: nil)
        _ = try await store.remove(pods, pod("b").key, expecting: nil)
        var seen: [String] = []
        for await event in stream {
            seen.append("\(event.change) \(event.object.name) \(event.object.version == event.revision)")
            if seen.count == 3 { break }
        }
        #expect(seen == ["added b true", "modified b true", "deleted b true"])
    }

    @Test("a watcher that asks for forgotten history is told so")
    func forgottenHistory() async throws {
        let store = try open { $0.historyLength = 4 }
        for index in 0..<20 { _ = try await store.create(pods, pod("p\(index)")) }
        await #expect { try await store.watch(pods, namespace: nil, after: 2) } throws: { ($0 as? KubeStatus)?.isGone == true }
        _ = try await store.watch(pods, namespace: nil, after: await store.revision())
    }

    @Test("a watcher that does not read finds its stream ended, and the store goes on")
    func slowWatcher() async throws {
        let store = try open { $0.watcherSlack = 3 }
        let stream = try await store.watch(pods, namespace: nil, after: nil)
        for index in 0..<10 { _ = try await store.create(pods, pod("p\(index)")) }
        var count = 0
        for await _ in stream { count += 1 }
        #expect(count == 3)
    }

    @Test("a batch keeps the cloud's versions and tells of what changed")
    func batches() async throws {
        let store = try open()
        var one = pod("a")
        one.resourceVersion = "900"
        try await store.apply([.put(pods, one), .put(secrets, pod("s"))])
        let (objects, changes) = try await store.listAndWatch(pods)
        #expect(objects == [one])
        try await store.apply([.put(pods, one), .remove(pods, pod("nobody").key), .put(pods, pod("b")), .remove(pods, one.key)])
        var seen: [String] = []
        for await event in changes {
            seen.append("\(event.change) \(event.object.name)")
            if seen.count == 2 { break }
        }
        #expect(seen == ["added b", "deleted a"])
    }
}

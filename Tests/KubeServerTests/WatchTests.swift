import KubeMachinery
import Primitives
import Testing

@testable import KubeServer

@Suite("Watches")
struct WatchTests {
    private static let maps = "/api/v1/namespaces/default/configmaps"

    @Test("what is there comes first, then every change")
    func changes() async throws {
        let api = try await ServerFixture()
        try await api.succeed("POST", Self.maps, ServerFixture.configMap("a"))
        try await WatchReader.run(await api.send("GET", "\(Self.maps)?watch=true")) { lines in
            let first = try #require(await lines.next())
            #expect(first["type"] == "ADDED")
            #expect(first["object"]["metadata"]["name"] == "a")
            try await api.succeed("PUT", "\(Self.maps)/a", ServerFixture.configMap("a", ["a": "2"]))
            #expect(await lines.next()?["type"] == "MODIFIED")
            try await api.succeed("DELETE", "\(Self.maps)/a")
            let last = try #require(await lines.next())
            #expect(last["type"] == "DELETED")
            #expect(last["object"]["data"]["a"] == "2")
        }
    }

    @Test("a watch from a revision shows only what came after it, and only of its namespace")
    func resume() async throws {
        let api = try await ServerFixture()
        let old = try await api.succeed("POST", Self.maps, ServerFixture.configMap("a"))
        try await api.succeed("POST", "/api/v1/namespaces/other/configmaps", ServerFixture.configMap("elsewhere"))
        try await api.succeed("POST", Self.maps, ServerFixture.configMap("b"))
        let version = old.at("metadata", "resourceVersion").string ?? ""
        try await WatchReader.run(await api.send("GET", "\(Self.maps)?watch=1&resourceVersion=\(version)")) { lines in
            #expect(await lines.next()?["object"]["metadata"]["name"] == "b")
        }
    }

    @Test("with a selector, an object that begins to match is added and one that ceases is deleted")
    func selectors() async throws {
        let api = try await ServerFixture()
        try await WatchReader.run(await api.send("GET", "\(Self.maps)?watch=true&labelSelector=on%3Dyes")) { lines in
            try await api.succeed("POST", Self.maps, ServerFixture.configMap("a", labels: ["on": "no"]))
            try await api.succeed("PUT", "\(Self.maps)/a", ServerFixture.configMap("a", labels: ["on": "yes"]))
            #expect(await lines.next()?["type"] == "ADDED")
            let gone = try await api.succeed("PUT", "\(Self.maps)/a", ServerFixture.configMap("a", labels: ["on": "no"]))
            let last = try #require(await lines.next())
            #expect(last["type"] == "DELETED")
            #expect(last["object"]["metadata"]["resourceVersion"] == gone["metadata"]["resourceVersion"])
            try await api.succeed("DELETE", "\(Self.maps)/a")
            try await api.succeed("POST", Self.maps, ServerFixture.configMap("b", labels: ["on": "yes"]))
            #expect(await lines.next()?["object"]["metadata"]["name"] == "b")
        }
    }

    @Test("a history that is gone is a 410 in the stream")
    func gone() async throws {
        let api = try await ServerFixture()
        await api.storage.forgetHistory()
        let answer = await api.send("GET", "\(Self.maps)?watch=true&resourceVersion=1")
        #expect(answer.status == 200)
        guard case .text(let text) = answer.body else { return #expect(Bool(false), "a line was expected") }
        let line = try JSONValue(parsing: text)
        #expect(line["type"] == "ERROR")
        #expect(line["object"]["code"] == 410)
        #expect(line["object"]["reason"] == "Expired")
    }

    @Test("bookmarks come each minute, and the watch ends with its time")
    func bookmarks() async throws {
        let api = try await ServerFixture()
        let answer = await api.send("GET", "\(Self.maps)?watch=true&allowWatchBookmarks=true&timeoutSeconds=150")
        api.clock.skipWaits()
        try await WatchReader.run(answer) { lines in
            var types: [JSONValue] = []
            var versions: Set<JSONValue> = []
            while let line = await lines.next() {
                types.append(line["type"])
                versions.insert(line["object"]["metadata"]["resourceVersion"])
            }
            #expect(types == ["BOOKMARK", "BOOKMARK"])
            #expect(versions == [.string(String(await api.storage.revision()))])
        }
    }

    @Test("a stream that the store ends, ends")
    func ended() async throws {
        let api = try await ServerFixture()
        try await WatchReader.run(await api.send("GET", "\(Self.maps)?watch=true&resourceVersion=5")) { lines in
            await api.storage.endWatches()
            #expect(await lines.next() == nil)
        }
    }

    @Test("tables name their columns once")
    func tables() async throws {
        let api = try await ServerFixture()
        for name in ["a", "b"] { try await api.succeed("POST", Self.maps, ServerFixture.configMap(name)) }
        let answer = await api.send("GET", "\(Self.maps)?watch=true", accept: "application/json;as=Table;v=v1;g=meta.k8s.io")
        try await WatchReader.run(answer) { lines in
            #expect(await lines.next()?["object"]["columnDefinitions"].elements.isEmpty == false)
            #expect(await lines.next()?["object"]["columnDefinitions"].elements.isEmpty == true)
        }
    }
    @Test("a row's age is that of the moment it is sent")
    func ages() async throws {
        let api = try await ServerFixture()
        let answer = await api.send("GET", "\(Self.maps)?watch=true", accept: "application/json;as=Table;v=v1;g=meta.k8s.io")
        try await WatchReader.run(answer) { lines in
            api.clock.advance(.seconds(60))
            try await api.succeed("POST", Self.maps, ServerFixture.configMap("late"))
            #expect(await lines.next()?["object"]["rows"].elements.first?["cells"].elements.last == "0s")
        }
    }

    @Test("a watch that is cancelled while something is put in stops nobody", .timeLimit(.minutes(1)))
    func cancellation() async {
        for _ in 0..<5000 {
            let inbox = WatchInbox()
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    await withTaskCancellationHandler {
                        while await inbox.next() != nil {}
                    } onCancel: {
                        inbox.close()
                    }
                }
                await inbox.put(.bookmark)
                group.cancelAll()
                await inbox.put(.bookmark)
            }
        }
    }
}

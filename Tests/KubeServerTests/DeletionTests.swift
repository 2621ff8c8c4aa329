import KubeMachinery
import KubeServer
import Primitives
import Testing

@Suite("Deletion")
struct DeletionTests {
    private static let pods = "/api/v1/namespaces/default/pods"

    @Test("a pod on a node gets its grace, and goes when the node says so")
    func grace() async throws {
        let api = try await ServerFixture()
        try await api.succeed("POST", Self.pods, ServerFixture.pod("p", node: "edge"))
        let first = try await api.succeed("DELETE", "\(Self.pods)/p")
        #expect(first.at("metadata", "deletionGracePeriodSeconds") == 30)
        #expect(first.at("metadata", "deletionTimestamp") == "2023-11-14T22:13:50Z")
        let shorter = try await api.succeed("DELETE", "\(Self.pods)/p", ["gracePeriodSeconds": 5])
        #expect(shorter.at("metadata", "deletionTimestamp") == "2023-11-14T22:13:25Z")
        let longer = try await api.succeed("DELETE", "\(Self.pods)/p", ["gracePeriodSeconds": 60])
        #expect(longer.at("metadata", "deletionGracePeriodSeconds") == 5)
        try await api.succeed("DELETE", "\(Self.pods)/p?gracePeriodSeconds=0")
        #expect(await api.fail("GET", "\(Self.pods)/p")?.isNotFound == true)
    }

    @Test("a pod that no node has, or that is over, goes at once", arguments: [nil, "Succeeded", "Failed"])
    func noGrace(phase: String?) async throws {
        let api = try await ServerFixture()
        try await api.succeed("POST", Self.pods, ServerFixture.pod("p", node: phase == nil ? nil : "edge"))
        if let phase {
            try await api.succeed(
                "PATCH", "\(Self.pods)/p/status", ["status": ["phase": .string(phase)]], type: "application/merge-patch+json")
        }
        try await api.succeed("DELETE", "\(Self.pods)/p")
        #expect(await api.fail("GET", "\(Self.pods)/p")?.isNotFound == true)
    }

    @Test("finalizers hold an object until the last is gone")
    func finalizers() async throws {
        let api = try await ServerFixture()
        let maps = "/api/v1/namespaces/default/configmaps"
        var map = ServerFixture.configMap("m")
        map["metadata"]["finalizers"] = ["example.com/hold"]
        try await api.succeed("POST", maps, map)
        let held = try await api.succeed("DELETE", "\(maps)/m")
        #expect(held.at("metadata", "deletionTimestamp").string != nil)
        try await api.succeed("PATCH", "\(maps)/m", ["metadata": ["finalizers": nil]], type: "application/merge-patch+json")
        #expect(await api.fail("GET", "\(maps)/m")?.isNotFound == true)
    }

    @Test(
        "propagation leaves its finalizer for the garbage collector",
        arguments: [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")])
    func propagation(policy: String, finalizer: String) async throws {
        let api = try await ServerFixture()
        let maps = "/api/v1/namespaces/default/configmaps"
        try await api.succeed("POST", maps, ServerFixture.configMap("m"))
        let held = try await api.succeed("DELETE", "\(maps)/m", ["propagationPolicy": .string(policy)])
        #expect(held.at("metadata", "finalizers") == [.string(finalizer)])
    }

    @Test("preconditions that do not hold are a conflict", arguments: ["uid", "resourceVersion"])
    func preconditions(field: String) async throws {
        let api = try await ServerFixture()
        try await api.succeed("POST", Self.pods, ServerFixture.pod("p"))
        let failure = await api.fail("DELETE", "\(Self.pods)/p", ["preconditions": [field: JSONValue.string("other")].json])
        #expect(failure?.isConflict == true)
    }

    @Test("a namespace ends once its content is finalized, and takes nothing new meanwhile")
    func namespaces() async throws {
        let api = try await ServerFixture()
        let ending = try await api.succeed("DELETE", "/api/v1/namespaces/other")
        #expect(ending["status"]["phase"] == "Terminating")
        #expect(await api.fail("DELETE", "/api/v1/namespaces/other")?.isConflict == true)
        let refused = await api.fail("POST", "/api/v1/namespaces/other/configmaps", ServerFixture.configMap("m"))
        #expect(
            refused?.message == "configmaps \"m\" is forbidden: unable to create new content in namespace other because it is being terminated")
        var last = ending
        last["spec"]["finalizers"] = []
        try await api.succeed("PUT", "/api/v1/namespaces/other/finalize", last)
        #expect(await api.fail("GET", "/api/v1/namespaces/other")?.isNotFound == true)
    }
}

extension Dictionary where Key == String, Value == JSONValue {
    fileprivate var json: JSONValue { .object(JSONObject(uniqueKeysWithValues: map { ($0.key, $0.value) })) }
}

import KubeMachinery
import KubeServer
import Primitives
import Testing

@Suite("Verbs of the API")
struct ResourceVerbTests {
    private static let maps = "/api/v1/namespaces/default/configmaps"

    @Test("an object is created, read, replaced and deleted")
    func life() async throws {
        let api = try await ServerFixture()
        let created = try await api.succeed("POST", Self.maps, ServerFixture.configMap("a"))
        #expect(created["metadata"]["uid"].string?.count == 36)
        #expect(created["metadata"]["creationTimestamp"] == "2023-11-14T22:13:20Z")
        #expect(created["metadata"]["namespace"] == "default")
        var read = try await api.succeed("GET", "\(Self.maps)/a")
        #expect(read == created)
        read["data"]["a"] = "2"
        let updated = try await api.succeed("PUT", "\(Self.maps)/a", read)
        #expect(updated["data"]["a"] == "2")
        #expect(updated["metadata"]["resourceVersion"] != created["metadata"]["resourceVersion"])
        let conflict = try #require(await api.fail("PUT", "\(Self.maps)/a", read))
        #expect(conflict.code == 409)
        #expect(
            conflict.message == "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; "
                + "please apply your changes to the latest version and try again")
        let deleted = try await api.succeed("DELETE", "\(Self.maps)/a")
        #expect(deleted["status"] == "Success")
        #expect(await api.fail("GET", "\(Self.maps)/a")?.message == "configmaps \"a\" not found")
    }

    @Test("an update without a change writes nothing")
    func unchanged() async throws {
        let api = try await ServerFixture()
        let created = try await api.succeed("POST", Self.maps, ServerFixture.configMap("a"))
        let revision = await api.storage.revision()
        #expect(try await api.succeed("PUT", "\(Self.maps)/a", created) == created)
        #expect(await api.storage.revision() == revision)
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        var method: String
        var target: String
        var body: JSONValue?
        var type = "application/json"
        var code: Int
        var message: String
        var testDescription: String { "\(method) \(target): \(message)" }
    }

    @Test(
        "refusals in the words of Kubernetes",
        arguments: [
            Refusal(method: "GET", target: "/api/v1/namespaces/default/pods/x", code: 404, message: "pods \"x\" not found"),
            Refusal(
                method: "GET", target: "/apis/apps/v1/namespaces/default/deployments/x", code: 404,
                message: "deployments.apps \"x\" not found"),
            Refusal(
                method: "GET", target: "/apis/apps/v1/namespaces/default/gadgets", code: 404,
                message: "the server could not find the requested resource"),
            Refusal(
                method: "POST", target: maps, body: ServerFixture.configMap("taken"), code: 409,
                message: "configmaps \"taken\" already exists"),
            Refusal(
                method: "POST", target: "/api/v1/namespaces/gone/configmaps", body: ServerFixture.configMap("a"), code: 404,
                message: "namespaces \"gone\" not found"),
            Refusal(
                method: "POST", target: maps, body: ["metadata": ["name": "a", "namespace": "other"]], code: 400,
                message: "the namespace of the provided object does not match the namespace sent on the request"),
            Refusal(
                method: "POST", target: maps, body: ["apiVersion": "v2", "kind": "ConfigMap", "metadata": ["name": "a"]], code: 400,
                message: "the API version in the data (v2) does not match the expected API version (v1)"),
            Refusal(
                method: "POST", target: maps, body: ["metadata": ["name": "a", "resourceVersion": "5"]], code: 400,
                message: "resourceVersion should not be set on objects to be created"),
            Refusal(
                method: "PUT", target: "\(maps)/taken", body: ServerFixture.configMap("b"), code: 400,
                message: "the name of the object (b) does not match the name on the URL (taken)"),
            Refusal(
                method: "POST", target: maps, body: ServerFixture.configMap("a"), type: "text/html", code: 415,
                message: "the body of the request was in an unknown format - accepted media types include: application/json"),
            Refusal(
                method: "DELETE", target: "/api/v1/namespaces/default", code: 403,
                message: "namespaces \"default\" is forbidden: this namespace may not be deleted"),
            Refusal(
                method: "PUT", target: "/api/v1/namespaces/default/pods", body: [:], code: 405,
                message: "the server does not allow this method on the requested resource"),
        ])
    func refusals(refusal: Refusal) async throws {
        let api = try await ServerFixture()
        try await api.succeed("POST", Self.maps, ServerFixture.configMap("taken"))
        let failure = try #require(await api.fail(refusal.method, refusal.target, refusal.body, type: refusal.type))
        #expect(failure.code == refusal.code)
        #expect(failure.message == refusal.message)
    }

    @Test("generateName makes names of its own")
    func generatedNames() async throws {
        let api = try await ServerFixture()
        let body: JSONValue = ["metadata": ["generateName": "run-"]]
        let one = try await api.succeed("POST", Self.maps, body)
        let other = try await api.succeed("POST", Self.maps, body)
        #expect(one["metadata"]["name"].string?.hasPrefix("run-") == true)
        #expect(one["metadata"]["name"].string?.count == 9)
        #expect(one["metadata"]["name"] != other["metadata"]["name"])
    }

    @Test("a dry run shows what would be and changes nothing", arguments: ["POST", "PUT", "PATCH", "DELETE"])
    func dryRun(method: String) async throws {
        let api = try await ServerFixture()
        if method != "POST" { try await api.succeed("POST", Self.maps, ServerFixture.configMap("a")) }
        let revision = await api.storage.revision()
        let target = (method == "POST" ? Self.maps : "\(Self.maps)/a") + "?dryRun=All"
        let shown = try await api.succeed(
            method, target, method == "DELETE" ? nil : ServerFixture.configMap("a", ["a": "9"]),
            type: method == "PATCH" ? "application/merge-patch+json" : "application/json")
        if method != "DELETE" { #expect(shown["data"]["a"] == "9") }
        #expect(await api.storage.revision() == revision)
    }

    @Test("lists come in pages that all carry the revision of the first")
    func pages() async throws {
        let api = try await ServerFixture()
        for index in 1...5 {
            try await api.succeed("POST", Self.maps, ServerFixture.configMap("m\(index)", labels: ["odd": .string(String(index % 2 == 1))]))
        }
        var names: [String] = []
        var target = "\(Self.maps)?limit=2"
        var versions: Set<String> = []
        for page in 1...3 {
            let list = try await api.succeed("GET", target)
            names += list["items"].elements.compactMap { $0.at("metadata", "name").string }
            versions.insert(list.at("metadata", "resourceVersion").string ?? "")
            #expect(list.at("metadata", "remainingItemCount").int == [3, 1, nil][page - 1])
            try await api.succeed("POST", Self.maps, ServerFixture.configMap("a\(page)"))
            target = "\(Self.maps)?limit=2&continue=\(list.at("metadata", "continue").string ?? "")"
        }
        #expect(names == ["m1", "m2", "m3", "m4", "m5"])
        #expect(versions.count == 1)
        let odd = try await api.succeed("GET", "\(Self.maps)?labelSelector=odd%3Dtrue&limit=2")
        #expect(odd["items"].elements.map { $0.at("metadata", "name") } == ["m1", "m3"])
        #expect(odd.at("metadata", "continue").string != nil)
    }

    @Test("a revision of the future is refused, one of the past is not")
    func revisions() async throws {
        let api = try await ServerFixture()
        #expect(await api.fail("GET", "\(Self.maps)?resourceVersion=1") == nil)
        #expect(await api.fail("GET", "\(Self.maps)?resourceVersion=0") == nil)
        #expect(await api.fail("GET", "\(Self.maps)?resourceVersion=999999")?.reason == "Timeout")
        #expect(await api.fail("GET", "\(Self.maps)?resourceVersion=1&resourceVersionMatch=Exact")?.code == 410)
        #expect(await api.fail("GET", "\(Self.maps)?continue=rubbish")?.code == 400)
    }

    @Test("patches of all kinds, and apply")
    func patches() async throws {
        let api = try await ServerFixture()
        try await api.succeed("POST", Self.maps, ServerFixture.configMap("a"))
        let merged = try await api.succeed(
            "PATCH", "\(Self.maps)/a", ["data": ["a": nil, "b": "2"]], type: "application/merge-patch+json")
        #expect(merged["data"] == ["b": "2"])
        let added = try await api.succeed(
            "PATCH", "\(Self.maps)/a", [["op": "add", "path": "/data/c", "value": "3"]], type: "application/json-patch+json")
        #expect(added["data"] == ["b": "2", "c": "3"])
        let applied = try await api.succeed(
            "PATCH", "\(Self.maps)/new?fieldManager=test", ServerFixture.configMap("new"), type: "application/apply-patch+yaml")
        #expect(applied["data"] == ["a": "1"])
        let again = try await api.succeed(
            "PATCH", "\(Self.maps)/new?fieldManager=test", ServerFixture.configMap("new", ["z": "1"]), type: "application/apply-patch+yaml")
        #expect(again["data"] == ["a": "1", "z": "1"])
        #expect(await api.fail("PATCH", "\(Self.maps)/a", [:], type: "application/json")?.code == 415)
        let stale = await api.fail(
            "PATCH", "\(Self.maps)/a", ["metadata": ["resourceVersion": "1"], "data": ["x": "y"]], type: "application/merge-patch+json")
        #expect(stale?.isConflict == true)
    }

    @Test("a patch meets other writers by trying again, a replacement does not")
    func contention() async throws {
        let api = try await ServerFixture()
        let created = try await api.succeed("POST", Self.maps, ServerFixture.configMap("a"))
        let resource = GroupResource(group: "", resource: "configmaps")
        await api.storage.failWithConflict(resource, times: 3)
        #expect(await api.fail("PATCH", "\(Self.maps)/a", ["data": ["x": "1"]], type: "application/merge-patch+json") == nil)
        var replacement = try await api.succeed("GET", "\(Self.maps)/a")
        replacement["data"]["y"] = "1"
        await api.storage.failWithConflict(resource, times: 1)
        #expect(await api.fail("PUT", "\(Self.maps)/a", replacement)?.isConflict == true)
        #expect(created["metadata"]["uid"] == replacement["metadata"]["uid"])
    }

    @Test("tables and metadata on request")
    func representations() async throws {
        let api = try await ServerFixture()
        try await api.succeed("POST", Self.maps, ServerFixture.configMap("a"))
        let table = try await api.succeed("GET", Self.maps, accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")
        #expect(table["kind"] == "Table")
        #expect(table["rows"][0]["cells"][0] == "a")
        #expect(table["rows"][0]["object"]["kind"] == "PartialObjectMetadata")
        let metadata = try await api.succeed(
            "GET", Self.maps, accept: "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io")
        #expect(metadata["kind"] == "PartialObjectMetadataList")
        #expect(metadata["items"][0]["data"].isNull)
        #expect(await api.send("GET", Self.maps, accept: "application/cbor").status == 406)
        #expect(try await api.succeed("GET", Self.maps, accept: "application/vnd.kubernetes.protobuf")["kind"] == "ConfigMapList")
    }

    @Test("a collection is deleted by selector")
    func collections() async throws {
        let api = try await ServerFixture()
        for name in ["a", "b", "c"] {
            try await api.succeed("POST", Self.maps, ServerFixture.configMap(name, labels: ["x": .string(name == "b" ? "1" : "2")]))
        }
        let deleted = try await api.succeed("DELETE", "\(Self.maps)?labelSelector=x%3D2")
        #expect(deleted["items"].elements.count == 2)
        let left = try await api.succeed("GET", Self.maps)
        #expect(left["items"].elements.map { $0.at("metadata", "name") } == ["b"])
    }
}

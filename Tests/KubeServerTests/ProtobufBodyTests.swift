import KubeMachinery
import KubeServer
import Primitives
import Testing

@Suite("Bodies in protobuf")
struct ProtobufBodyTests {
    /// A field with a length, as bytes.
    private static func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] { [number << 3 | 2, UInt8(bytes.count)] + bytes }
    private static func field(_ number: UInt8, _ text: String) -> [UInt8] { field(number, Array(text.utf8)) }

    private static func envelope(_ apiVersion: String, _ kind: String, _ raw: [UInt8]) -> [UInt8] {
        [0x6B, 0x38, 0x73, 0x00] + field(1, field(1, apiVersion) + field(2, kind)) + field(2, raw)
    }

    private static let binding = envelope(
        "rbac.authorization.k8s.io/v1", "ClusterRoleBinding",
        field(1, field(1, "jane") + field(3, "")) + field(2, field(1, "User") + field(2, "rbac.authorization.k8s.io") + field(3, "jane"))
            + field(3, field(1, "rbac.authorization.k8s.io") + field(2, "ClusterRole") + field(3, "view")))

    private func send(_ api: ServerFixture, _ body: [UInt8]) async -> APIResponse {
        await api.server.answer(
            APIRequest(
                method: "POST", path: "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", user: .administrator,
                contentType: "application/vnd.kubernetes.protobuf", accept: "application/vnd.kubernetes.protobuf,application/json", body: body))
    }

    @Test("a binding of roles is read like its JSON")
    func binding() async throws {
        let api = try await ServerFixture()
        let answer = await send(api, Self.binding)
        #expect(answer.status == 201)
        #expect(answer.json["metadata"]["name"] == "jane")
        #expect(answer.json["roleRef"] == ["apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"])
        #expect(answer.json["subjects"] == [["kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "jane"]])
    }

    @Test("bytes that are cut off anywhere are refused, not a crash")
    func cutOff() async throws {
        let api = try await ServerFixture()
        for count in 0..<Self.binding.count {
            #expect(await send(api, Array(Self.binding.prefix(count))).status >= 400)
        }
    }

    @Test("a kind without a table is 415")
    func unknownKind() async throws {
        let api = try await ServerFixture()
        #expect(await send(api, Self.envelope("v1", "Pod", [])).status == 415)
    }
}

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

    private func keeper(_ api: FakeKubeAPI) -> SyncRecordKeeper {
        SyncRecordKeeper(api: api, copies: { _, _ in nil }, writes: Turnstile(places: 1))
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
}

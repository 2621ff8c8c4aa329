import EdgeTesting
import KubeMachinery
import KubeResources
import Logging
import Primitives
import Testing

@testable import CloudCoreApp

/// A clock whose waits end at once.
private struct HastyClock: MomentSource {
    func now() -> Moment { SystemClock().now() }
    func wait(until deadline: Duration) async throws { try Task.checkCancellation() }
}

@Suite("What has to be in the cluster", .timeLimit(.minutes(1)))
struct ClusterPreparationTests {
    let api = FakeKubeAPI()
    let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    func prepare() async throws {
        try await ClusterPreparation(api: api, clock: HastyClock(), logger: quiet).run(onFailure: { _ in })
    }

    @Test("namespace and definitions are created once, and left alone where they are")
    func creation() async throws {
        try await prepare()
        #expect(await api.objects(Resources.namespaces).map(\.name) == ["kubeedge"])
        #expect(
            await api.objects(Resources.customResourceDefinitions).map(\.name) == [
                "clusterobjectsyncs.reliablesyncs.kubeedge.io", "objectsyncs.reliablesyncs.kubeedge.io",
            ])
        let revision = await api.revision
        try await prepare()
        #expect(await api.revision == revision)
    }

    @Test("an API that is away is waited for")
    func patience() async throws {
        await api.fail(.get, Resources.namespaces, times: 3, with: .serviceUnavailable("starting"))
        await api.fail(.list, Resources.objectSyncs, times: 2, with: .notFound(Resources.objectSyncs.groupResource, ""))
        try await prepare()
        #expect(await api.count(.get, Resources.namespaces) == 6)
    }

    @Test("who may create nothing goes on with what is there")
    func fewRights() async throws {
        let forbidden = KubeStatus(code: 403, reason: "Forbidden", message: "no")
        for verb in [FakeKubeAPI.Verb.get, .create] {
            await api.fail(verb, Resources.customResourceDefinitions, times: 2, with: forbidden)
            await api.fail(verb, Resources.namespaces, times: 1, with: forbidden)
        }
        try await prepare()
        #expect(await api.objects(Resources.customResourceDefinitions).isEmpty)
    }
}

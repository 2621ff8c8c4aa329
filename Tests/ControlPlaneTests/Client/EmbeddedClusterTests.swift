import FoundationEssentials
import KubeClient
import KubeMachinery
import KubeResources
import Primitives
import Testing

@testable import ControlPlane

/// The embedded API, its controllers and a client over real TLS; pods are run by a stand-in for a kubelet.
@Suite(.timeLimit(.minutes(2))) struct EmbeddedClusterTests {
    @Test func `a deployment becomes running pods and goes again`() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "control-plane-\(UniqueID.next())").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        var configuration = EmbeddedControlPlane.Configuration(dataDirectory: directory)
        configuration.port = 0
        let cluster = EmbeddedControlPlane(configuration, logger: quiet)
        let (accesses, ready) = AsyncStream<EmbeddedControlPlane.Access>.makeStream()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { ready.finish() }
                try await cluster.run { ready.yield($0) }
            }
            for await access in accesses {
                let client = try KubeClient(try ClusterAccess.kubeconfig(at: access.kubeconfigPath), logger: quiet)
                let outcome: Result<Void, any Error>
                do { outcome = .success(try await exercise(client)) } catch { outcome = .failure(error) }
                await client.shutdown()
                group.cancelAll()
                try outcome.get()
                return
            }
            try await group.waitForAll()
            Issue.record("the control plane ended before it was ready")
        }
    }

    private func exercise(_ client: KubeClient) async throws {
        var node = Make.node("edge")
        node.metadata.removeMember("uid")
        let status = node.status
        node = try await client.create(Resources.nodes, node)
        node.status = status
        _ = try await client.update(Resources.nodes, node, subresource: "status")
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try? await StandInKubelet(api: client).run() }
            var deployment = Make.workload("Deployment", replicas: 2)
            deployment.metadata.removeMember("uid")
            deployment.metadata.removeMember("generation")
            _ = try await client.create(Resources.deployments, deployment)
            try await pods(client) { $0.count { $0.phase == "Running" && $0.nodeName == "edge" } == 2 }
            try await client.delete(Resources.deployments, deployment.key)
            try await pods(client) { $0.isEmpty }
            group.cancelAll()
        }
    }

    /// Waits until the pods of the default namespace meet the condition.
    private func pods(_ client: KubeClient, until condition: ([KubeObject]) -> Bool) async throws {
        let query = ListQuery(namespace: "default")
        while true {
            let list = try await client.list(Resources.pods, query)
            if condition(list.items) { return }
            // Every change is a reason to look again.
            for try await event in try await client.watch(Resources.pods, query, resourceVersion: list.resourceVersion) {
                if case .bookmark = event { continue }
                break
            }
        }
    }
}

/// Runs bound pods through their status, and lets deleted ones go.
private struct StandInKubelet {
    let api: any KubeAPI

    func run() async throws {
        let list = try await api.list(Resources.pods, ListQuery())
        for try await event in try await api.watch(Resources.pods, ListQuery(), resourceVersion: list.resourceVersion) {
            guard case .modified(let pod) = event, !pod.nodeName.isEmpty else { continue }
            if pod.isTerminating {
                _ = try? await api.delete(Resources.pods, pod.key, options: ["gracePeriodSeconds": 0])
            } else if pod.phase != "Running" {
                var running = Make.ready(pod)
                running.resourceVersion = ""
                _ = try? await api.update(Resources.pods, running, subresource: "status")
            }
        }
    }
}

import KubeMachinery
import KubeResources
import Logging
import Primitives

/// What has to be in the cluster before nodes are served: namespace `kubeedge` and the definitions of the sync records.
struct ClusterPreparation: Sendable {
    let api: any KubeAPI
    let clock: any MomentSource
    let logger: Logger

    static let namespace = "kubeedge"

    /// Repeats until the cluster is prepared or the task is cancelled; what fails is logged with its cause.
    func run(onFailure note: @Sendable (String) -> Void) async throws {
        var backoff = Backoff(initial: .milliseconds(250), limit: .seconds(10), jitter: 0.2)
        while true {
            do {
                try await prepare()
                return
            } catch let status as KubeStatus {
                logger.warning("cluster is not ready for edge nodes, trying again", metadata: ["error": "\(status)"])
                note("\(status)")
            }
            try await clock.wait(until: clock.now().uptime + backoff.next())
        }
    }

    private func prepare() async throws {
        try await ensure(Resources.namespaces, KubeObject(apiVersion: "v1", kind: "Namespace", name: Self.namespace))
        for definition in KubeEdgeResources.customResourceDefinitions {
            try await ensure(Resources.customResourceDefinitions, definition)
        }
        for resource in [Resources.objectSyncs, Resources.clusterObjectSyncs] {
            _ = try await api.list(resource, ListQuery(limit: 1))
        }
    }

    /// Creates what is missing. Who may not even look at such objects leaves that to whoever installed the cluster.
    private func ensure(_ resource: GroupVersionResource, _ object: KubeObject) async throws {
        do {
            _ = try await api.get(resource, object.key)
            return
        } catch let status as KubeStatus where status.isNotFound || status.code == 403 {}
        do {
            _ = try await api.create(resource, object)
            logger.info("created what was missing", metadata: ["resource": "\(resource)", "name": "\(object.name)"])
        } catch let status as KubeStatus where status.isAlreadyExists {
        } catch let status as KubeStatus where status.code == 403 {
            logger.warning(
                "not allowed to create what may be missing; install the manifests of KubeEdge if nodes cannot connect",
                metadata: ["resource": "\(resource)", "name": "\(object.name)"])
        }
    }
}

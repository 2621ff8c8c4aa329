import KubeMachinery
import KubeResources
import Logging
import Primitives

/// Writes into a node's status where the API server finds its kubelet: at the tunnel (`spec/01 §9.1`).
struct KubeletPortAnnouncement: Sendable {
    let api: any KubeAPI
    let port: Int
    let clock: any MomentSource
    let logger: Logger

    /// Tries until the status says so, for two minutes: a node may open its tunnel before it is registered.
    func run(_ node: String) async {
        let deadline = clock.now().uptime + .seconds(120)
        var backoff = Backoff(initial: .milliseconds(500), limit: .seconds(20), jitter: 0.1)
        while !Task.isCancelled {
            do {
                let patch: JSONValue = ["status": ["daemonEndpoints": ["kubeletEndpoint": ["Port": .integer(Int64(port))]]]]
                _ = try await api.patch(Resources.nodes, ObjectKey(name: node), patch, .merge, subresource: "status")
                return
            } catch {
                let now = clock.now().uptime
                guard now < deadline else {
                    logger.warning(
                        "the node's status does not name the tunnel: kubectl logs and exec will not find the node",
                        metadata: ["node": "\(node)", "port": "\(port)", "error": "\(error)"])
                    return
                }
                do { try await clock.wait(until: now + backoff.next()) } catch { return }
            }
        }
    }
}

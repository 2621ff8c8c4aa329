import KubeMachinery
import KubeResources
import Primitives

/// Leases of nodes that leave them to the cloud: a keepalive is sign enough that the node lives.
extension EdgeController {
    /// Renews the lease of a node; what fails is tried again with the next keepalive, while the lease lasts.
    package func alive(_ node: String) async {
        do {
            if let known = leases[node] {
                do {
                    leases[node] = try await api.update(Resources.leases, renewed(known, node))
                    return
                } catch let status as KubeStatus where status.isConflict || status.isNotFound { leases[node] = nil }
            }
            leases[node] = try await renewUnknown(node)
        } catch {
            leases[node] = nil
            logger.warning("lease of a node not renewed", metadata: ["node": "\(node)", "error": "\(error)"])
        }
    }

    /// The node makes its lease itself, once it is registered: so a missing one is none of the cloud's.
    private func renewUnknown(_ node: String) async throws -> KubeObject? {
        let key = ObjectKey(namespace: "kube-node-lease", name: node)
        do {
            return try await api.update(Resources.leases, renewed(try await api.get(Resources.leases, key), node))
        } catch let status as KubeStatus where status.isNotFound || status.isConflict {
            return nil
        }
    }

    private func renewed(_ lease: KubeObject, _ node: String) -> KubeObject {
        var lease = lease.named(Kinds.lease)
        lease.spec["holderIdentity"] = .string(node)
        lease.spec["renewTime"] = .string(clock.now().wall.rfc3339Micro)
        return lease
    }
}

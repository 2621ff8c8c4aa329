import KubeMachinery
import KubeResources
import Primitives

/// A lease that this cloud renews, as little of it as a write needs.
struct RenewedLease {
    var version: String
    var owners: JSONValue
    var duration: JSONValue
    var renewed: Timestamp?

    /// nil for a lease with more to it than a node gives: that is read again before each write.
    init?(_ lease: KubeObject) {
        guard lease.labels.isEmpty, lease.annotations.isEmpty, lease.metadata["finalizers"].elements.isEmpty else { return nil }
        version = lease.resourceVersion
        owners = lease.metadata["ownerReferences"]
        duration = lease.spec["leaseDurationSeconds"]
        renewed = lease.spec["renewTime"].string.flatMap(Timestamp.init(rfc3339:))
    }

    func object(_ node: String) -> KubeObject {
        var lease = KubeObject(apiVersion: "coordination.k8s.io/v1", kind: "Lease", namespace: "kube-node-lease", name: node)
        lease.resourceVersion = version
        if !owners.isNull { lease.metadata["ownerReferences"] = owners }
        lease.spec = ["leaseDurationSeconds": duration]
        if let renewed { lease.spec["renewTime"] = .string(renewed.rfc3339Micro) }
        return lease
    }
}

/// Leases of nodes that leave them to the cloud: a keepalive is sign enough that the node lives.
extension EdgeController {
    /// Renews the lease of a node; what fails is tried again with the next keepalive, while the lease lasts.
    package func alive(_ node: String) async {
        do {
            if let known = leases[node] {
                do {
                    leases[node] = RenewedLease(try await api.update(Resources.leases, renewed(known.object(node), node)))
                    return
                } catch let status as KubeStatus where status.isConflict || status.isNotFound { leases[node] = nil }
            }
            // The node makes its lease itself, once it is registered: so a missing one is none of the cloud's.
            let lease = try await api.get(Resources.leases, ObjectKey(namespace: "kube-node-lease", name: node))
            leases[node] = RenewedLease(try await api.update(Resources.leases, renewed(lease, node)))
        } catch let status as KubeStatus where status.isNotFound || status.isConflict {
        } catch {
            leases[node] = nil
            logger.warning("lease of a node not renewed", metadata: ["node": "\(node)", "error": "\(error)"])
        }
        if !isConnected(node) { leases[node] = nil }
    }

    private func renewed(_ lease: KubeObject, _ node: String) -> KubeObject {
        var lease = lease.named(Kinds.lease)
        lease.spec["holderIdentity"] = .string(node)
        lease.spec["renewTime"] = LeaseRenewal.time(after: lease.spec["renewTime"], now: clock.now().wall)
        return lease
    }
}

package import KubeMachinery
package import Primitives

/// What the kubelet needs of the cluster, answered from the local store where the cloud is away: MetaManager implements it.
///
/// Reads throw `KubeStatus`: `NotFound` where the object is known not to exist, any other where nobody can tell now.
package protocol KubeletBackend: Sendable {
    /// The pods of this node: the whole set first (as `.set`, or `.known` where it may lack some), then every change. The set is only ever replaced by
    /// knowledge, never by a failed or empty read.
    func pods() async -> AsyncStream<PodChange>

    func configMap(_ key: ObjectKey) async throws -> KubeObject
    func secret(_ key: ObjectKey) async throws -> KubeObject
    /// Services of a namespace, for variables of its pods; those last heard of while the cloud is away, none where it never told any.
    func services(namespace: String) async -> [KubeObject]
    /// A `RuntimeClass` of the cluster.
    func runtimeClass(_ name: String) async throws -> KubeObject
    func persistentVolume(_ name: String) async throws -> KubeObject
    func persistentVolumeClaim(_ key: ObjectKey) async throws -> KubeObject
    /// Answers a `TokenRequest` for a service account; a stored token that is still good serves while the cloud is away.
    func serviceAccountToken(namespace: String, serviceAccount: String, request: JSONValue) async throws -> KubeObject

    /// Names of configMaps and secrets as they change.
    func configurationChanges() async -> AsyncStream<ConfigurationChange>

    func node() async throws -> KubeObject
    func createNode(_ node: KubeObject) async throws -> KubeObject
    /// A strategic merge patch of the node's status; returns the node after it.
    func patchNodeStatus(_ patch: JSONValue) async throws -> KubeObject
    func lease() async throws -> KubeObject
    func createLease(_ lease: KubeObject) async throws -> KubeObject
    func updateLease(_ lease: KubeObject) async throws -> KubeObject
    /// Whether the lease is renewed by the cloud that is connected now, as long as the line stands.
    func renewsLease() async -> Bool

    /// A strategic merge patch of a pod's status (with `metadata.uid`). Stored first; sent when the cloud is there; the newest wins.
    func patchPodStatus(_ key: ObjectKey, uid: String, _ patch: JSONValue) async throws
    func createPod(_ pod: KubeObject) async throws -> KubeObject
    /// The last step of a graceful deletion: grace 0, with the UID as precondition.
    func deletePod(_ key: ObjectKey, uid: String) async throws

    /// Whether the cloud is there now, then every change.
    func connectivity() async -> AsyncStream<Bool>
}

/// One change to the pods of a node.
package enum PodChange: Sendable {
    /// All pods of the node; what is missing here has been deleted.
    case set([KubeObject])
    /// The pods that are known while there may be others: the store is new, and the cloud may not have told all of them.
    case known([KubeObject])
    case upsert(KubeObject)
    /// The pod is gone from the cluster.
    case remove(ObjectKey, uid: String)
}

/// A configMap or secret whose content is another one now, or gone.
package enum ConfigurationChange: Sendable, Hashable {
    case configMap(ObjectKey)
    case secret(ObjectKey)
}

extension KubeletBackend {
    package func renewsLease() async -> Bool { false }
}

package import KubeMachinery
package import PodCore
package import Primitives

/// A cluster as the kubelet sees it, in memory: a node, a lease, pods with their status, configMaps, secrets and tokens.
package actor FakeKubeletBackend: KubeletBackend {
    private var podObjects: [String: KubeObject] = [:]
    private var configMaps: [ObjectKey: KubeObject] = [:]
    private var secrets: [ObjectKey: KubeObject] = [:]
    /// Persistent volumes, which have no namespace, and claims.
    private var persistent: [ObjectKey: KubeObject] = [:]
    private var nodeObject: KubeObject?
    private var leaseObject: KubeObject?
    private var namedServices: [KubeObject] = []
    private var isLeaseRenewed = false
    private var podStreams: [AsyncStream<PodChange>.Continuation] = []
    private var configurationStreams: [AsyncStream<ConfigurationChange>.Continuation] = []
    private var runtimeHandlers: [String: String] = [:]
    private var failures: [String: KubeStatus] = [:]
    private var waiters: [CheckedContinuation<Void, Never>] = []
    private var isListKnown = false
    private var sequence = 0

    /// Every patch of a pod's status, by pod name.
    package private(set) var patches: [(pod: String, patch: JSONValue)] = []
    package private(set) var nodePatches: [JSONValue] = []
    package private(set) var deletedPods: [String] = []
    package private(set) var leaseUpdates = 0
    /// In the order they came.
    package private(set) var calls: [String] = []

    private let clock: any MomentSource

    package init(clock: any MomentSource = SystemClock()) { self.clock = clock }

    // MARK: - What a test tells it

    /// The pods are known now: the first `.set` goes out.
    package func start(_ pods: [KubeObject] = []) {
        for pod in pods { podObjects[pod.uid] = pod }
        isListKnown = true
        for stream in podStreams { stream.yield(podSet) }
    }

    /// Whether pods that were not told are nobody's.
    private var knowsAllPods = true
    private var podSet: PodChange { knowsAllPods ? .set(Array(podObjects.values)) : .known(Array(podObjects.values)) }

    /// From now on there may be pods that were not told; or there are none any more, which is told.
    package func setKnowsAllPods(_ isTrue: Bool) {
        knowsAllPods = isTrue
        if isListKnown { for stream in podStreams { stream.yield(podSet) } }
    }

    package func put(_ pod: KubeObject) {
        podObjects[pod.uid] = pod
        for stream in podStreams { stream.yield(.upsert(pod)) }
    }

    package func remove(_ uid: String) {
        guard let pod = podObjects.removeValue(forKey: uid) else { return }
        for stream in podStreams { stream.yield(.remove(pod.key, uid: uid)) }
    }

    /// Marks the pod as deleted, as the API does.
    package func delete(_ uid: String, grace: Int64) {
        guard var pod = podObjects[uid] else { return }
        pod.metadata["deletionTimestamp"] = .string((clock.now().wall + .seconds(grace)).rfc3339)
        pod.metadata["deletionGracePeriodSeconds"] = .integer(grace)
        put(pod)
    }

    package func put(configMap: KubeObject) {
        configMaps[configMap.key] = configMap
        for stream in configurationStreams { stream.yield(.configMap(configMap.key)) }
    }

    package func put(secret: KubeObject) {
        secrets[secret.key] = secret
        for stream in configurationStreams { stream.yield(.secret(secret.key)) }
    }

    /// A persistent volume or a claim.
    package func put(persistent object: KubeObject) { persistent[object.key] = object }

    /// A RuntimeClass of that name is there; nil: not any more.
    package func setRuntimeClass(_ name: String, handler: String?) { runtimeHandlers[name] = handler }

    /// The object is gone from the cluster.
    package func remove(configMap key: ObjectKey) {
        configMaps[key] = nil
        for stream in configurationStreams { stream.yield(.configMap(key)) }
    }

    package func remove(secret key: ObjectKey) {
        secrets[key] = nil
        for stream in configurationStreams { stream.yield(.secret(key)) }
    }

    /// Calls of that name fail with the status; nil: they succeed.
    package func fail(_ call: String, _ status: KubeStatus?) { failures[call] = status }
    package func deleteNode() {
        nodeObject = nil
        leaseObject = nil
    }
    package func setNode(_ node: KubeObject) { nodeObject = node }
    /// Whether the cloud says that it renews the lease; `renewLease` is then its doing.
    package func setRenewsLease(_ renews: Bool) { isLeaseRenewed = renews }
    package func renewLease(_ time: String) { leaseObject?.spec["renewTime"] = .string(time) }
    package func renewsLease() async -> Bool { isLeaseRenewed }
    package func setServices(_ services: [KubeObject]) { namedServices = services }

    // MARK: - What a test asks it

    package func pod(_ uid: String) -> KubeObject? { podObjects[uid] }
    package var allPods: [KubeObject] { podObjects.values.sorted { $0.uid < $1.uid } }
    package var currentNode: KubeObject? { nodeObject }
    package var currentLease: KubeObject? { leaseObject }
    /// Returns at the next change.
    package func nextChange() async { await withCheckedContinuation { waiters.append($0) } }

    private func record(_ call: String) throws {
        calls.append(call)
        for waiter in waiters { waiter.resume() }
        waiters = []
        if let failure = failures[call] { throw failure }
    }

    // MARK: - KubeletBackend

    package func pods() async -> AsyncStream<PodChange> {
        let (stream, continuation) = AsyncStream.makeStream(of: PodChange.self)
        if isListKnown { continuation.yield(podSet) }
        podStreams.append(continuation)
        return stream
    }

    package func configurationChanges() async -> AsyncStream<ConfigurationChange> {
        let (stream, continuation) = AsyncStream.makeStream(of: ConfigurationChange.self)
        configurationStreams.append(continuation)
        return stream
    }

    package func configMap(_ key: ObjectKey) async throws -> KubeObject {
        try record("configMap")
        guard let object = configMaps[key] else { throw KubeStatus.notFound(GroupResource(group: "", resource: "configmaps"), key.name) }
        return object
    }

    package func secret(_ key: ObjectKey) async throws -> KubeObject {
        try record("secret")
        guard let object = secrets[key] else { throw KubeStatus.notFound(GroupResource(group: "", resource: "secrets"), key.name) }
        return object
    }

    package func services(namespace: String) async -> [KubeObject] { namedServices.filter { $0.namespace == namespace } }

    package func runtimeClass(_ name: String) async throws -> KubeObject {
        try record("runtimeClass")
        guard let handler = runtimeHandlers[name] else {
            throw KubeStatus.notFound(GroupResource(group: "node.k8s.io", resource: "runtimeclasses"), name)
        }
        var object = KubeObject(apiVersion: "node.k8s.io/v1", kind: "RuntimeClass", namespace: nil, name: name)
        object.json["handler"] = .string(handler)
        return object
    }

    package func persistentVolume(_ name: String) async throws -> KubeObject {
        try record("persistentVolume")
        if let object = persistent[ObjectKey(name: name)] { return object }
        throw KubeStatus.notFound(GroupResource(group: "", resource: "persistentvolumes"), name)
    }

    package func persistentVolumeClaim(_ key: ObjectKey) async throws -> KubeObject {
        try record("persistentVolumeClaim")
        if let object = persistent[key] { return object }
        throw KubeStatus.notFound(GroupResource(group: "", resource: "persistentvolumeclaims"), key.name)
    }

    package func serviceAccountToken(namespace: String, serviceAccount: String, request: JSONValue) async throws -> KubeObject {
        try record("serviceAccountToken")
        sequence += 1
        var answer = KubeObject(request)
        answer.kind = "TokenRequest"
        answer.apiVersion = "authentication.k8s.io/v1"
        let now = clock.now().wall
        let seconds = request["spec"]["expirationSeconds"].int ?? 3600
        answer.json["status"] = [
            "token": .string("token-\(serviceAccount)-\(sequence)"), "expirationTimestamp": .string((now + .seconds(seconds)).rfc3339),
        ]
        return answer
    }

    package func node() async throws -> KubeObject {
        try record("node")
        guard let nodeObject else { throw KubeStatus.notFound(GroupResource(group: "", resource: "nodes"), "edge-1") }
        return nodeObject
    }

    package func createNode(_ node: KubeObject) async throws -> KubeObject {
        try record("createNode")
        if nodeObject != nil { throw KubeStatus.alreadyExists(GroupResource(group: "", resource: "nodes"), node.name) }
        var stored = node
        sequence += 1
        stored.uid = "node-uid-\(sequence)"
        nodeObject = stored
        return stored
    }

    package func patchNodeStatus(_ patch: JSONValue) async throws -> KubeObject {
        nodePatches.append(patch)
        try record("patchNodeStatus")
        guard var node = nodeObject else { throw KubeStatus.notFound(GroupResource(group: "", resource: "nodes"), "edge-1") }
        Self.merge(patch, into: &node.json)
        nodeObject = node
        return node
    }

    package func lease() async throws -> KubeObject {
        try record("lease")
        guard let leaseObject else { throw KubeStatus.notFound(GroupResource(group: "", resource: "leases"), "edge-1") }
        return leaseObject
    }

    package func createLease(_ lease: KubeObject) async throws -> KubeObject {
        try record("createLease")
        var stored = lease
        stored.uid = "lease-uid"
        leaseObject = stored
        return stored
    }

    package func updateLease(_ lease: KubeObject) async throws -> KubeObject {
        leaseUpdates += 1
        try record("updateLease")
        guard leaseObject != nil else { throw KubeStatus.notFound(GroupResource(group: "", resource: "leases"), "edge-1") }
        leaseObject = lease
        return lease
    }

    package func patchPodStatus(_ key: ObjectKey, uid: String, _ patch: JSONValue) async throws {
        patches.append((key.name, patch))
        guard var pod = podObjects[uid] else { throw KubeStatus.notFound(GroupResource(group: "", resource: "pods"), key.name) }
        Self.merge(["status": patch["status"]], into: &pod.json)
        podObjects[uid] = pod
        try record("patchPodStatus")
        for stream in podStreams { stream.yield(.upsert(pod)) }
    }

    /// Stores the pod under a UID of its own and tells of it, as the cluster does.
    package func createPod(_ pod: KubeObject) async throws -> KubeObject {
        try record("createPod")
        var stored = pod
        sequence += 1
        stored.uid = "api-uid-\(sequence)"
        stored.json["status"] = ["phase": "Pending"]
        put(stored)
        return stored
    }

    package func deletePod(_ key: ObjectKey, uid: String) async throws {
        deletedPods.append(key.name)
        try record("deletePod")
        remove(uid)
    }

    package func connectivity() async -> AsyncStream<Bool> {
        AsyncStream { continuation in continuation.yield(true) }
    }

    /// Enough of a strategic merge for statuses: conditions by type, addresses of a pod by `ip`, directives dropped.
    private static func merge(_ patch: JSONValue, into value: inout JSONValue) {
        for (key, change) in patch.members where !key.hasPrefix("$") {
            if change.isNull {
                value.removeMember(key)
            } else if change.object != nil {
                var inner = value[key]
                merge(change, into: &inner)
                value[key] = inner
            } else if let name = ["conditions": "type", "podIPs": "ip"][key], let elements = change.array {
                var merged = value[key].elements
                for element in elements {
                    if element["$patch"].string == "delete" {
                        merged.removeAll { $0[name] == element[name] }
                    } else if let index = merged.firstIndex(where: { $0[name] == element[name] }) {
                        merge(element, into: &merged[index])
                    } else {
                        merged.append(element)
                    }
                }
                value[key] = .array(merged)
            } else {
                value[key] = change.array.map { .array($0.filter { $0["$patch"].isNull }) } ?? change
            }
        }
    }
}

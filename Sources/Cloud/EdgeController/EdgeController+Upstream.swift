import DeliveryCore
package import EdgeMessages
import KubeMachinery
import KubeResources
import Primitives

/// The way up: requests of nodes become calls of the API, their results answers (`spec/01 §8.4`).
extension EdgeController {
    /// Answers a request of a node; nil for a message that nobody waits for an answer to.
    package func handle(_ message: EdgeMessage, from node: String) async -> EdgeMessage? {
        guard let read = ReadRequest(message) else {
            logger.debug("message without a handler", metadata: ["node": "\(node)", "resource": "\(message.route.resource)"])
            return nil
        }
        let result: RequestResult
        do {
            let request = try read.request.get()
            result = try await perform(request, node: node)
        } catch {
            let status = error as? KubeStatus ?? .internalError("\(error)")
            note(status, of: message, node: node)
            result = .failed(status)
        }
        // Nobody waits for the answer to an event unless it says so.
        if case .success(let request) = read.request, request.isReport, !message.wantsAnswer { return nil }
        var answer = read.form.answer(to: message, result)
        if case .success(.reportNode(let name, _)) = read.request { answer.route.resource = "default/node/\(name)" }
        return answer
    }

    private func note(_ status: KubeStatus, of message: EdgeMessage, node: String) {
        var lines = logger
        lines[metadataKey: "node"] = "\(node)"
        lines[metadataKey: "operation"] = "\(message.route.operation)"
        lines[metadataKey: "object"] = "\(message.route.resource)"
        lines[metadataKey: "error"] = "\(status)"
        if status.isForbidden, message.resource.path?.type == EdgeType.event, !status.isNamespaceTerminating {
            // One word for all of them: every event of every node is refused alike.
            let now = clock.now().uptime
            if let told = eventRefusalToldAt, now - told < .seconds(600) { return }
            eventRefusalToldAt = now
            lines.warning("events of nodes are refused: cloudcore's ClusterRole needs create and patch of events")
        } else if status.isForbidden, !status.isNamespaceTerminating {
            lines.warning("request of a node refused")
        } else if status.isRetryable {
            lines.warning("request of a node failed")
        } else {
            lines.debug("request of a node failed")
        }
    }

    private func perform(_ request: NodeRequest, node: String) async throws -> RequestResult {
        try await waitForSync()
        let authorization = NodeAuthorization(node: node, allowsAll: configuration.allowsAllNodeRequests)
        switch authorization.decide(request, in: downstream.contents) {
        case .allowed, .dependsOnResult: break
        case .denied(let status): throw status
        case .dependsOnPod(let key):
            if let settled = try await settle(request, pod: key, authorization) { return settled }
        }
        switch request {
        case .read(let kind, let key): return try await read(kind, key, authorization)
        case .readLease(let key): return try await readLease(key)
        case .readServices(let namespace): return try await readServices(namespace)
        case .token(let key, let content): return try await token(key, content)
        case .createNode(let object): return try await create(Resources.nodes, object, Kinds.node)
        case .updateNode(let name, let labels, let annotations): return try await updateNode(name, labels, annotations)
        case .patchNode(let name, let patch): return try await patchStatus(Resources.nodes, ObjectKey(name: name), patch, Kinds.node)
        case .createPod(let object): return try await create(Resources.pods, object, Kinds.pod)
        case .patchPod(let key, let patch): return try await patchStatus(Resources.pods, key, patch, Kinds.pod)
        case .deletePod(let key, let options): return try await deletePod(key, options)
        case .writeLease(let lease, let isNew):
            if isNew { return try await create(Resources.leases, lease, Kinds.lease) }
            return .object(try await api.update(Resources.leases, lease.named(Kinds.lease)).lean, Kinds.lease)
        case .createSigningRequest(let object):
            return try await create(Resources.certificateSigningRequests, object, ReadableKind.signingRequest.kind)
        case .createEvent(let event): return try await createEvent(event)
        case .patchEvent(let event, let patch): return try await patchEvent(event, patch)
        case .reportNode(let name, let report): return try await reportNode(name, report)
        case .reportPods(let namespace, let reports): return try await reportPods(namespace, reports, authorization)
        }
    }

    /// What is not in the first lists could be judged wrongly: requests wait for them, not for ever.
    private func waitForSync() async throws {
        if hasSynced { return }
        let deadline = clock.now().uptime + configuration.syncTimeout
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.synced() }
            group.addTask { [clock] in try? await clock.wait(until: deadline) }
            await group.next()
            group.cancelAll()
        }
        guard hasSynced else { throw KubeStatus.serviceUnavailable("the cloud has not read the cluster's state yet; the request will be repeated") }
    }

    /// Judges a request about a pod that the live copy does not place on the node; a result where that settles the request.
    private func settle(_ request: NodeRequest, pod key: ObjectKey, _ authorization: NodeAuthorization) async throws -> RequestResult? {
        let pod: KubeObject
        do { pod = try await api.get(Resources.pods, key) } catch let status as KubeStatus where status.isNotFound {
            if case .deletePod = request { return .done(resourceVersion: "") }
            throw status
        }
        guard case .denied(let status) = authorization.decide(pod: pod) else { return nil }
        // Another pod has taken the name meanwhile: the one that is meant is gone.
        switch request {
        case .deletePod(_, let options):
            if let uid = options["preconditions"]["uid"].string, uid != pod.uid { return .done(resourceVersion: "") }
        case .patchPod(_, let patch):
            if let uid = patch["metadata"]["uid"].string, uid != pod.uid { throw KubeStatus.notFound(Resources.pods.groupResource, key.name) }
        default: break
        }
        throw status
    }

    private func read(_ kind: ReadableKind, _ key: ObjectKey, _ authorization: NodeAuthorization) async throws -> RequestResult {
        if let object = await cached(kind.resource, key) { return .object(object, kind.kind) }
        let isCachedKind = informers[kind.resource] != nil
        let object: KubeObject
        do { object = try await api.get(kind.resource, key) } catch let status as KubeStatus where status.isNotFound && isCachedKind {
            throw KubeStatus.missing(kind.kind, key.name)
        }
        if case .denied(let status) = authorization.mayHave(object, kind, in: downstream.contents) { throw status }
        return .object(object.lean, kind.kind)
    }

    /// Of each service what variables are made of.
    private func readServices(_ namespace: String) async throws -> RequestResult {
        let list = try await api.list(Resources.services, ListQuery(namespace: namespace))
        let services: [JSONValue] = list.items.map { service in
            [
                "metadata": ["name": .string(service.name), "namespace": .string(namespace)],
                "spec": ["clusterIP": service.spec["clusterIP"], "ports": service.spec["ports"]],
            ]
        }
        let kind = GroupVersionKind("v1", "ServiceList")
        return .object(KubeObject(["metadata": ["resourceVersion": .string(list.resourceVersion)], "items": .array(services)]), kind)
    }

    private func readLease(_ key: ObjectKey) async throws -> RequestResult {
        do {
            return .object(try await api.get(Resources.leases, key).named(Kinds.lease), Kinds.lease)
        } catch let status as KubeStatus where status.isNotFound {
            throw KubeStatus.missing(Kinds.lease, key.name)
        }
    }

    private func token(_ key: ObjectKey, _ content: JSONValue) async throws -> RequestResult {
        let kind = GroupVersionKind("authentication.k8s.io/v1", "TokenRequest")
        var request = KubeObject(content).named(kind)
        request.name = key.name
        request.namespace = key.namespace
        let object = try await api.create(Resources.serviceAccounts, namespace: key.namespace, name: key.name, request, subresource: "token")
        return .object(object, kind)
    }

    private func create(_ resource: GroupVersionResource, _ object: KubeObject, _ kind: GroupVersionKind) async throws -> RequestResult {
        .object(try await api.create(resource, object.named(kind)).lean, kind)
    }

    private func updateNode(_ name: String, _ labels: JSONValue, _ annotations: JSONValue) async throws -> RequestResult {
        var patch: JSONValue = ["metadata": [:]]
        if labels.object != nil { patch["metadata"]["labels"] = labels }
        if annotations.object != nil { patch["metadata"]["annotations"] = annotations }
        let node = try await api.patch(Resources.nodes, ObjectKey(name: name), patch, .strategic)
        return .done(resourceVersion: node.resourceVersion)
    }

    private func patchStatus(_ resource: GroupVersionResource, _ key: ObjectKey, _ patch: JSONValue, _ kind: GroupVersionKind) async throws
        -> RequestResult
    {
        .object(try await api.patch(resource, key, patch, .strategic, subresource: "status").lean, kind)
    }

    private func deletePod(_ key: ObjectKey, _ options: JSONValue) async throws -> RequestResult {
        do {
            _ = try await api.delete(Resources.pods, key, options: options)
        } catch let status as KubeStatus where status.isNotFound || (status.isConflict && status.message.lowercased().contains("uid in precondition"))
        {
            // Gone, or another pod has its name: what was to be deleted is no more.
        }
        return .done(resourceVersion: "")
    }
}

/// The kinds that nodes write.
enum Kinds {
    static let node = ReadableKind.node.kind
    static let pod = GroupVersionKind("v1", "Pod")
    static let lease = GroupVersionKind("coordination.k8s.io/v1", "Lease")
}

extension KubeObject {
    /// The object without managed fields, which no edge reads.
    var lean: KubeObject {
        var object = self
        object.metadata.removeMember("managedFields")
        return object
    }
}

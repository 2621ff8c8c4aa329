internal import DeliveryCore
package import EdgeMessages
internal import KubeMachinery
internal import ObjectStore
internal import PodCore
internal import Primitives

extension MetaManager: CloudDownlink {
    /// Writes an object message of the cloud into the store. Throws `StoreError` where it could not be made durable.
    ///
    /// Harmless and ignored: an older version than the stored one of the same object, a predecessor of the stored one and its deletion, a
    /// deletion of what is not there, and messages for modules that this node does not run.
    package func apply(_ message: EdgeMessage) async throws {
        guard message.route.group == EdgeGroup.resource || message.route.group == EdgeGroup.function,
            case .object(let path) = message.resource, let name = path.name, let resource = EdgeRecords.resource(ofType: path.type)
        else {
            logger.debug("message of the cloud has no reader here", metadata: ["resource": "\(message.route.resource)"])
            return
        }
        let key = ObjectKey(namespace: path.namespace == EdgeObjectPath.clusterNamespace ? nil : path.namespace, name: name)
        switch message.route.operation {
        case EdgeOperation.insert, EdgeOperation.update:
            try await upsert(Self.embedded(message.content), ofType: path.type, in: resource, key)
        case EdgeOperation.delete:
            try await remove(uid: Self.embedded(message.content)["metadata"]["uid"].string ?? "", ofType: path.type, in: resource, key)
        default:
            logger.warning(
                "message of the cloud has an unknown operation",
                metadata: ["operation": "\(message.route.operation)", "resource": "\(message.route.resource)"])
        }
    }

    /// Content is an object, or text that holds one (`spec/01 §4.1`).
    private static func embedded(_ content: JSONValue) -> JSONValue {
        guard case .string(let text) = content, let parsed = try? JSONValue(parsing: text) else { return content }
        return parsed
    }

    private func upsert(_ content: JSONValue, ofType type: String, in resource: GroupResource, _ key: ObjectKey) async throws {
        guard content["metadata"].object != nil else {
            logger.error("object message of the cloud holds no object", metadata: ["object": "\(type)/\(key)"])
            return
        }
        var object = EdgeRecords.complete(KubeObject(content), ofType: type)
        object.name = key.name
        object.namespace = key.namespace
        try await keep(object, in: resource)
    }

    /// Stores an object unless a newer version of it is there already, and tells those who follow.
    func keep(_ object: KubeObject, in resource: GroupResource) async throws {
        let written = try await store.transact { store -> (now: KubeObject, before: KubeObject?)? in
            var object = object
            let stored = try store.object(resource, object.key)
            if let stored, Self.isOvertaken(object, by: stored) { return nil }
            if resource == EdgeRecords.pods, let pending = try store.object(EdgeRecords.pendingStatuses, object.key) {
                object = Self.applying(pending.json["patch"], to: object)
            }
            try store.apply([.put(resource, object)])
            return (object, stored)
        }
        if let written { announce(resource, written.now, before: written.before) }
    }

    /// Whether an object is older than the stored one of its name: another cloud, or an answer, was faster.
    private static func isOvertaken(_ object: KubeObject, by stored: KubeObject) -> Bool {
        if stored.uid == object.uid { return object.version < stored.version }
        guard object.version < stored.version, let made = object.creationTimestamp, let storedMade = stored.creationTimestamp else { return false }
        return made < storedMade
    }

    private func remove(uid: String, ofType type: String, in resource: GroupResource, _ key: ObjectKey) async throws {
        // The cloud's sync of these kinds knows them under a namespace they do not have, and would delete every copy (`spec/01` D-03).
        guard type != EdgeType.persistentVolume && type != EdgeType.volumeAttachment else { return }
        let removed = try await store.transact { store -> KubeObject? in
            guard let stored = try store.object(resource, key), uid.isEmpty || stored.uid.isEmpty || stored.uid == uid else { return nil }
            var writes: [StoreWrite] = [.remove(resource, key)]
            if resource == EdgeRecords.pods {
                writes += [.remove(EdgeRecords.pendingStatuses, key), .remove(EdgeRecords.pendingDeletions, key)]
                writes += try Self.tokens(ofPod: stored.uid, in: store).map { .remove(EdgeRecords.tokens, $0.key) }
            }
            try store.apply(writes)
            return stored
        }
        guard let removed else {
            logger.info("deletion of an object that is not here is ignored", metadata: ["object": "\(type)/\(key)"])
            return
        }
        switch resource {
        case EdgeRecords.pods: tellPods(.remove(key, uid: removed.uid))
        case EdgeRecords.configMaps: tellConfiguration(.configMap(key))
        case EdgeRecords.secrets: tellConfiguration(.secret(key))
        default: break
        }
    }

    private func announce(_ resource: GroupResource, _ object: KubeObject, before: KubeObject?) {
        switch resource {
        case EdgeRecords.pods:
            if object.spec["nodeName"].string == configuration.nodeName, Self.differs(object, before) { tellPods(.upsert(object)) }
        case EdgeRecords.configMaps where object.json["data"] != before?.json["data"] || object.json["binaryData"] != before?.json["binaryData"]:
            tellConfiguration(.configMap(object.key))
        case EdgeRecords.secrets where object.json["data"] != before?.json["data"]:
            tellConfiguration(.secret(object.key))
        default: break
        }
    }

    /// Whether a pod changed in what a kubelet acts on: all but its status, its version and who wrote it. Conditions of its readiness gates count.
    private static func differs(_ pod: KubeObject, _ before: KubeObject?) -> Bool {
        guard let before else { return true }
        return EdgeRelevance.content(of: pod, isPod: true) != EdgeRelevance.content(of: before, isPod: true)
    }

    private func tellPods(_ change: PodChange) {
        toldPodChanges += 1
        podFollowers.removeAll { follower in
            if case .enqueued = follower.yield(change) { return false }
            // The reader fell behind or is gone: its end tells it to read the whole set again.
            follower.finish()
            return true
        }
    }

    private func tellConfiguration(_ change: ConfigurationChange) {
        configurationFollowers.removeAll { follower in
            if case .enqueued = follower.yield(change) { return false }
            follower.finish()
            return true
        }
    }
}

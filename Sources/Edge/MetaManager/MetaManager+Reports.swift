internal import EdgeMessages
package import KubeMachinery
internal import ObjectStore
internal import PodCore
package import Primitives

/// What the kubelet reports: durable first, sent when the cloud is there, forgotten once the cloud has confirmed it.
extension MetaManager {
    package func patchPodStatus(_ key: ObjectKey, uid: String, _ patch: JSONValue) async throws {
        try await store.transact { store in
            guard let pod = try store.object(EdgeRecords.pods, key), pod.uid == uid else {
                throw KubeStatus.notFound(EdgeRecords.pods, key.name)
            }
            var waiting = patch
            if let pending = try store.object(EdgeRecords.pendingStatuses, key), pending.json["patch"]["metadata"]["uid"].string == uid {
                waiting = PendingStatus.fold(pending.json["patch"], patch)
            }
            try store.apply([
                .put(EdgeRecords.pendingStatuses, PendingStatus.record(key, waiting)), .put(EdgeRecords.pods, Self.applying(patch, to: pod)),
            ])
        }
        if await uplink.isConnected() { await sendStatus(key) }
    }

    package func deletePod(_ key: ObjectKey, uid: String) async throws {
        var record = KubeObject(apiVersion: "edge.kubeedge.io/v1", kind: "PendingPodDeletion", namespace: key.namespace, name: key.name)
        record.uid = uid
        try await store.apply([.put(EdgeRecords.pendingDeletions, record)])
        if await uplink.isConnected() { await sendDeletion(key, uid: uid) }
    }

    /// Sends everything that waits.
    func flush() async {
        do {
            for record in try await store.list(EdgeRecords.pendingStatuses, namespace: nil, limit: nil, after: nil).objects {
                await sendStatus(record.key)
            }
            for record in try await store.list(EdgeRecords.pendingDeletions, namespace: nil, limit: nil, after: nil).objects {
                await sendDeletion(record.key, uid: record.uid)
            }
        } catch {
            logger.error("reports that wait for the cloud cannot be read", metadata: ["error": "\(error)"])
            retrySignal.yield()
        }
    }

    /// Sends the pending status of a pod until none is left; at most one is on its way for a pod.
    private func sendStatus(_ key: ObjectKey) async {
        guard flushing.insert(key).inserted else { return }
        defer { flushing.remove(key) }
        while let sent = try? await store.object(EdgeRecords.pendingStatuses, key)?.json["patch"] {
            do {
                let answer = try await write(.patchPodStatus(key, sent))
                try await confirm(key, sent, answer)
            } catch let status as KubeStatus where !status.isRetryable && !status.isConflict {
                logger.info("cloud refused a pod status", metadata: ["pod": "\(key)", "error": "\(status)"])
                try? await store.apply([.remove(EdgeRecords.pendingStatuses, key)])
                return
            } catch {
                logger.info("pod status waits for the cloud", metadata: ["pod": "\(key)", "error": "\(error)"])
                retrySignal.yield()
                return
            }
        }
    }

    /// Forgets a status that the cloud has taken, unless a newer one has come meanwhile, and keeps the pod the cloud answered with.
    private func confirm(_ key: ObjectKey, _ sent: JSONValue, _ answer: KubeObject) async throws {
        try await store.transact { store in
            let waiting = try store.object(EdgeRecords.pendingStatuses, key)?.json["patch"]
            if waiting == sent { try store.apply([.remove(EdgeRecords.pendingStatuses, key)]) }
        }
        if let stored = try await store.object(EdgeRecords.pods, key), stored.uid == answer.uid {
            try await keep(EdgeRecords.complete(answer, ofType: EdgeType.pod), in: EdgeRecords.pods)
        }
    }

    private func sendDeletion(_ key: ObjectKey, uid: String) async {
        do {
            _ = try await ask(.deletePod(key, uid: uid), timeout: configuration.writeTimeout)
        } catch let status as KubeStatus where !status.isRetryable {
            // Gone already, or replaced by another pod of the same name.
            logger.debug("cloud has no such pod to delete", metadata: ["pod": "\(key)", "error": "\(status)"])
        } catch {
            logger.info("pod deletion waits for the cloud", metadata: ["pod": "\(key)", "error": "\(error)"])
            retrySignal.yield()
            return
        }
        try? await store.apply([.remove(EdgeRecords.pendingDeletions, key)])
    }

    /// The pod with a status patch in it, as the cloud will have it.
    static func applying(_ patch: JSONValue, to pod: KubeObject) -> KubeObject {
        guard patch["metadata"]["uid"].string == pod.uid else { return pod }
        var pod = pod
        var status = PendingStatus.fold(pod.status, patch["status"])
        for key in status.members.keys where key.hasPrefix("$") { status.removeMember(key) }
        for key in ["podIPs", "hostIPs"] {
            if let list = status[key].array { status[key] = .array(list.filter { $0.member("$patch") == nil }) }
        }
        for (key, value) in status.members where value.isNull { status.removeMember(key) }
        pod.status = status
        return pod
    }
}

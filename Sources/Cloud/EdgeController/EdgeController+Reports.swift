import EdgeMessages
import KubeMachinery
import KubeResources
import Primitives

/// Whole statuses as edges before v1.12 reported them (`spec/01 §5.5, §8.4`).
extension EdgeController {
    /// Writes a node's status: `{"UID","Status","ExtendResources"}`, or a whole Node, which is created where it is missing.
    func reportNode(_ name: String, _ report: JSONValue) async throws -> RequestResult {
        var status = report.member("Status") ?? report["status"]
        guard status.object != nil else { throw KubeStatus.badRequest("the report of node \"\(name)\" has no status") }
        let key = ObjectKey(name: name)
        let existing: KubeObject
        do { existing = try await api.get(Resources.nodes, key) } catch let failure as KubeStatus where failure.isNotFound {
            guard report["metadata"].object != nil else { throw failure }
            var node = KubeObject(report)
            node.name = name
            return .done(resourceVersion: try await api.create(Resources.nodes, node.named(Kinds.node)).resourceVersion)
        }
        // What the cloud decides stays: attached volumes, and the port that streams are reached at.
        status.removeMember("volumesAttached")
        if existing.status["daemonEndpoints"]["kubeletEndpoint"]["Port"].int ?? 0 != 0 { status.removeMember("daemonEndpoints") }
        let patched = try await api.patch(Resources.nodes, key, ["status": status], .merge, subresource: "status")
        return .done(resourceVersion: patched.resourceVersion)
    }

    /// Writes the statuses of pods; one that is gone or is another pod now is deleted at the edge.
    func reportPods(_ namespace: String, _ reports: [JSONValue], _ authorization: NodeAuthorization) async throws -> RequestResult {
        for report in reports {
            let uid = report["UID"].string ?? ""
            guard let name = report["Name"].string, !name.isEmpty, report["Status"].object != nil else {
                throw KubeStatus.badRequest("a pod status has no name or no status")
            }
            let key = ObjectKey(namespace: namespace, name: name)
            do {
                let pod = try await api.get(Resources.pods, key)
                guard uid.isEmpty || pod.uid == uid else { throw KubeStatus.notFound(Resources.pods.groupResource, name) }
                if case .denied(let status) = authorization.decide(pod: pod) { throw status }
                try await write(report["Status"], of: pod)
            } catch let status as KubeStatus where status.isNotFound {
                // The UID of the report, so that the edge removes this pod and no other (`spec/01` D-42).
                if !uid.isEmpty { await downlink.deliver(.removal(key, uid: uid, Kinds.pod), to: authorization.node) }
            }
        }
        return .done(resourceVersion: "")
    }

    private func write(_ status: JSONValue, of pod: KubeObject) async throws {
        _ = try await api.patch(Resources.pods, pod.key, ["status": status], .merge, subresource: "status")
        let isFinished =
            pod.deletionTimestamp != nil
            && status["containerStatuses"].elements.allSatisfy { $0["state"]["running"].isNull && $0["state"]["waiting"].isNull }
        if isFinished {
            let options: JSONValue = ["gracePeriodSeconds": 0, "preconditions": ["uid": .string(pod.uid)]]
            _ = try? await api.delete(Resources.pods, pod.key, options: options)
        }
    }
}

/// Events as edges from v1.19 on report them.
extension EdgeController {
    func createEvent(_ event: KubeObject) async throws -> RequestResult {
        do {
            return .done(resourceVersion: try await api.create(Resources.events, event).resourceVersion)
        } catch let status as KubeStatus where status.isAlreadyExists {
            // An answer was lost, and the node said it again.
            return .done(resourceVersion: "")
        }
    }

    /// Raises the count of an event; one that has expired meanwhile is created anew, with its count.
    func patchEvent(_ event: KubeObject, _ patch: JSONValue) async throws -> RequestResult {
        do {
            return .done(resourceVersion: try await api.patch(Resources.events, event.key, patch, .strategic).resourceVersion)
        } catch let status as KubeStatus where status.isNotFound {
            return try await createEvent(event)
        }
    }
}

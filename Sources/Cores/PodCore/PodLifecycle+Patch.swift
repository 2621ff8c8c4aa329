package import Primitives

extension PodLifecycle {
    /// The patch that brings the cluster's status to `status`; nil where nothing is left to say (`spec/05 §15.11`).
    ///
    /// It is worked out from the newest object given to `update`, so that the newest patch alone is enough: an older one
    /// that never reached the cloud may be dropped. The same patch is not returned twice for the same object.
    package mutating func statusPatch() -> JSONValue? {
        guard !status.isNull, let uid = reportUID else { return nil }
        let merged = mergedStatus()
        guard let patch = StatusPatch.pod(from: clusterStatus, to: merged) else {
            sentStatus = nil
            return nil
        }
        guard sentStatus != patch else { return nil }
        sentStatus = patch
        return ["metadata": ["uid": .string(uid)], "status": patch]
    }

    /// The last patch did not get through: the next call returns it again.
    package mutating func patchFailed() { sentStatus = nil }

    /// What the cluster is told: a terminal phase only once nothing can run any more (`spec/05 §15.8`).
    private func mergedStatus() -> JSONValue {
        var merged = status
        let stored = clusterStatus
        guard Self.isTerminal(merged["phase"].string ?? "") else { return merged }
        if couldHaveRunningContainers, !pod.isTerminal {
            for key in ["phase", "reason", "message"] { merged.setMember(key, stored.member(key)) }
            if let type = disruption?["type"] {
                merged["conditions"] = .array(merged["conditions"].elements.filter { $0["type"] != type })
            }
            return merged
        }
        guard merged["conditions"].array != nil else { return merged }
        let reason = merged["phase"] == "Succeeded" ? "PodCompleted" : "PodFailed"
        merged["conditions"] = .array(
            merged["conditions"].elements.map { condition in
                guard condition["type"] == "Ready" || condition["type"] == "ContainersReady", condition["status"] == "True" else { return condition }
                var condition = condition
                condition["status"] = "False"
                condition["reason"] = .string(reason)
                condition.removeMember("message")
                return condition
            })
        return merged
    }
}

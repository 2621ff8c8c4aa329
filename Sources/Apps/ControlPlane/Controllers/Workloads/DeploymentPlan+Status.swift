import KubeMachinery
import Primitives

extension DeploymentPlan {
    /// The status to write, and when to look again for the deadline.
    func status(at now: Timestamp) -> (status: JSONValue, lookAgain: Duration?) {
        let total = all.reduce(0) { $0 + $1.statusReplicas }
        let ready = all.reduce(0) { $0 + ($1.status["readyReplicas"].count ?? 0) }
        let available = all.reduce(0) { $0 + $1.available }
        let updated = current?.statusReplicas ?? 0
        let old = deployment.status
        var status: JSONValue = ["observedGeneration": .integer(deployment.generation)]
        let counts = [
            ("replicas", total), ("updatedReplicas", updated), ("readyReplicas", ready), ("availableReplicas", available),
            ("unavailableReplicas", max(0, max(wanted, total) - available)),
        ]
        for (member, value) in counts where value > 0 { status[member] = .integer(Int64(value)) }
        if let collisions = old.member("collisionCount") { status["collisionCount"] = collisions }
        var conditions = old["conditions"]
        let isAvailable = available >= wanted - bounds.unavailable
        conditions = setting(
            "Available", isAvailable ? "True" : "False", reason: isAvailable ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
            message: isAvailable ? "Deployment has minimum availability." : "Deployment does not have minimum availability.", in: conditions,
            at: now, updates: true)
        let hasMoved = counts.dropLast().contains { (old[$0.0].count ?? 0) < $0.1 } || (old["replicas"].count ?? 0) > total
        let progress = progressing(hasMoved: hasMoved, updated: updated, at: now)
        if let condition = progress.condition {
            conditions = setting(
                "Progressing", condition.status, reason: condition.reason, message: condition.message, in: conditions, at: now, updates: true)
            if hasMoved, condition.reason == "ReplicaSetUpdated" { conditions = touched(conditions, at: now) }
        }
        status["conditions"] = conditions
        return (status, progress.lookAgain)
    }

    private struct Progress {
        var status: String
        var reason: String
        var message: String
    }

    private func progressing(hasMoved: Bool, updated: Int, at now: Timestamp) -> (condition: Progress?, lookAgain: Duration?) {
        let deadline = deployment.spec["progressDeadlineSeconds"].count ?? 600
        let known = deployment.condition("Progressing")
        let reason = known["reason"].string ?? ""
        if isPaused {
            let paused = Progress(status: "Unknown", reason: "DeploymentPaused", message: "Deployment is paused")
            return (deadline == Int(Int32.max) || reason == "ProgressDeadlineExceeded" ? nil : paused, nil)
        }
        guard let current else { return (nil, nil) }
        let name = "ReplicaSet \"\(current.name)\""
        if isComplete {
            return (Progress(status: "True", reason: "NewReplicaSetAvailable", message: "\(name) has successfully progressed."), nil)
        }
        // A rollout that was through stays so while its pods come and go.
        if reason == "NewReplicaSetAvailable", all.reduce(0, { $0 + $1.statusReplicas }) == updated { return (nil, nil) }
        let updatedCondition = Progress(status: "True", reason: "ReplicaSetUpdated", message: "\(name) is progressing.")
        if hasMoved || reason.isEmpty || reason == "NewReplicaSetAvailable" || reason == "DeploymentPaused" {
            return (updatedCondition, .seconds(deadline))
        }
        guard let since = known["lastUpdateTime"].string.flatMap(Timestamp.init(rfc3339:)) else { return (updatedCondition, .seconds(deadline)) }
        if reason == "ProgressDeadlineExceeded" { return (nil, nil) }
        if since + .seconds(deadline) < now {
            return (Progress(status: "False", reason: "ProgressDeadlineExceeded", message: "\(name) has timed out progressing."), nil)
        }
        return (nil, since + .seconds(deadline) - now + .seconds(1))
    }

    /// The deadline starts anew with every step forward.
    private func touched(_ conditions: JSONValue, at now: Timestamp) -> JSONValue {
        .array(
            conditions.elements.map { condition in
                guard condition["type"].string == "Progressing" else { return condition }
                var touched = condition
                touched["lastUpdateTime"] = .string(now.rfc3339)
                return touched
            })
    }
}

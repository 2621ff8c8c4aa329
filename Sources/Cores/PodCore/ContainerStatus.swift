import Primitives

/// The status of one container as the API shows it (`spec/05 §15.1–15.4`).
enum ContainerStatus {
    static let missing = "ContainerStatusUnknown"

    static func waiting(_ reason: String? = nil, _ message: String? = nil) -> JSONValue {
        var waiting = JSONValue.object([:])
        if let reason { waiting["reason"] = .string(reason) }
        if let message, !message.isEmpty { waiting["message"] = .string(message) }
        return ["waiting": waiting]
    }

    static func lost(_ message: String) -> JSONValue {
        ["terminated": ["exitCode": 137, "reason": .string(missing), "message": .string(message), "startedAt": .null, "finishedAt": .null]]
    }

    /// The state object of what the runtime has.
    static func state(_ container: ContainerState, runtimeName: String) -> JSONValue {
        func time(_ timestamp: Timestamp?) -> JSONValue { timestamp.map { .string($0.rfc3339) } ?? .null }
        switch container.phase {
        case .running: return ["running": ["startedAt": time(container.startedAt ?? container.createdAt)]]
        case .created, .unknown: return waiting()
        case .exited:
            var terminated: JSONValue = ["exitCode": .integer(Int64(container.exitCode))]
            terminated["reason"] = .string(container.reason.isEmpty ? (container.exitCode == 0 ? "Completed" : "Error") : container.reason)
            if !container.message.isEmpty { terminated["message"] = .string(container.message) }
            terminated["startedAt"] = time(container.startedAt)
            terminated["finishedAt"] = time(container.finishedAt)
            terminated["containerID"] = .string("\(runtimeName)://\(container.id)")
            return ["terminated": terminated]
        }
    }

    static func make(
        name: String, image: String, imageID: String = "", containerID: String = "", state: JSONValue, lastState: JSONValue = [:], restarts: Int64
    ) -> JSONValue {
        var status: JSONValue = [
            "name": .string(name), "state": state, "lastState": lastState, "ready": false, "restartCount": .integer(restarts),
            "image": .string(image), "imageID": .string(imageID),
        ]
        if !containerID.isEmpty { status["containerID"] = .string(containerID) }
        status["started"] = false
        return status
    }

    /// What the termination messages of all containers of a pod may have together, in bytes (`spec/05 §15.13`).
    static let messageLimit = 12288

    /// Keeps the first `limit` bytes of what the container left behind.
    static func cutMessages(_ status: inout JSONValue, to limit: Int) {
        for member in ["state", "lastState"] {
            guard let message = status[member]["terminated"]["message"].string, message.utf8.count > limit else { continue }
            // A character that is cut in two goes.
            var end = message.utf8.index(message.utf8.startIndex, offsetBy: limit)
            while end.samePosition(in: message.unicodeScalars) == nil { end = message.utf8.index(before: end) }
            status[member]["terminated"]["message"] = .string(String(message[..<end]))
        }
    }

    static func isTerminated(_ status: JSONValue) -> Bool { !status["state"]["terminated"].isNull }
    static func isRunning(_ status: JSONValue) -> Bool { !status["state"]["running"].isNull }
    /// Whether the container has ever run.
    static func hasStarted(_ status: JSONValue) -> Bool {
        isRunning(status) || isTerminated(status) || !status["lastState"]["terminated"].isNull
    }
    static func exitCode(_ state: JSONValue) -> Int64? { state["terminated"].isNull ? nil : state["terminated"]["exitCode"].int ?? 0 }
}

/// Works out the phase of a pod from the statuses of its containers (`spec/05 §15.6`).
enum PodPhase {
    static func phase(_ pod: PodView, initial: [JSONValue], regular: [JSONValue], hasEnded: Bool) -> String {
        func find(_ name: String, _ list: [JSONValue]) -> JSONValue? { list.first { $0["name"].string == name } }
        var pendingInit = 0
        var failedInit = 0
        for container in pod.initContainers where !container.isRestartable {
            let status = find(container.name, initial) ?? .null
            if let code = ContainerStatus.exitCode(status["state"]) {
                if code != 0 { failedInit += 1 }
            } else if !ContainerStatus.isRunning(status), let code = ContainerStatus.exitCode(status["lastState"]) {
                if code != 0 { failedInit += 1 }
            } else {
                pendingInit += 1
            }
        }
        var (waiting, running, stopped, succeeded, unknown) = (0, 0, 0, 0, 0)
        for container in pod.initContainers where container.isRestartable {
            // One that has ended says nothing about the pod.
            guard let status = find(container.name, initial) else {
                unknown += 1
                continue
            }
            if ContainerStatus.isRunning(status) {
                running += 1
                if status["started"] != true { pendingInit += 1 }
            } else if !ContainerStatus.hasStarted(status) {
                waiting += 1
            }
        }
        for container in pod.containers {
            guard let status = find(container.name, regular) else {
                unknown += 1
                continue
            }
            if ContainerStatus.isRunning(status) {
                running += 1
            } else if let code = ContainerStatus.exitCode(status["state"]) {
                stopped += 1
                if code == 0 { succeeded += 1 }
            } else if !status["lastState"]["terminated"].isNull {
                stopped += 1
            } else {
                waiting += 1
            }
        }
        if failedInit > 0, pod.restartPolicy == .never { return "Failed" }
        if pendingInit > 0 || waiting > 0 { return "Pending" }
        if running > 0 { return unknown == 0 ? "Running" : "Pending" }
        guard stopped > 0, unknown == 0 else { return "Pending" }
        if hasEnded, !pod.isStatic { return stopped == succeeded ? "Succeeded" : "Failed" }
        switch pod.restartPolicy {
        case .always: return "Running"
        case .onFailure: return stopped == succeeded ? "Succeeded" : "Running"
        case .never: return stopped == succeeded ? "Succeeded" : "Failed"
        }
    }
}

package import KubeMachinery
import Primitives

/// Pods as `kubectl get pods` shows them.
package enum PodTable {
    package static let layout = TableLayout([
        TableText.nameColumn,
        TableColumn("Ready", details: "Containers that are ready, of all containers."),
        TableColumn("Status", details: "The phase, or what keeps the pod from running."),
        TableColumn("Restarts", details: "How often containers were restarted, and when last."),
        TableText.ageColumn,
        TableColumn("IP", details: "The address of the pod.", priority: 1),
        TableColumn("Node", details: "The node the pod is bound to.", priority: 1),
        TableColumn("Nominated Node", details: "The node that is being made free for the pod.", priority: 1),
        TableColumn("Readiness Gates", details: "Gates that are open, of all gates.", priority: 1),
    ]) { pod, now in
        let summary = Summary(pod)
        var restarts = "\(summary.restarts)"
        if summary.restarts > 0, let last = summary.lastRestart { restarts += " (\(AgeText.text(now - last)) ago)" }
        let ip = pod.status["podIPs"][0]["ip"].string ?? pod.status["podIP"].string
        return [
            .string(pod.name), .string("\(summary.ready)/\(summary.total)"), .string(summary.status), .string(restarts),
            TableText.age(pod, now), .string(ip ?? TableText.none), .string(TableText.text(pod.spec["nodeName"])),
            .string(TableText.text(pod.status["nominatedNodeName"])), .string(gates(pod)),
        ]
    }

    private static func gates(_ pod: KubeObject) -> String {
        let gates = pod.spec["readinessGates"].elements.compactMap { $0["conditionType"].string }
        guard !gates.isEmpty else { return TableText.none }
        let open = gates.filter { gate in
            pod.status["conditions"].elements.contains { $0["type"].string == gate && $0["status"].string == "True" }
        }
        return "\(open.count)/\(gates.count)"
    }

    /// What the first columns say of a pod.
    struct Summary {
        var status: String
        var ready = 0
        var total: Int
        var restarts: Int64 = 0
        var lastRestart: Timestamp?

        init(_ pod: KubeObject) {
            let phase = pod.status["phase"].string ?? ""
            total = pod.spec["containers"].elements.count
            status = pod.status["reason"].string.flatMap { $0.isEmpty ? nil : $0 } ?? phase
            if let scheduled = Self.condition(pod, "PodScheduled"), scheduled["reason"].string == "SchedulingGated" { status = "SchedulingGated" }
            let isInitializing = readInitContainers(pod)
            if !isInitializing || Self.condition(pod, "Initialized")?["status"].string == "True" { readContainers(pod) }
            guard pod.deletionTimestamp != nil else { return }
            if pod.status["reason"].string == "NodeLost" {
                status = "Unknown"
            } else if phase != "Succeeded", phase != "Failed" {
                status = "Terminating"
            }
        }

        private static func condition(_ pod: KubeObject, _ type: String) -> JSONValue? {
            pod.status["conditions"].elements.first { $0["type"].string == type }
        }

        private mutating func noteRestart(_ container: JSONValue) {
            restarts += container["restartCount"].int ?? 0
            guard let time = container["lastState"]["terminated"]["finishedAt"].string.flatMap(Timestamp.init(rfc3339:)) else { return }
            lastRestart = lastRestart.map { max($0, time) } ?? time
        }

        /// Whether an init container still keeps the others waiting.
        private mutating func readInitContainers(_ pod: KubeObject) -> Bool {
            let specified = pod.spec["initContainers"].elements
            let sidecars = Set(specified.filter { $0["restartPolicy"].string == "Always" }.compactMap { $0["name"].string })
            total += sidecars.count
            for (index, container) in pod.status["initContainerStatuses"].elements.enumerated() {
                noteRestart(container)
                let terminated = container["state"]["terminated"]
                let waiting = container["state"]["waiting"]["reason"].string ?? ""
                if !terminated.isNull, terminated["exitCode"].int == 0 { continue }
                if sidecars.contains(container["name"].string ?? ""), container["started"].bool == true {
                    if container["ready"].bool == true { ready += 1 }
                    continue
                }
                if !terminated.isNull {
                    status = "Init:" + Self.ending(terminated)
                } else if !waiting.isEmpty, waiting != "PodInitializing" {
                    status = "Init:" + waiting
                } else {
                    status = "Init:\(index)/\(specified.count)"
                }
                return true
            }
            return false
        }

        private mutating func readContainers(_ pod: KubeObject) {
            let initRestarts = pod.spec["initContainers"].elements.contains { $0["restartPolicy"].string == "Always" } ? restarts : 0
            restarts = initRestarts
            var isAnyRunning = false
            for container in pod.status["containerStatuses"].elements.reversed() {
                noteRestart(container)
                let terminated = container["state"]["terminated"]
                if let reason = container["state"]["waiting"]["reason"].string, !reason.isEmpty {
                    status = reason
                } else if !terminated.isNull {
                    status = Self.ending(terminated)
                } else if container["ready"].bool == true, !container["state"]["running"].isNull {
                    isAnyRunning = true
                    ready += 1
                }
            }
            if status == "Completed", isAnyRunning { status = Self.condition(pod, "Ready")?["status"].string == "True" ? "Running" : "NotReady" }
        }

        private static func ending(_ terminated: JSONValue) -> String {
            if let reason = terminated["reason"].string, !reason.isEmpty { return reason }
            if let signal = terminated["signal"].int, signal != 0 { return "Signal:\(signal)" }
            return "ExitCode:\(terminated["exitCode"].int ?? 0)"
        }
    }
}

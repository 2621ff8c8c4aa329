import KubeMachinery
import Primitives

@testable import PodCore

/// Pods, nodes and runtime states for the tests.
enum Fixture {
    static let start = Timestamp(rfc3339: "2026-11-23T11:15:57Z")!

    /// A moment `seconds` after the start.
    static func at(_ seconds: Int64) -> Moment {
        Moment(wall: start + .seconds(seconds), uptime: .seconds(1000) + .seconds(seconds))
    }

    static func pod(
        policy: String = "Always", containers: [JSONValue] = [container("main")], initContainers: [JSONValue] = [],
        status: JSONValue = ["phase": "Pending"],
        spec more: JSONValue = [:], metadata extra: JSONValue = [:]
    ) -> KubeObject {
        var metadata: JSONValue = ["name": "web", "namespace": "shop", "uid": "7b1f-4c"]
        for (key, value) in extra.members { metadata[key] = value }
        var spec: JSONValue = [
            "containers": .array(containers), "restartPolicy": .string(policy), "terminationGracePeriodSeconds": 30, "nodeName": "edge-1",
        ]
        if !initContainers.isEmpty { spec["initContainers"] = .array(initContainers) }
        for (key, value) in more.members { spec[key] = value }
        return KubeObject(["apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status])
    }

    static func container(_ name: String, _ more: JSONValue = [:]) -> JSONValue {
        var container: JSONValue = ["name": .string(name), "image": "busybox:1.35", "resources": [:], "imagePullPolicy": "IfNotPresent"]
        for (key, value) in more.members { container[key] = value }
        return container
    }

    /// `created` in seconds after the start; the attempt's number where it is nil.
    static func sandbox(attempt: UInt32 = 0, isReady: Bool = true, address: String? = "10.88.0.5", created: Int64? = nil) -> SandboxState {
        var sandbox = SandboxState(
            id: "s\(attempt)", podName: "web", podNamespace: "shop", podUID: "7b1f-4c", attempt: attempt, isReady: isReady,
            createdAt: start + .seconds(created ?? Int64(attempt)))
        sandbox.addresses = address.map { [$0] } ?? []
        return sandbox
    }

    /// A container of the runtime; `exit` is its exit code where it has ended, `end` when, in seconds after the start.
    static func state(
        _ name: String, attempt: UInt32 = 0, _ phase: ContainerState.Phase = .running, exit: Int32 = 0, end: Int64 = 10, sandbox: String = "s0",
        id: String? = nil, hash: String? = nil, created: Int64? = nil
    ) -> ContainerState {
        var state = ContainerState(
            id: id ?? "\(name)-\(attempt)", sandboxID: sandbox, name: name, attempt: attempt, phase: phase,
            createdAt: start + .seconds(created ?? Int64(attempt)))
        state.startedAt = start + .seconds(Int64(attempt))
        state.image = "busybox:1.35"
        state.imageReference = "sha256:90a1"
        if phase == .exited {
            state.exitCode = exit
            state.reason = exit == 0 ? "Completed" : "Error"
            state.finishedAt = start + .seconds(end)
        }
        if let hash { state.annotations[ContainerHash.annotation] = hash }
        return state
    }

    static var node: NodeFacts {
        var node = NodeFacts()
        node.name = "edge-1"
        node.addresses = ["10.77.0.1"]
        node.memoryCapacity = 8 << 30
        node.allocatableCPU = 2000
        node.allocatableMemory = 4 << 30
        node.allocatableStorage = 100 << 30
        node.resolverConfiguration = "nameserver 192.168.1.1\nsearch lan example.com\noptions edns0\n"
        node.hostsFile = "127.0.0.1\tlocalhost\n"
        return node
    }

    static let image = ImageState(id: "sha256:90a1", tags: ["busybox:1.35"], digests: [], size: 1, user: nil, userName: "", isPinned: false)

    static func view(_ pod: KubeObject) -> PodView { PodView(pod) }
    static func json(_ text: String) throws -> JSONValue { try JSONValue(parsing: text) }
}

extension PodActions {
    /// The actions in a line, for tables: `kill-pod start main remove x sandbox 1`.
    var summary: String {
        var words: [String] = []
        if let podKill {
            words.append("kill-pod(\((podKill.containers.map(\.name) + podKill.sandboxes).joined(separator: ",")))")
        }
        words += kills.map { "kill(\($0.name))" }
        words += removals.map { "remove(\($0))" }
        if let sandboxAttempt { words.append("sandbox(\(sandboxAttempt))") }
        words += starts.map { start in start.attempt.map { "start(\(start.name),\($0))" } ?? "start(\(start.name))" }
        if releases { words.append("release") }
        if deletesObject { words.append("delete") }
        return words.joined(separator: " ")
    }
}

import DevCluster
import EdgeTesting
import Glibc
import KubeClient
import KubeMachinery
import KubeResources
import Logging
import Primitives
import Testing

/// A cluster of the real programs on ports, networks and folders of its own, driven as a user drives it.
struct TestCluster: Sendable {
    let folder: String
    let bridge: String
    let podRange: String
    let programs: String
    let ports: [(flag: String, port: UInt16)]

    init() throws {
        let number = Int.random(in: 2..<250)
        folder = "/tmp/ke2e-\(getpid())-\(number)"
        bridge = "ke2e\(number)"
        podRange = "10.90.\(number)"
        programs = try #require(BuiltPrograms.folder, "the programs lie beside the tests, or in KUBEEDGE_PROGRAMS")
        var chosen: Set<UInt16> = []
        ports = ["--api-port", "--websocket-port", "--https-port", "--monitor-port", "--stream-port", "--tunnel-port", "--kubelet-port"].map { flag in
            var port = PortOwner.anyFreePort()
            // cloudcore takes the one above the kubelet's.
            while chosen.contains(port) || chosen.contains(port + 1) { port = PortOwner.anyFreePort() }
            chosen.formUnion([port, port + 1])
            return (flag, port)
        }
    }

    var kubeconfig: String { "\(folder)/control-plane/kubeconfig" }

    private var common: [String] { ["--data-dir", folder, "--bridge", bridge, "--pod-range", podRange, "--output", "json"] }

    @discardableResult
    func up(_ more: [String] = []) async throws -> Output {
        try await run("\(programs)/kubeedge", ["up", "--check"] + common + ports.flatMap { [$0.flag, "\($0.port)"] } + more, limit: .seconds(180))
    }

    @discardableResult
    func down() async throws -> Output { try await run("\(programs)/kubeedge", ["down"] + common, limit: .seconds(90)) }

    struct Output: Sendable {
        let status: Int32
        let text: String
    }

    /// Runs a program to its end and returns what it wrote.
    func run(_ program: String, _ arguments: [String], limit: Duration = .seconds(60)) async throws -> Output {
        let file = "/tmp/ke2e-output-\(UniqueID.next())"
        defer { unlink(file) }
        let status = try await ChildProcess(program, arguments, logFile: file).wait(for: limit)
        return Output(status: status, text: String(decoding: try HostFile.read(file), as: UTF8.self))
    }

    func kubectl(_ arguments: String...) async throws -> String {
        let output = try await run("kubectl", ["--kubeconfig", kubeconfig] + arguments)
        try #require(output.status == 0, "kubectl \(arguments.joined(separator: " ")): \(output.text)")
        return output.text
    }

    func withAPI<Result: Sendable>(_ body: (KubeClient) async throws -> Result) async throws -> Result {
        let client = try KubeClient(
            try ClusterAccess.kubeconfig(at: kubeconfig), logger: Logger(label: "end-to-end") { _ in SwiftLogNoOpLogHandler() })
        do {
            let result = try await body(client)
            await client.shutdown()
            return result
        } catch {
            await client.shutdown()
            throw error
        }
    }

    // MARK: - What runs

    /// The process of a program that `up` started.
    func process(_ name: String) throws -> Int32 {
        let record = try JSONValue(parsing: try HostFile.read("\(folder)/cluster.json"))
        let entry = record["daemons"].elements.first { $0["name"].string == name }
        return try #require(entry?["process"].int.flatMap(Int32.init(exactly:)), "no \(name) in the cluster's record")
    }

    /// Kills a program as a crash would, and waits until it is gone.
    func crash(_ name: String) async throws { try await crash(process: try process(name)) }

    func crash(process: Int32) async throws {
        kill(process, SIGKILL)
        try await until("process \(process) is gone", within: .seconds(10)) {
            waitpid(process, nil, WNOHANG)
            return Self.isGone(process)
        }
    }

    /// Whether a process has ended, be it that nobody has collected it yet.
    static func isGone(_ process: Int32) -> Bool {
        guard let bytes = try? HostFile.read("/proc/\(process)/stat") else { return true }
        return String(decoding: bytes, as: UTF8.self).contains(") Z")
    }

    /// Starts a program of the cluster by itself, as a node's boot does.
    func start(_ name: String, _ arguments: [String]) throws -> ChildProcess {
        try ChildProcess(name == "containerd" ? name : "\(programs)/\(name)", arguments, logFile: "\(folder)/log/\(name).log")
    }

    /// Waits until a condition holds that nobody signals; fails with what it waited for.
    func until(_ what: String, within limit: Duration = .seconds(60), _ condition: () async throws -> Bool) async throws {
        let clock = SystemClock()
        let deadline = clock.now().uptime + limit
        var last = ""
        while true {
            do { if try await condition() { return } } catch { last = ": \(error)" }
            guard clock.now().uptime < deadline else {
                Issue.record("\(what) did not come about within \(limit)\(last)")
                throw Failure()
            }
            // WAITS: other programs' states are asked for; none of them signals this one.
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    struct Failure: Error {}
}

extension TestCluster {
    /// Pods of namespace default with a label, the deleted ones left out.
    func pods(_ selector: String) async throws -> [KubeObject] {
        try await withAPI { try await $0.list(Resources.pods, ListQuery(namespace: "default", labelSelector: selector)) }.items
            .filter { $0.deletionTimestamp == nil }
    }

    static func isReady(_ object: KubeObject) -> Bool {
        object.status["conditions"].elements.contains { $0["type"] == "Ready" && $0["status"] == "True" }
    }

    /// The running containers (not the pause containers) by their IDs, with the pod's name, as containerd knows them.
    func runningContainers() async throws -> [String: String] {
        let socket = "\(folder)/containerd/containerd.sock"
        let tasks = try await run("ctr", ["--address", socket, "--namespace", "k8s.io", "tasks", "list"]).text
        let running = Set(
            tasks.split(separator: "\n").filter { $0.contains("RUNNING") }.compactMap { $0.split(separator: " ").first.map(String.init) })
        var result: [String: String] = [:]
        for id in running {
            let text = try await run("ctr", ["--address", socket, "--namespace", "k8s.io", "containers", "info", id]).text
            guard let labels = try? JSONValue(parsing: text)["Labels"], labels["io.cri-containerd.kind"] == "container" else { continue }
            result[id] = labels["io.kubernetes.pod.name"].string
        }
        return result
    }

    /// What a container of a pod wrote in its newest log.
    func log(_ pod: KubeObject, _ container: String) -> String {
        let folder = "\(folder)/edge/log/pods/\(pod.namespace ?? "")_\(pod.name)_\(pod.uid)/\(container)"
        for number in (0..<20).reversed() {
            if let bytes = try? HostFile.read("\(folder)/\(number).log") { return String(decoding: bytes, as: UTF8.self) }
        }
        return ""
    }
}

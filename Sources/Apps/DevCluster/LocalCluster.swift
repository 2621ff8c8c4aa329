import Glibc
import KubeClient
import KubeMachinery
package import Logging
package import Primitives

/// A whole KubeEdge on one machine, each part a program of its own: control plane, cloudcore, containerd, edgecore and a pod.
///
/// `up` may be called at any time: what runs is kept, what is missing or died is started, and it ends in a working system or one error.
package actor LocalCluster {
    package nonisolated let configuration: LocalClusterConfiguration
    let clock: any MomentSource
    let logger: Logger
    let reporter: StepReporter
    var daemons: [Daemon] = []

    package init(
        _ configuration: LocalClusterConfiguration, reporter: StepReporter, clock: any MomentSource = SystemClock(), logger: Logger
    ) {
        self.configuration = configuration
        self.reporter = reporter
        self.clock = clock
        self.logger = logger
    }

    /// Brings the cluster up and returns once a pod runs on the edge node and answers. Throws `ClusterFailure`.
    package func up() async throws {
        let lock = try takeLock()
        defer { close(lock) }
        daemons = readRecord()
        try await reporter.step("system packages") { try await self.installPackages() }
        try await reporter.step("node network") { try await self.makeBridge() }
        try await reporter.step("containerd") { try await self.startContainerd() }
        if configuration.kubeconfig == nil { try await reporter.step("control plane") { try await self.startControlPlane() } }
        try await reporter.step("cloudcore") { try await self.startCloudCore() }
        try await reporter.step("edge node \(configuration.nodeName)") { try await self.startEdgeCore() }
        try await reporter.step("pod on the edge node") { try await self.runPod() }
        await reporter.conclude(
            """
            KubeEdge runs on this machine. Try:

              export KUBECONFIG=\(configuration.kubeconfigPath)
              kubectl get nodes,pods -A -o wide
              kubectl scale deployment hello --replicas=3
              kubectl delete pod -l app=hello

            Logs are in \(configuration.logDirectory). `kubeedge down` stops and cleans it all.
            """,
            ["kubeconfig": .string(configuration.kubeconfigPath), "node": .string(configuration.nodeName)])
    }

    // MARK: - What runs

    /// Makes sure that one `up` or `down` works on the folder at a time.
    func takeLock() throws(ClusterFailure) -> Int32 {
        try HostFile.makeDirectory(configuration.dataDirectory, mode: 0o755)
        try HostFile.makeDirectory(configuration.logDirectory, mode: 0o750)
        let lock = open("\(configuration.dataDirectory)/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else {
            throw ClusterFailure(
                code: .fileSystem, message: "\(configuration.dataDirectory) cannot be written: \(String(cString: strerror(errno))); run as root")
        }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            close(lock)
            throw ClusterFailure(
                code: .startFailed, message: "another `kubeedge up` or `down` is at work on \(configuration.dataDirectory); wait for it to end")
        }
        return lock
    }

    func readRecord() -> [Daemon] {
        guard let bytes = try? HostFile.read(configuration.recordPath), let json = try? JSONValue(parsing: bytes) else { return [] }
        return json["daemons"].elements.compactMap(Daemon.init(json:))
    }

    func writeRecord() throws(ClusterFailure) {
        let json: JSONValue = [
            "bridge": .string(configuration.bridge), "podRange": .string(configuration.podRange),
            "daemons": .array(daemons.map(\.json)),
        ]
        try HostFile.write(json.encoded(.indented), to: configuration.recordPath, mode: 0o600)
    }

    func running(_ name: String) -> Daemon? { daemons.first { $0.name == name && $0.isRunning } }

    /// Starts a program unless it runs; `ports` must be free or its own. Returns whether it was started now.
    func ensure(_ name: String, ports: [(UInt16, flag: String)] = [], _ program: String, _ arguments: [String]) throws(ClusterFailure) -> Bool {
        if running(name) != nil { return false }
        for (port, flag) in ports where !PortOwner.isFree(port) {
            throw ClusterFailure(
                code: .network,
                message: "port \(port) is taken by \(PortOwner.describe(port)); stop it, or choose another port with \(flag)")
        }
        let daemon = try Daemon.start(name, program, arguments, logFile: "\(configuration.logDirectory)/\(name).log")
        daemons.removeAll { $0.name == name }
        daemons.append(daemon)
        try writeRecord()
        return true
    }

    /// Waits until `condition` holds. Fails at once when the program behind `name` has ended, and after the configured patience.
    func wait(for name: String, _ what: String, _ condition: () async throws -> Bool) async throws {
        let deadline = clock.now().uptime + configuration.patience
        var last = ""
        while true {
            do {
                if try await condition() { return }
            } catch let failure as ClusterFailure where !failure.isRetryable { throw failure } catch { last = ": \(error)" }
            if let daemon = daemons.first(where: { $0.name == name }), !daemon.isRunning {
                throw ClusterFailure(
                    code: .startFailed, message: "\(name) ended before \(what); the end of \(daemon.logFile):\n\(daemon.logTail())")
            }
            guard clock.now().uptime < deadline else {
                let tail = daemons.first { $0.name == name }.map { "; the end of \($0.logFile):\n\($0.logTail())" } ?? ""
                throw ClusterFailure(code: .timedOut, message: "\(what) did not come about within \(configuration.patience)\(last)\(tail)")
            }
            try await clock.wait(until: clock.now().uptime + .milliseconds(25))
        }
    }

    /// Calls `body` with a client of the cluster's API.
    func withAPI<Result: Sendable>(_ body: (KubeClient) async throws -> Result) async throws -> Result {
        let client = try KubeClient(try ClusterAccess.kubeconfig(at: configuration.kubeconfigPath), logger: logger)
        do {
            let result = try await body(client)
            await client.shutdown()
            return result
        } catch {
            await client.shutdown()
            throw error
        }
    }
}

package import ContainerRuntime
import Glibc
package import Logging
package import Primitives

/// A containerd of our own: its root, state, socket, configuration and pod network are below one directory, and no other one is touched.
///
/// It works without systemd, without CAP_SYS_RESOURCE and without a registry (`restrict_oom_score_adj`, a local pause image).
package actor ContainerdInstance {
    /// Where it lives and which pod network it makes.
    package struct Configuration: Sendable {
        /// An absolute path of at most 60 bytes, because a socket's path is short.
        package var directory: String
        /// The name of the pods' bridge, at most 15 bytes.
        package var bridge: String
        /// The first three numbers of the pods' /24, as in `10.88.7`.
        package var podRange: String

        package init(directory: String, bridge: String, podRange: String) {
            self.directory = directory
            self.bridge = bridge
            self.podRange = podRange
        }
    }

    package nonisolated let configuration: Configuration
    private nonisolated let clock: any MomentSource
    private let logger: Logger
    private var process: ChildProcess?

    package init(_ configuration: Configuration, clock: any MomentSource = SystemClock(), logger: Logger) {
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
    }

    private var directory: String { configuration.directory }
    package nonisolated var socket: String { configuration.directory + "/containerd.sock" }
    package nonisolated var endpoint: String { "unix://" + socket }
    package nonisolated var logFile: String { configuration.directory + "/containerd.log" }

    /// Starts it and returns once it answers, at most 20 s later; one that already runs is left as it is.
    package func start() async throws {
        if let process, await process.exitStatus() == nil { return }
        let process = try ChildProcess("containerd", try prepare(), logFile: logFile, clock: clock)
        self.process = process
        logger.info("containerd started", metadata: ["socket": "\(socket)"])
        try await waitUntilListening {
            guard let status = await process.exitStatus() else { return }
            throw ClusterFailure(code: .stopped, message: "containerd ended with status \(status): see \(self.logFile)")
        }
    }

    /// Writes the configuration of the daemon and its network, and returns the daemon's arguments.
    ///
    /// For a daemon that does not run: the socket of a former one is removed.
    package nonisolated func prepare() throws -> [String] {
        let directory = configuration.directory
        for program in ["containerd", "runc", "ctr"] where ChildProcess.find(program) == nil {
            throw ClusterFailure(code: .missingProgram, message: "\(program) is not installed: apt-get install containerd runc")
        }
        let plugins = try Self.pluginDirectory()
        for part in ["root", "state", "opt", "cni"] { try HostFile.makeDirectory("\(directory)/\(part)") }
        try HostFile.write(Array(daemonConfiguration(plugins: plugins).utf8), to: directory + "/containerd.toml")
        try HostFile.write(networkConfiguration.encoded(.indented), to: directory + "/cni/10-kubeedge.conflist")
        unlink(socket)
        return ["--config", directory + "/containerd.toml"]
    }

    /// Returns once the daemon answers, at most 20 s later; `check` may throw why it never will.
    package nonisolated func waitUntilListening(_ check: @Sendable () async throws -> Void) async throws {
        let deadline = clock.now().uptime + .seconds(20)
        while !isListening() {
            try await check()
            guard clock.now().uptime < deadline else {
                throw ClusterFailure(code: .timedOut, message: "containerd did not open \(socket) within 20 s: see \(logFile)")
            }
            try await clock.wait(until: clock.now().uptime + .milliseconds(20))
        }
    }

    /// Brings an archive's images in for the kubelet to use.
    package func importImage(_ archive: [UInt8]) async throws {
        let file = directory + "/image.tar"
        try HostFile.write(archive, to: file)
        defer { unlink(file) }
        try await ctr(["images", "import", file])
    }

    /// Stops the daemon; its containers run on, as they do when it is updated.
    package func stop() async {
        await process?.stop()
        process = nil
    }

    /// Kills the daemon at once, as a crash would.
    package func kill() async {
        await process?.stop(grace: .zero)
        process = nil
    }

    /// Ends and removes every pod and container through its CRI.
    package func removePods(_ runtime: some RuntimeInterface) async throws {
        for sandbox in try await runtime.sandboxes(ofPod: nil) {
            try await runtime.stopSandbox(sandbox.id)
            try await runtime.removeSandbox(sandbox.id)
        }
    }

    /// Removes what the instance left on the disk and in the network; call it after `removePods` and `stop`.
    package func removeTraces() async {
        HostFile.unmountBelow(directory)
        if let link = try? ChildProcess("ip", ["link", "delete", configuration.bridge], logFile: "/dev/null", clock: clock) {
            _ = try? await link.wait(for: .seconds(10))
        }
        HostFile.removeTree(directory)
    }

    private func ctr(_ arguments: [String]) async throws {
        let log = directory + "/ctr.log"
        unlink(log)
        let process = try ChildProcess("ctr", ["--address", socket, "--namespace", "k8s.io"] + arguments, logFile: log, clock: clock)
        let status = try await process.wait(for: .seconds(60))
        guard status == 0 else {
            let text = (try? HostFile.read(log)).map { String(decoding: $0, as: UTF8.self) } ?? ""
            throw ClusterFailure(code: .startFailed, message: "ctr \(arguments.joined(separator: " ")) ended with status \(status): \(text)")
        }
    }

    private nonisolated func isListening() -> Bool {
        let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let path = Array(socket.utf8)
        guard path.count < MemoryLayout.size(ofValue: address.sun_path) else { return false }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
    }

    /// Where the network plug-ins are: Debian's place or the usual one.
    private static func pluginDirectory() throws(ClusterFailure) -> String {
        for directory in ["/usr/lib/cni", "/opt/cni/bin"] where access(directory + "/bridge", X_OK) == 0 { return directory }
        throw ClusterFailure(code: .missingProgram, message: "network plug-ins are missing: apt-get install containernetworking-plugins")
    }
}

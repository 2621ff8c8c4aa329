import ContainerRuntime
import Glibc
import NIOPosix
import Primitives

extension LocalCluster {
    /// Stops and removes exactly what `up` made. Goes on after a failure and tells of all of them at the end.
    package func down() async throws {
        guard access(configuration.recordPath, F_OK) == 0 else {
            await reporter.conclude("Nothing of `kubeedge up` is in \(configuration.dataDirectory).", ["removed": false])
            return
        }
        let lock = try takeLock()
        defer { close(lock) }
        daemons = readRecord()
        var failures: [String] = []
        for (name, grace) in [("edgecore", 20), ("cloudcore", 10), ("control-plane", 10)] {
            guard let daemon = running(name) else { continue }
            try? await reporter.step("stopping \(name)") {
                await daemon.stop(grace: .seconds(grace), clock: self.clock)
                return ""
            }
        }
        let instance = ContainerdInstance(configuration.containerd, clock: clock, logger: logger)
        do {
            try await reporter.step("removing pods and containerd") {
                try await self.removePods(instance)
                await self.running("containerd")?.stop(grace: .seconds(10), clock: self.clock)
                HostFile.unmountBelow(self.configuration.dataDirectory)
                await instance.removeTraces()
                return ""
            }
        } catch { failures.append("\(error)") }
        if failures.isEmpty {
            unlink(configuration.recordPath)
            HostFile.removeTree(configuration.dataDirectory)
        }
        guard failures.isEmpty else {
            throw ClusterFailure(
                code: .stopped, message: "not everything could be removed; call `kubeedge down` again: \(failures.joined(separator: "; "))")
        }
        await reporter.conclude("Stopped and removed.", ["removed": true])
    }

    /// Ends the pods through containerd, which is started once more where it has died and left containers.
    private func removePods(_ instance: ContainerdInstance) async throws {
        guard access(configuration.containerdDirectory, F_OK) == 0 else { return }
        if running("containerd") == nil { _ = try ensure("containerd", "containerd", try instance.prepare()) }
        try await instance.waitUntilListening {}
        let runtime = try CRIRuntime(endpoint: instance.endpoint, group: MultiThreadedEventLoopGroup.singleton, logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await runtime.run() }
            try await instance.removePods(runtime)
            group.cancelAll()
        }
    }
}

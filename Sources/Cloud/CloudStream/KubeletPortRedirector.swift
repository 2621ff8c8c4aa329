package import KubeMachinery
import KubeResources
package import Logging
package import Primitives
import Supervision

/// Keeps the rules that lead the ports of kubelets to cloudcores, on the machine where this runs (`modules.iptablesManager`, mode `internal`).
///
/// It makes true what ConfigMap `kubeedge/tunnelport` says, every ten seconds. Where it cannot, it says so once with the rule to set by hand;
/// nothing else suffers. Rules stay when it stops: they lead to where the next start serves again.
package struct KubeletPortRedirector: Sendable {
    package struct Configuration: Sendable {
        package var streamPort = 10003
        package var interval = Duration.seconds(10)
        /// The program and the words before its arguments; nil for the machine's `iptables`.
        package var program: [String]?

        package init() {}
    }

    private let api: any KubeAPI
    private let configuration: Configuration
    private let clock: any MomentSource
    private let logger: Logger

    package init(api: any KubeAPI, configuration: Configuration = Configuration(), clock: any MomentSource = SystemClock(), logger: Logger) {
        self.api = api
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
    }

    /// Runs until it is cancelled; `settled` is told after each round in which all is as it shall be.
    package func run(settled: @Sendable () async -> Void = {}) async throws {
        var told: String?
        while true {
            do {
                let changes = try await reconcile()
                if changes > 0 { logger.info("ports of kubelets lead to the stream port", metadata: ["changes": "\(changes)"]) }
                told = nil
                await settled()
            } catch let error as CancellationError {
                throw error
            } catch {
                if told != "\(error)" { warn(error) }
                told = "\(error)"
            }
            try await clock.wait(until: clock.now().uptime + configuration.interval)
        }
    }

    /// One round; gives the number of rules that were changed.
    func reconcile() async throws -> Int {
        guard let record = try await TunnelPortRecord.read(api) else { return 0 }
        let present = try await iptables(["-S"]).lines
        let commands = KubeletPortRules(record, streamPort: configuration.streamPort).commands(present: present)
        for command in commands { _ = try await iptables(command) }
        return commands.count
    }

    private func iptables(_ arguments: [String]) async throws -> HelperProgram.Result {
        guard let program = configuration.program ?? HelperProgram.find("iptables").map({ [$0] }), let path = program.first else {
            throw HelperFailure(message: "iptables is not installed here")
        }
        let words = program.dropFirst() + ["-w", "5", "-t", "nat"] + arguments
        let result = try await HelperProgram(path, Array(words)).run(limit: .seconds(15), clock: clock)
        guard result.status == 0 else {
            throw HelperFailure(message: "iptables \(arguments.joined(separator: " ")) ended with status \(result.status): \(result.output)")
        }
        return result
    }

    private func warn(_ error: any Error) {
        logger.warning(
            """
            ports of kubelets are not redirected here: kubectl logs and exec may not reach edge nodes; on the machines of the API server set \
            iptables -t nat -A OUTPUT -p tcp --dport <port of ConfigMap kubeedge/tunnelport> -j DNAT --to <cloudcore>:\(configuration.streamPort)
            """, metadata: ["error": "\(error)"])
    }
}

import ArgumentParser
import Glibc
import HollowNodes
import Logging
import Supervision

/// Many edge nodes without pods, for the benchmarks of cloudcore; hidden, because nobody types it.
struct HollowNodesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hollow-nodes", abstract: "Connect many edge nodes without pods.", shouldDisplay: false)

    @Option var kubeconfig: String
    @Option var webSocket = "127.0.0.1:10000"
    @Option var https = "127.0.0.1:10002"
    @Option(help: "Where the nodes' certificates are kept.") var folder = "/tmp/kubeedge-hollow"
    @Option var count = 100
    @Option(help: "New nodes a second; 0 for all at once.") var ramp = 0.0
    @Option(help: "hold, down, query or lease.") var measure = "hold"
    @Option var seconds = 30.0
    @Option(help: "Messages a second over all nodes; 0 for as many as go.") var rate = 0.0
    @Option var inFlight = 32
    @Option(help: "Queries of the own Node with every renewal of the lease.") var queries = 0
    @Flag(help: "Renew leases as Go edges do.") var renewsLeases = false
    @Option(name: .short, help: "Verbosity of the log.") var v = 0

    func validate() throws {
        guard HollowFleet.Measurement(rawValue: measure) != nil else { throw ValidationError("--measure is hold, down, query or lease") }
        guard count > 0, inFlight > 0 else { throw ValidationError("--count and --in-flight are at least 1") }
    }

    func run() async throws {
        var configuration = HollowFleet.Configuration()
        configuration.kubeconfig = kubeconfig
        configuration.webSocket = webSocket
        configuration.https = https
        configuration.folder = folder
        configuration.count = count
        configuration.ramp = ramp
        configuration.measurement = HollowFleet.Measurement(rawValue: measure) ?? .hold
        configuration.duration = .seconds(seconds)
        configuration.rate = rate
        configuration.inFlight = inFlight
        configuration.queries = queries
        configuration.leavesLeases = !renewsLeases
        // A thousand nodes that lose their cloud are no thousand warnings.
        let level: Logger.Level = v > 0 ? Logger.Level(verbosity: v) : .critical
        let logger = Logger(label: "hollow-nodes") { LineLogHandler(module: $0, level: level) }
        let fleet = HollowFleet(configuration, logger: logger)
        let stop = ProcessSignals.terminations()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { for await _ in stop { return } }
            group.addTask { try await fleet.run() }
            try await group.next()
            group.cancelAll()
        }
    }
}

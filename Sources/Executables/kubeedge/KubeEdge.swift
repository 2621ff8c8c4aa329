import ArgumentParser
import ControlPlane
import DevCluster
import Glibc
import Logging
import Supervision

/// `kubeedge`: everything on one machine, for trying and developing.
@main
struct KubeEdge: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kubeedge", abstract: "KubeEdge on one machine: a Kubernetes API, cloudcore, an edge node and a pod.",
        subcommands: [Up.self, Down.self, ControlPlaneCommand.self, BareRuntime.self, StoreLatency.self, HollowNodesCommand.self])
}

/// What `up` and `down` have in common.
struct ClusterOptions: ParsableArguments {
    @Option(help: "The folder for everything the cluster writes.")
    var dataDir = "/var/lib/kubeedge-up"

    @Option(help: "How steps are shown: auto, plain or json.")
    var output = "auto"

    @Option(help: "The name of the pods' bridge, at most 15 bytes.")
    var bridge = "kubeedge0"

    @Option(help: "The first three numbers of the pods' /24.")
    var podRange = "10.88.77"

    func validate() throws {
        guard dataDir.hasPrefix("/"), dataDir.utf8.count <= 60 else {
            throw ValidationError("--data-dir must be an absolute path of at most 60 bytes (a socket is below it)")
        }
        guard ["auto", "plain", "json"].contains(output) else { throw ValidationError("--output is auto, plain or json") }
        guard (1...15).contains(bridge.utf8.count) else { throw ValidationError("--bridge has 1 to 15 bytes") }
        let numbers = podRange.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        guard numbers.count == 3, !numbers.contains(nil) else { throw ValidationError("--pod-range is three numbers, as in 10.88.77") }
    }

    var reporter: StepReporter {
        switch output {
        case "json": StepReporter(style: .json)
        case "plain": StepReporter(style: .lines)
        default: StepReporter(style: StepReporter.detected)
        }
    }

    /// Only what goes wrong; the steps say the rest.
    var logger: Logger { Logger(label: "kubeedge") { LineLogHandler(module: $0, level: .error) } }

    var cluster: LocalClusterConfiguration {
        var configuration = LocalClusterConfiguration(programs: ProgramFolder.own)
        configuration.dataDirectory = dataDir
        configuration.bridge = bridge
        configuration.podRange = podRange
        return configuration
    }
}

import ArgumentParser
import DevCluster
import Glibc
import Supervision

struct Up: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Start everything that is missing and run a pod on the edge node.",
        discussion: "Calling it again is safe: what runs is kept, what died is started. `kubeedge down` stops and removes it all.")

    @OptionGroup var options: ClusterOptions

    @Flag(help: "Exit 0 once the pod runs and answers, else 1 with the cause. (`up` always does; the flag says so in scripts.)")
    var check = false

    @Option(help: "The name of the edge node.")
    var nodeName = "edge-1"

    @Option(help: "Use an existing cluster instead of the embedded control plane.")
    var kubeconfig: String?

    @Option(help: "The port of the embedded Kubernetes API.")
    var apiPort: UInt16 = 6443

    @Option(help: "cloudcore's port for edge nodes.")
    var websocketPort: UInt16 = 10000

    @Option(help: "cloudcore's port for certificates.")
    var httpsPort: UInt16 = 10002

    @Option(help: "cloudcore's port for metrics and health.")
    var monitorPort: UInt16 = 9091

    @Option(help: "cloudcore's port for the API server's requests for logs and commands.")
    var streamPort: UInt16 = 10003

    @Option(help: "cloudcore's port for the tunnels of edge nodes.")
    var tunnelPort: UInt16 = 10004

    @Option(help: "The kubelet's port on the loopback; cloudcore takes the one above it.")
    var kubeletPort: UInt16 = 10350

    func run() async throws {
        var configuration = options.cluster
        configuration.nodeName = nodeName
        configuration.kubeconfig = kubeconfig
        configuration.apiPort = apiPort
        configuration.webSocketPort = websocketPort
        configuration.httpsPort = httpsPort
        configuration.monitorPort = monitorPort
        configuration.streamPort = streamPort
        configuration.tunnelPort = tunnelPort
        configuration.kubeletPort = kubeletPort
        let cluster = LocalCluster(configuration, reporter: options.reporter, logger: options.logger)
        do { try await cluster.up() } catch {
            write(2, "error: \(error)\n")
            throw ExitCode.failure
        }
    }
}

struct Down: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Stop and remove what `kubeedge up` made.")

    @OptionGroup var options: ClusterOptions

    func run() async throws {
        let cluster = LocalCluster(options.cluster, reporter: options.reporter, logger: options.logger)
        do { try await cluster.down() } catch {
            write(2, "error: \(error)\n")
            throw ExitCode.failure
        }
    }
}

/// Writes text to a descriptor, as far as it takes it.
private func write(_ descriptor: Int32, _ text: String) {
    let bytes = Array(text.utf8)
    _ = Glibc.write(descriptor, bytes, bytes.count)
}

/// Where this program and its companions are.
enum ProgramFolder {
    static var own: String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = buffer.withUnsafeMutableBufferPointer { buffer in
            buffer.withMemoryRebound(to: CChar.self) { $0.baseAddress.map { readlink("/proc/self/exe", $0, buffer.count) } ?? -1 }
        }
        let path = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
        return path.split(separator: "/").dropLast().reduce(into: "") { $0 += "/\($1)" }
    }
}

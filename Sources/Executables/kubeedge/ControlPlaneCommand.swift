import ArgumentParser
import ControlPlane
import Glibc
import Logging
import Primitives
import Supervision

/// What `kubeedge up` starts for the Kubernetes API; hidden, because nobody types it.
struct ControlPlaneCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "control-plane", abstract: "Serve the embedded Kubernetes API.", shouldDisplay: false)

    @Option(help: "The folder for store, keys and kubeconfig.")
    var dataDir: String

    @Option(help: "The port on 127.0.0.1; 0 takes a free one.")
    var port: UInt16 = 6443

    @Option(name: .short, help: "Verbosity of the log.")
    var v = 0

    func run() async throws {
        let stop = ProcessSignals.terminations()
        let level = Logger.Level(verbosity: v)
        let logger = Logger(label: "control-plane") { LineLogHandler(module: $0, level: level) }
        var settings = EmbeddedControlPlane.Configuration(dataDirectory: dataDir)
        settings.port = Int(port)
        let plane = EmbeddedControlPlane(settings, clock: SystemClock(), logger: logger)
        let module = Module("control-plane") {
            try await plane.run { access in logger.info("ready", metadata: ["server": "\(access.server)", "kubeconfig": "\(access.kubeconfigPath)"]) }
        }
        do { try await Supervisor(modules: [module], logger: logger).run(stop: stop) } catch {
            logger.critical("control plane ended", metadata: ["error": "\(error)"])
            throw ExitCode.failure
        }
    }
}

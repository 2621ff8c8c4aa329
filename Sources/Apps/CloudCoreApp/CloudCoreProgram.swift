import KubeClient
import Logging
import Supervision

/// cloudcore as a program: arguments in, exit status out.
package enum CloudCoreProgram {
    /// Runs until SIGTERM or SIGINT. Returns 0 after an orderly end and after printing, 1 with the cause on standard error otherwise.
    package static func run(arguments: [String], environment: [String: String]) async -> Int32 {
        let command = CloudCoreConfiguration.command(host: .read())
        switch command.evaluate(arguments, read: { try FileText.read($0) }) {
        case .show(let text):
            print(text, terminator: "")
            return 0
        case .refuse(let text):
            complain(text)
            return 1
        case .run(let start): return await run(start, environment)
        }
    }

    private static func run(_ start: ProgramCommand.Start, _ environment: [String: String]) async -> Int32 {
        CloudMemory.shape()
        let stop = ProcessSignals.terminations()
        let level = Logger.Level(verbosity: start.verbosity)
        let form: LineLogHandler.Form = start.logsAsJSON ? .json : .text
        let logger = { @Sendable (module: String) in Logger(label: module) { LineLogHandler(module: $0, level: level, form: form) } }
        do {
            let configuration = try CloudCoreConfiguration(values: start.values)
            let api = configuration.kubernetesAPI
            let access = try ClusterAccess.resolve(kubeconfig: api.kubeconfigPath, server: api.master, environment: environment)
            logger("cloudcore").info("starting", metadata: ["version": "\(CloudCoreConfiguration.version)", "api": "\(access.server)"])
            let client = try KubeClient(access, logger: logger("kubeclient"))
            var authority = ""
            if case .authorities(let pem) = access.trust { authority = pem }
            let ended: Result<Void, any Error>
            do {
                try await CloudCore(configuration: configuration, api: client, kubernetesCA: authority, logger: logger).run(stop: stop)
                ended = .success(())
            } catch {
                ended = .failure(error)
            }
            await client.shutdown()
            try ended.get()
            logger("cloudcore").info("stopped")
            return 0
        } catch let error as ConfigurationError {
            complain("\(start.configurationPath): \(error)\n")
            return 1
        } catch let error as FeatureGateError {
            complain("\(start.configurationPath): \(error)\n")
            return 1
        } catch {
            logger("cloudcore").critical("cloudcore ended", metadata: ["error": "\(error)"])
            return 1
        }
    }

    private static func complain(_ text: String) { LineLogHandler.writeToStandardError(Array(text.utf8)) }
}

import Foundation

/// The machine's kubectl as a process, with a configuration of its own.
struct KubectlCommand: Sendable {
    /// The program; nil where the machine has none.
    static let path: String? = {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":")
        return folders.map { "\($0)/kubectl" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }()

    let kubeconfig: String

    /// Runs `kubectl` with arguments as a shell splits them.
    func callAsFunction(_ arguments: String, input: String = "", environment: [String: String] = [:]) async throws -> ChildCommand.Result {
        var variables = environment
        variables["KUBECONFIG"] = kubeconfig
        // Its caches of discovery must not outlive the server they came from.
        variables["HOME"] = URL(fileURLWithPath: kubeconfig).deletingLastPathComponent().path
        return try await ChildCommand.run("'\(Self.path ?? "kubectl")' \(arguments)", input: input, environment: variables)
    }
}

import ContainerRuntime
import PodCore
import Primitives

/// Runs the handlers of a pod's hooks (`spec/05 §14.4`).
struct HandlerRunner: Sendable {
    let context: PodContext
    let pod: PodView
    /// Of the sandbox.
    let addresses: [String]

    /// Runs a hook to its end. Any HTTP answer will do; a command must exit with 0.
    func run(_ hook: JSONValue, inContainer id: String, named name: String, timeout: Duration?) async throws {
        if hook["exec"].object != nil {
            let command = hook["exec"]["command"].strings
            let result = try await context.runtime.execute(command, inContainer: id, timeout: timeout)
            guard result.exitCode == 0 else {
                throw EdgedFailure(
                    code: .hook, message: "command '\(command.joined(separator: " "))' exited with \(result.exitCode): \(text(result))")
            }
        } else if hook["httpGet"].object != nil {
            guard let container = pod.container(named: name),
                case .httpGet(let scheme, let host, let port, let path, let fields)? = ProbeAction(hook, container: container)
            else {
                throw EdgedFailure(code: .hook, message: "the port of an httpGet hook of container \(name) is not known")
            }
            guard let address = host ?? addresses.first ?? (pod.usesHostNetwork ? "127.0.0.1" : nil) else {
                throw EdgedFailure(code: .hook, message: "failed to find networking container: pod \(pod.fullName) has no address yet")
            }
            let request = HandlerRequest(
                usesTLS: scheme == "https", host: address, port: Int(port), path: path, fields: fields, agent: "kube-lifecycle/1.28")
            try await get(request, timeout: timeout ?? .seconds(600))
        } else {
            throw EdgedFailure(code: .hook, message: "invalid handler of container \(name): only exec and httpGet can be hooks")
        }
    }

    /// What serves HTTP where the hook says HTTPS is asked again without TLS.
    private func get(_ request: HandlerRequest, timeout: Duration) async throws {
        do {
            _ = try await context.handlers.get(request, timeout: timeout)
        } catch let failure as EdgedFailure where failure.code == .plainAnswer {
            var plain = request
            plain.usesTLS = false
            plain.headers.removeAll { $0.name.lowercased() == "authorization" }
            _ = try await context.handlers.get(plain, timeout: timeout)
            context.events.record(
                KubeletEvent(
                    .pod(pod), .warning, reason: "LifecycleHTTPFallback",
                    message: "request to HTTPS lifecycle hook got HTTP response, retry with HTTP succeeded"))
        }
    }

    private func text(_ result: ExecutionResult) -> String {
        String(decoding: (result.output + result.errors).prefix(1024), as: UTF8.self)
    }
}

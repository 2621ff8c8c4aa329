import ContainerRuntime
import PodCore
import Primitives

/// How hooks and probes reach what listens in a pod.
package protocol HandlerNetwork: Sendable {
    /// Sends a GET and returns the head of the answer. Certificates are not checked.
    func get(_ request: HandlerRequest, timeout: Duration) async throws -> HandlerAnswer
    /// Returns once a TCP connection stands.
    func connect(host: String, port: Int, timeout: Duration) async throws
}

/// A GET of a hook or probe.
package struct HandlerRequest: Sendable, Hashable {
    package var usesTLS: Bool
    package var host: String
    package var port: Int
    package var path: String
    package var headers: [String: String]

    package init(usesTLS: Bool, host: String, port: Int, path: String, headers: [String: String]) {
        self.usesTLS = usesTLS
        self.host = host
        self.port = port
        self.path = path
        self.headers = headers
    }
}

/// What an answer begins with.
package struct HandlerAnswer: Sendable, Hashable {
    package var status: Int
    /// Where a redirection leads.
    package var location: String?

    package init(status: Int, location: String? = nil) {
        self.status = status
        self.location = location
    }
}

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
            guard let request = request(hook["httpGet"], container: name, agent: "kube-lifecycle/1.28") else {
                throw EdgedFailure(code: .hook, message: "the port of an httpGet hook of container \(name) is not known")
            }
            _ = try await context.handlers.get(request, timeout: timeout ?? .seconds(30))
        }
    }

    /// The request of an `httpGet`; nil where its port cannot be told.
    func request(_ action: JSONValue, container: String, agent: String) -> HandlerRequest? {
        guard let port = port(action["port"], container: container) else { return nil }
        var headers = ["User-Agent": agent, "Accept": "*/*"]
        for header in action["httpHeaders"].elements { if let name = header["name"].string { headers[name] = header["value"].string ?? "" } }
        let path = action["path"].string ?? "/"
        return HandlerRequest(
            usesTLS: action["scheme"].string == "HTTPS", host: host(action), port: port, path: path.hasPrefix("/") ? path : "/" + path,
            headers: headers)
    }

    func host(_ action: JSONValue) -> String {
        if let host = action["host"].string, !host.isEmpty { return host }
        return addresses.first ?? "127.0.0.1"
    }

    /// A port by number or by the name that the container gives it.
    func port(_ value: JSONValue, container: String) -> Int? {
        if let number = value.int { return (1...65535).contains(number) ? Int(number) : nil }
        guard let name = value.string else { return nil }
        if let number = Int(name) { return (1...65535).contains(number) ? number : nil }
        let named = pod.container(named: container)?.ports.first { $0["name"].string == name }
        return named?["containerPort"].int.flatMap { (1...65535).contains($0) ? Int($0) : nil }
    }

    private func text(_ result: ExecutionResult) -> String {
        String(decoding: (result.output + result.errors).prefix(1024), as: UTF8.self)
    }
}

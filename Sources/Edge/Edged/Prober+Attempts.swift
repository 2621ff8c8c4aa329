import ContainerRuntime
import PodCore
import Primitives

extension PodWorker {
    /// Tries a probe (`spec/05 §16.5–16.7`).
    func attempt(_ action: ProbeAction, _ key: PodProbes.Key, _ id: String, _ timeout: Duration) async -> ProbeCore.Result {
        let own = lifecycle.status["podIP"].string ?? lifecycle.status["hostIP"].string ?? "127.0.0.1"
        do {
            switch action {
            case .execute(let command):
                let result = try await context.runtime.execute(command, inContainer: id, timeout: timeout)
                return result.exitCode == 0 ? .success : failed(key, result.probeText)
            case .httpGet(let scheme, let host, let port, let path, let fields):
                let request = HandlerRequest(
                    usesTLS: scheme == "https", host: host ?? own, port: Int(port), path: path, fields: fields, agent: "kube-probe/1.28")
                let answer = try await context.handlers.get(request, timeout: timeout)
                guard (200..<400).contains(answer.status) else { return failed(key, "HTTP probe failed with statuscode: \(answer.status)") }
                // A redirection to another host was not followed and is good enough.
                if answer.status >= 300 { recordProbe(.redirected(key.kind, body: answer.body), key) }
            case .tcpSocket(let host, let port):
                try await context.handlers.connect(host: host ?? own, port: Int(port), timeout: timeout)
            case .grpc(let port, let service):
                try await context.handlers.checkHealth(host: own, port: Int(port), service: service, timeout: timeout)
            }
            return .success
        } catch let failure as RuntimeFailure {
            return failure.code == .timedOut ? failed(key, failure.message) : errored(key, failure.message)
        } catch let failure as EdgedFailure where failure.code == .unreadableAnswer {
            return errored(key, failure.message)
        } catch {
            return failed(key, "\(error)")
        }
    }

    private func failed(_ key: PodProbes.Key, _ output: String) -> ProbeCore.Result {
        recordProbe(.unhealthy(key.kind, output), key)
        return .failure
    }

    private func errored(_ key: PodProbes.Key, _ cause: String) -> ProbeCore.Result {
        recordProbe(.probeErrored(key.kind, cause), key)
        return .error
    }
}

extension ExecutionResult {
    /// What a command wrote, as far as users are shown it.
    var probeText: String { String(decoding: (output + errors).prefix(10 << 10), as: UTF8.self) }
}

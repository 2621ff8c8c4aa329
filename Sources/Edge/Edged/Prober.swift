import ContainerRuntime
import Logging
import PodCore
import Primitives

/// The probes of one pod: which there are, when each is due, and what they add up to (`spec/05 §16`).
struct PodProbes: Sendable {
    struct Key: Hashable, Sendable {
        var container: String
        var kind: ProbeKind
    }

    private(set) var cores: [Key: ProbeCore] = [:]
    private var ended: Set<Key> = []

    /// Takes the probes of the spec on.
    mutating func adopt(_ pod: PodView, now: Moment) {
        for container in pod.lastingContainers {
            let probes: [(ProbeKind, JSONValue?)] = [
                (.startup, container.startupProbe), (.readiness, container.readinessProbe), (.liveness, container.livenessProbe),
            ]
            for (kind, probe) in probes {
                let key = Key(container: container.name, kind: kind)
                if let probe, cores[key] == nil, !ended.contains(key) { cores[key] = ProbeCore(kind, probe, firstAt: now.uptime) }
            }
        }
    }

    mutating func change(_ key: Key, _ body: (inout ProbeCore) -> Void) {
        guard var core = cores[key] else { return }
        body(&core)
        cores[key] = core
    }

    mutating func end(_ key: Key) {
        cores[key] = nil
        ended.insert(key)
    }
}

/// What a round of probes ended with.
struct ProbeRound: Sendable {
    /// Uptime of the next round; nil where the pod has no probe left.
    var due: Duration?
    /// A result changed: the pod needs a turn.
    var hasChanged: Bool
}

extension PodWorker {
    /// Runs every probe that is due, side by side.
    func runProbes() async -> ProbeRound {
        let now = context.clock.now()
        podProbes.adopt(pod, now: now)
        var due: Duration?
        var tries: [(PodProbes.Key, String, ProbeAction, Duration)] = []
        for key in podProbes.cores.keys {
            switch step(key, now) {
            case .wait(let until): due = min(due ?? until, until)
            case .end:
                note(key)
                podProbes.end(key)
            case .probe(let id):
                guard let core = podProbes.cores[key], let action = action(key) else { continue }
                tries.append((key, id, action, core.timeout))
            }
        }
        var hasChanged = false
        await withTaskGroup(of: (PodProbes.Key, String, ProbeCore.Result).self) { group in
            for (key, id, action, timeout) in tries {
                group.addTask { (key, id, await self.measured(action, key, id, timeout)) }
            }
            for await (key, id, result) in group where take(result, of: key, id) { hasChanged = true }
        }
        for key in podProbes.cores.keys where tries.contains(where: { $0.0 == key }) {
            if case .wait(let until) = step(key, context.clock.now()) { due = min(due ?? until, until) } else { due = context.clock.now().uptime }
        }
        return ProbeRound(due: due, hasChanged: hasChanged)
    }

    private func step(_ key: PodProbes.Key, _ now: Moment) -> ProbeCore.Step {
        let container = knownContainers.values.filter { $0.name == key.container }.min(by: ContainerState.isNewer)
        let hasStartup = pod.container(named: key.container)?.startupProbe != nil
        let isStarted = container.map { !hasStartup || probes.outcome(.startup, $0.id) == .success } ?? false
        var step = ProbeCore.Step.end
        let (isDeleted, isTerminal) = (pod.isDeleted || lifecycle.stage != .syncing, pod.isTerminal)
        let mayRestart = pod.restartPolicy != .never || pod.container(named: key.container)?.isRestartable == true
        podProbes.change(key) {
            step = $0.next(container, isStarted: isStarted, isPodDeleted: isDeleted, isPodTerminal: isTerminal, mayRestart: mayRestart, now: now)
        }
        return step
    }

    private func action(_ key: PodProbes.Key) -> ProbeAction? {
        guard let container = pod.container(named: key.container) else { return nil }
        let probe =
            switch key.kind {
            case .liveness: container.livenessProbe
            case .readiness: container.readinessProbe
            case .startup: container.startupProbe
            }
        return probe.flatMap { ProbeAction($0, container: container) }
    }

    /// Keeps what a probe adds up to where the lifecycle reads it; true where that is news.
    @discardableResult
    private func note(_ key: PodProbes.Key) -> Bool {
        guard let core = podProbes.cores[key], let id = core.containerID, probes.outcome(key.kind, id) != core.outcome else { return false }
        probes.set(key.kind, id, core.outcome)
        return true
    }

    private func take(_ result: ProbeCore.Result, of key: PodProbes.Key, _ id: String) -> Bool {
        let now = context.clock.now()
        podProbes.change(key) { _ = $0.finished(result, containerID: id, now: now) }
        let isNews = note(key)
        if isNews {
            let outcome = podProbes.cores[key]?.outcome ?? .unknown
            logger.info(
                "probe result changed",
                metadata: ["pod": "\(self.key)", "container": "\(key.container)", "probe": "\(key.kind.rawValue)", "result": "\(outcome)"])
            if key.kind == .startup, outcome == .success {
                for other in podProbes.cores.keys where other.container == key.container { podProbes.change(other) { $0.hurry(now) } }
            }
        }
        return isNews
    }

    private func measured(_ action: ProbeAction, _ key: PodProbes.Key, _ id: String, _ timeout: Duration) async -> ProbeCore.Result {
        let begin = context.clock.now().uptime
        let result = await attempt(action, key, id, timeout)
        let outcome: KubeletMeasurement.Outcome = result == .success ? .success : result == .failure ? .failure : .unknown
        context.meter.record(
            .probe(
                pod: self.key, uid: uid, container: key.container, kind: key.kind, outcome: outcome, duration: context.clock.now().uptime - begin))
        return result
    }

    private func attempt(_ action: ProbeAction, _ key: PodProbes.Key, _ id: String, _ timeout: Duration) async -> ProbeCore.Result {
        let own = lifecycle.status["podIP"].string ?? lifecycle.status["hostIP"].string ?? "127.0.0.1"
        switch action {
        case .execute(let command):
            do {
                let result = try await context.runtime.execute(command, inContainer: id, timeout: timeout)
                return result.exitCode == 0 ? .success : failed(key, ProbeOutput.text(result.output + result.errors))
            } catch let failure as RuntimeFailure where failure.code == .timedOut {
                return failed(key, "command \"\(command.joined(separator: " "))\" timed out")
            } catch {
                return errored(key, "\(error)")
            }
        case .httpGet(let scheme, let host, let port, let path, let fields):
            var headers = ["User-Agent": "kube-probe/1.28", "Accept": "*/*"]
            for field in fields { headers[field.name] = field.value }
            let request = HandlerRequest(usesTLS: scheme == "https", host: host ?? own, port: Int(port), path: path, headers: headers)
            do {
                let answer = try await context.handlers.get(request, timeout: timeout)
                return (200..<400).contains(answer.status) ? .success : failed(key, "HTTP probe failed with statuscode: \(answer.status)")
            } catch {
                return failed(key, "\(error)")
            }
        case .tcpSocket(let host, let port):
            do {
                try await context.handlers.connect(host: host ?? own, port: Int(port), timeout: timeout)
                return .success
            } catch {
                return failed(key, "\(error)")
            }
        case .grpc:
            // Health checks by gRPC come with the rest of the kubelet; until then they change nothing.
            return .error
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

/// What a command of a probe wrote, as far as an event shows it.
private enum ProbeOutput {
    static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes.prefix(10 << 10), as: UTF8.self) }
}

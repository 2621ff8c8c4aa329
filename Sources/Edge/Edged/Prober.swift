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
    /// Probes that are being tried now.
    var running: Set<Key> = []
    private var ended: Set<Key> = []

    /// Takes the probes of the spec on. Those that had passed before the agent was started anew are spread over their period.
    mutating func adopt(_ pod: PodView, hasPassed: (Key) -> Bool, now: Moment) {
        for container in pod.lastingContainers {
            let probes: [(ProbeKind, JSONValue?)] = [
                (.startup, container.startupProbe), (.readiness, container.readinessProbe), (.liveness, container.livenessProbe),
            ]
            for (kind, probe) in probes {
                let key = Key(container: container.name, kind: kind)
                guard let probe, cores[key] == nil, !ended.contains(key) else { continue }
                var core = ProbeCore(kind, probe, firstAt: now.uptime)
                if hasPassed(key) { core = ProbeCore(kind, probe, firstAt: now.uptime + core.period * Double.random(in: 0..<1)) }
                cores[key] = core
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

/// A try of a probe that is due.
struct ProbeTry: Sendable {
    var key: PodProbes.Key
    var containerID: String
    /// nil where the probe cannot be made: a port without a number.
    var action: ProbeAction?
    var timeout: Duration
}

extension PodWorker {
    /// The probes that are due now, each to be handed to `run`, and the uptime at which to ask again; nil where there is nothing to wait for.
    func dueProbes() -> (tries: [ProbeTry], next: Duration?) {
        podProbes.adopt(pod, hasPassed: { self.hasPassed($0) }, now: context.clock.now())
        var tries: [ProbeTry] = []
        var next: Duration?
        for key in podProbes.cores.keys where !podProbes.running.contains(key) {
            switch step(key, context.clock.now()) {
            case .wait(let until): next = min(next ?? until, until)
            case .end:
                note(key)
                podProbes.end(key)
            case .probe(let id):
                guard let core = podProbes.cores[key] else { continue }
                podProbes.running.insert(key)
                tries.append(ProbeTry(key: key, containerID: id, action: action(key), timeout: core.timeout))
            }
        }
        return (tries, next)
    }

    /// Makes one try; true where the pod needs a turn because of it.
    func run(_ probe: ProbeTry) async -> Bool {
        var result = ProbeCore.Result.error
        if let action = probe.action { result = await measured(action, probe.key, probe.containerID, probe.timeout) }
        podProbes.running.remove(probe.key)
        return take(result, of: probe.key, probe.containerID)
    }

    private func newest(_ container: String) -> ContainerState? {
        knownContainers.values.filter { $0.name == container }.min(by: ContainerState.isNewer)
    }

    /// Whether the container that is there now is known to pass the probe.
    private func hasPassed(_ key: PodProbes.Key) -> Bool {
        newest(key.container).map { probes.outcome(key.kind, $0.id) == .success } ?? false
    }

    private func step(_ key: PodProbes.Key, _ now: Moment) -> ProbeCore.Step {
        let container = newest(key.container)
        let hasStartup = pod.container(named: key.container)?.startupProbe != nil
        let isStarted = container.map { !hasStartup || probes.outcome(.startup, $0.id) == .success } ?? false
        var step = ProbeCore.Step.end
        let (isDeleted, isTerminal) = (pod.isDeleted || lifecycle.stage != .syncing, pod.isTerminal)
        let mayRestart = pod.restartPolicy != .never || pod.container(named: key.container)?.isRestartable == true
        let hasPassed = hasPassed(key)
        podProbes.change(key) {
            step = $0.next(
                container, isStarted: isStarted, isPodDeleted: isDeleted, isPodTerminal: isTerminal, mayRestart: mayRestart, hasPassed: hasPassed,
                now: now)
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
}

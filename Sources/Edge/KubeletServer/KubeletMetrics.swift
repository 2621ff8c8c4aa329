import KubeMachinery
package import PodCore
import Primitives
package import Supervision
import Synchronization

/// The kubelet's numbers (`spec/05 §27.5`), counted where things happen and written out when somebody asks.
package final class KubeletMetrics: KubeletMeter {
    private let registry: MetricsRegistry
    private let probes = Mutex<[ProbeSeries.Key: ProbeSeries]>([:])

    /// - Parameter registry: May hold other numbers too.
    package init(registry: MetricsRegistry = MetricsRegistry()) { self.registry = registry }

    /// What `/metrics` shows.
    var text: String { registry.text }

    /// What `/metrics/probes` shows.
    var probeText: String { ProbeSeries.text(probes.withLock { $0 }) }

    package func record(_ measurement: KubeletMeasurement) {
        switch measurement {
        case .runtimeCall(let operation, let duration, let hasFailed): countCall(operation, duration, hasFailed)
        case .relist(let duration, let interval): countRelist(duration, interval)
        case .turn(let duration):
            registry.histogram(
                "kubelet_pod_worker_duration_seconds", help: "Duration in seconds to sync a single pod.", labels: ["operation_type": "sync"]
            ).observe(duration.seconds)
        case .podRuns(let age):
            registry.histogram(
                "kubelet_pod_start_duration_seconds", help: "Duration in seconds from the creation of a pod until it is told to be running.",
                buckets: Self.startBuckets
            ).observe(max(0, age.seconds))
            registry.counter("kubelet_started_pods_total", help: "Cumulative number of pods started").add()
        case .sandboxStart(let duration, let hasFailed):
            let help = "Duration in seconds of the run_podsandbox operations."
            registry.histogram("kubelet_run_podsandbox_duration_seconds", help: help, buckets: Self.callBuckets).observe(duration.seconds)
            let errors = registry.counter("kubelet_run_podsandbox_errors_total", help: "Cumulative number of run_podsandbox operation errors.")
            if hasFailed { errors.add() }
        case .containerStart(let kind, let code): countStart(kind, code)
        case .orphanFound:
            registry.counter("kubelet_orphaned_runtime_pods_total", help: "Number of pods that were found in the runtime and that nobody wanted.")
                .add()
        case .probe(let pod, let uid, let container, let kind, let outcome, let duration):
            let key = ProbeSeries.Key(uid: uid, container: container, kind: kind)
            probes.withLock { $0[key, default: ProbeSeries(pod: pod)].add(outcome, duration.seconds) }
        case .podGone(let uid): probes.withLock { probes in probes = probes.filter { $0.key.uid != uid } }
        }
    }

    /// Counts a request to the server itself; `path` is one of a handful.
    func countRequest(method: String, path: String, isLong: Bool) {
        let known = ["GET", "HEAD", "POST", "PUT", "DELETE"]
        registry.counter(
            "kubelet_http_requests_total", help: "Number of the http requests received since the server started",
            labels: [
                "long_running": "\(isLong)", "method": known.contains(method) ? method : "other", "path": path, "server_type": "readonly",
            ]
        ).add()
    }

    private func countCall(_ operation: String, _ duration: Duration, _ hasFailed: Bool) {
        registry.counter(
            "kubelet_runtime_operations_total", help: "Cumulative number of runtime operations by operation type.",
            labels: ["operation_type": operation]
        ).add()
        registry.histogram(
            "kubelet_runtime_operations_duration_seconds", help: "Duration in seconds of runtime operations. Broken down by operation type.",
            buckets: Self.callBuckets, labels: ["operation_type": operation]
        ).observe(duration.seconds)
        guard hasFailed else { return }
        registry.counter(
            "kubelet_runtime_operations_errors_total", help: "Cumulative number of runtime operation errors by operation type.",
            labels: ["operation_type": operation]
        ).add()
    }

    private func countRelist(_ duration: Duration, _ interval: Duration?) {
        registry.histogram("kubelet_pleg_relist_duration_seconds", help: "Duration in seconds for relisting pods in PLEG.").observe(duration.seconds)
        if let interval {
            registry.histogram("kubelet_pleg_relist_interval_seconds", help: "Interval in seconds between relisting in PLEG.").observe(
                interval.seconds)
        }
        registry.gauge("kubelet_pleg_last_seen_seconds", help: "Timestamp in seconds when PLEG was last seen active.")
            .set(Double(SystemClock().now().wall.seconds))
    }

    private func countStart(_ kind: ContainerView.Kind, _ code: String?) {
        let type =
            switch kind {
            case .initialization: "init_container"
            case .regular: "container"
            case .ephemeral: "ephemeral_container"
            }
        registry.counter(
            "kubelet_started_containers_total", help: "Cumulative number of containers started", labels: ["container_type": type]
        ).add()
        guard let code else { return }
        registry.counter(
            "kubelet_started_containers_errors_total", help: "Cumulative number of errors when starting containers",
            labels: ["code": code, "container_type": type]
        ).add()
    }

    private static let startBuckets: [Double] = [
        0.5, 1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 45, 60, 120, 180, 240, 300, 360, 480, 600, 900, 1200, 1800, 2700, 3600,
    ]
    /// From 5 ms on, each 2.5 times the one before.
    private static let callBuckets: [Double] = (0..<14).reduce(into: []) { buckets, _ in buckets.append((buckets.last ?? 0.002) * 2.5) }
}

/// The results of one probe of one container.
struct ProbeSeries: Sendable {
    struct Key: Sendable, Hashable {
        var uid: String
        var container: String
        var kind: ProbeKind
    }

    private static let bounds: [Double] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

    let pod: ObjectKey
    private var counts: [KubeletMeasurement.Outcome: UInt64] = [:]
    private var slots = [UInt32](repeating: 0, count: bounds.count)
    private var total: UInt64 = 0
    private var sum = 0.0

    init(pod: ObjectKey) { self.pod = pod }

    mutating func add(_ outcome: KubeletMeasurement.Outcome, _ seconds: Double) {
        counts[outcome, default: 0] += 1
        total += 1
        sum += seconds
        for (index, bound) in Self.bounds.enumerated() where seconds <= bound { slots[index] &+= 1 }
    }

    static func text(_ series: [Key: ProbeSeries]) -> String {
        let ordered = series.sorted { one, other in
            (one.key.uid, one.key.container, one.key.kind.rawValue) < (other.key.uid, other.key.container, other.key.kind.rawValue)
        }
        var text = ExpositionText()
        text.family("prober_probe_total", .counter, "Cumulative number of a liveness, readiness or startup probe for a container by result.") {
            family in
            for (key, probe) in ordered {
                for outcome in [KubeletMeasurement.Outcome.failure, .success, .unknown] {
                    family.sample(
                        [
                            "container": key.container, "namespace": probe.pod.namespace ?? "", "pod": probe.pod.name, "pod_uid": key.uid,
                            "probe_type": key.kind.rawValue, "result": outcome.rawValue,
                        ], probe.counts[outcome]?.sample)
                }
            }
        }
        guard !ordered.isEmpty else { return text.text }
        let name = "prober_probe_duration_seconds"
        var lines = "# HELP \(name) Duration in seconds for a probe response.\n# TYPE \(name) histogram\n"
        for (key, probe) in ordered {
            let labels =
                "container=\"\(key.container)\",namespace=\"\(probe.pod.namespace ?? "")\",pod=\"\(probe.pod.name)\",probe_type=\"\(key.kind.rawValue)\""
            for (bound, count) in zip(bounds, probe.slots) { lines += "\(name)_bucket{\(labels),le=\"\(ExpositionText.number(bound))\"} \(count)\n" }
            lines += "\(name)_bucket{\(labels),le=\"+Inf\"} \(probe.total)\n\(name)_sum{\(labels)} \(probe.sum)\n"
            lines += "\(name)_count{\(labels)} \(probe.total)\n"
        }
        return text.text + lines
    }
}

extension Duration {
    /// As a number of seconds.
    fileprivate var seconds: Double { self / .seconds(1) }
}

package import KubeMachinery

/// What the kubelet shows of itself to its HTTP server (`spec/05 §26`); Edged implements it.
package protocol KubeletView: Sendable {
    /// The pods that the node is to run, each with its newest status.
    func pods() async -> [KubeObject]
    /// nil where the node has no such pod.
    func pod(_ key: ObjectKey) async -> KubeObject?
    /// How long ago the sync loop was entered; nil before the first time.
    func timeSinceSync() async -> Duration?
}

/// Something of the kubelet's work that is worth a number.
package enum KubeletMeasurement: Sendable, Hashable {
    package enum Outcome: String, Sendable { case success = "successful", failure = "failed", unknown }

    /// A call of the container runtime; `operation` in the words of the kubelet's metrics (`list_containers`).
    case runtimeCall(operation: String, duration: Duration, hasFailed: Bool)
    /// The runtime's lists were read; `interval` since the time before.
    case relist(duration: Duration, interval: Duration?)
    /// A pod's worker took its turn.
    case turn(Duration)
    /// A pod was told to be running for the first time, so long after its creation.
    case podRuns(sinceCreation: Duration)
    case sandboxStart(duration: Duration, hasFailed: Bool)
    /// `code` is the reason of a failure, nil for a success.
    case containerStart(kind: ContainerView.Kind, code: String?)
    case orphanFound
    case probe(pod: ObjectKey, uid: String, container: String, kind: ProbeKind, outcome: Outcome, duration: Duration)
    /// Nothing of the pod is left; its own series end.
    case podGone(uid: String)
}

/// Takes measurements. Never waits and never fails.
package protocol KubeletMeter: Sendable {
    func record(_ measurement: KubeletMeasurement)
}

/// For a kubelet that nobody measures.
package struct NoMeter: KubeletMeter {
    package init() {}
    package func record(_ measurement: KubeletMeasurement) {}
}

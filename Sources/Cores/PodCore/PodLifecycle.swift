package import KubeMachinery
package import Primitives

/// The life of one pod (one UID) on the node: what to do next, and what to tell the cluster.
///
///     syncing ──(deleted, removed, rejected, evicted, deadline, phase terminal)──▶ terminating
///     terminating ──(no container runs, no sandbox is ready)──▶ terminated
///     terminated ──(`released`: volumes and cgroup are gone)──▶ finished
///
/// A pod never goes back (`spec/05 §9.3`). The shell calls `sync` with a fresh observation after every event and every performed
/// action, performs what it returns, and tells of failures with `failed` and of successes with `started`.
package struct PodLifecycle: Sendable {
    /// How far the pod has come on its way out.
    package enum Stage: Sendable, Hashable { case syncing, terminating, terminated, finished }

    /// Why a pod ends. The first reason counts, except that a removal overrides all others.
    package enum Ending: Sendable, Hashable {
        /// The object has a deletion timestamp.
        case deleted
        /// The object is gone from the cluster.
        case removed
        /// All containers have ended for good.
        case completed
        /// Refused, evicted or past its deadline: the phase becomes `Failed` with this reason and message.
        case failed(reason: String, message: String)
    }

    /// The newest object of the cluster; its status is what the cluster is known to have.
    package internal(set) var pod: PodView
    /// The cluster's picture of a static pod: what its status is compared with, and whom it is reported for.
    package private(set) var mirror: KubeObject?
    package internal(set) var stage = Stage.syncing
    package internal(set) var ending: Ending?
    /// The newest status that was worked out, null before the first.
    package internal(set) var status = JSONValue.null

    var backoffs: [String: RestartBackoff] = [:]
    var startFailures: [String: StartFailure] = [:]
    /// The shortest grace asked for so far; only set while terminating.
    var grace: Duration?
    var graceOverride: Duration?
    var disruption: JSONValue?
    /// Admission refused the pod: its status names no container.
    var isRejected = false
    /// What the node cannot give the pod; nil where it can have all.
    var blockage: AdmissionRefusal?
    var sentStatus: JSONValue?
    /// Uptime at which the active deadline passes, with the deadline it was worked out from.
    var deadline: (allowed: Duration, at: Duration)?

    package init(_ pod: KubeObject) {
        self.pod = PodView(pod)
        if self.pod.isDeleted { end(.deleted) }
        if self.pod.isTerminal { end(.completed) }
    }

    /// Takes the newest object from the cluster.
    package mutating func update(_ object: KubeObject) {
        precondition(object.uid == pod.uid, "a pod with another UID is another pod: \(object.uid) instead of \(pod.uid)")
        var object = object
        for key in ["kubernetes.io/config.source", "kubernetes.io/config.seen", "kubernetes.io/config.hash"]
        where object.metadata["annotations"].member(key) == nil {
            if let kept = pod.object.metadata["annotations"].member(key) { object.metadata["annotations"][key] = kept }
        }
        if object.status != pod.object.status { sentStatus = nil }
        pod.object = object
        if pod.isDeleted { end(.deleted) }
        if pod.isTerminal { end(.completed) }
    }

    /// Takes the mirror of a static pod, nil where there is none (any more).
    package mutating func update(mirror: KubeObject?) {
        if mirror?.uid != self.mirror?.uid || mirror?.status != self.mirror?.status { sentStatus = nil }
        self.mirror = mirror
    }

    /// Whom a status is reported for; nil while a static pod has no mirror.
    package var reportUID: String? { pod.isStatic ? mirror?.uid : pod.uid }

    /// The status that the cluster is known to have.
    var clusterStatus: JSONValue { pod.isStatic ? mirror?.status ?? .null : pod.object.status }

    /// What of it the pod's own status builds upon. The phase of a mirror says nothing about the pod: only the file ends a static pod.
    var storedStatus: JSONValue {
        guard pod.isStatic else { return pod.object.status }
        var status = clusterStatus
        for member in ["phase", "reason", "message"] { status.removeMember(member) }
        return status
    }

    /// The object is gone from the cluster: stop everything, delete nothing.
    package mutating func remove() {
        end(.removed)
        ending = .removed
    }

    /// Admission refused the pod (`spec/05 §10.2`): no container of it is ever made.
    package mutating func reject(_ refusal: AdmissionRefusal) {
        isRejected = true
        end(.failed(reason: refusal.reason, message: "Pod was rejected: \(refusal.message)"))
    }

    /// The node cannot give the pod what it must not run without: its containers wait, shown as `Blocked` (`spec/05 §10.5`).
    package mutating func block(_ refusal: AdmissionRefusal?) { blockage = refusal }

    /// Ends the pod for the node's sake. `grace` replaces every other grace period.
    ///
    /// - Parameters:
    ///   - isDisruption: The node is short of something; a pod that took more than it may disrupts itself.
    ///   - disruption: What the condition says in place of `message`.
    package mutating func evict(
        reason: String, message: String, grace: Duration, isDisruption: Bool = true, disruption text: String? = nil, now: Moment
    ) {
        graceOverride = grace
        if isDisruption {
            disruption = PodConditions.condition(
                "DisruptionTarget", true, reason: "TerminationByKubelet", message: text ?? message, transition: now.wall)
        }
        end(.failed(reason: reason, message: message))
    }

    /// A pod that runs although nothing asks for it: stopped with a grace of one second.
    package mutating func orphan() {
        graceOverride = .seconds(1)
        remove()
    }

    mutating func end(_ cause: Ending) {
        if ending == nil { ending = cause }
        if stage == .syncing { stage = .terminating }
    }

    /// The container runs, or ran: an earlier failure is forgotten.
    package mutating func started(_ container: String) { startFailures[container] = nil }

    /// The container did not start; its status shows why until it does.
    package mutating func failed(_ container: String, _ failure: StartFailure) { startFailures[container] = failure }

    /// Containers that wait until they may be started again, by name.
    package var backingOff: [String] {
        guard stage == .syncing else { return [] }
        return startFailures.filter { $0.value.reason == "CrashLoopBackOff" }.map(\.key).sorted()
    }

    /// Volumes and cgroup are gone.
    package mutating func released() { if stage == .terminated { stage = .finished } }

    /// Whether ending the pod now would free something: it may run, and has not been told to go in a hurry.
    package var isEvictable: Bool { couldHaveRunningContainers && graceOverride == nil && ending != .removed }

    /// Whether a container of the pod may still run.
    package var couldHaveRunningContainers: Bool { stage == .syncing || stage == .terminating }
}

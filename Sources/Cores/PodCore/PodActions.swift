import Primitives

/// What the runtime has of one pod. Only what carries the pod's UID label belongs here (`spec/05 §8.4`).
package struct PodObservation: Sendable, Hashable {
    /// With addresses (from a status call) for the newest one at least.
    package var sandboxes: [SandboxState]
    /// With exit codes and times (from a status call).
    package var containers: [ContainerState]

    package init(sandboxes: [SandboxState] = [], containers: [ContainerState] = []) {
        self.sandboxes = sandboxes.sorted(by: SandboxState.isNewer)
        self.containers = containers.sorted(by: ContainerState.isNewer)
    }

    /// The newest container of that name.
    package func newest(_ name: String) -> ContainerState? { containers.first { $0.name == name } }
    /// All containers of that name, newest first.
    package func history(_ name: String) -> [ContainerState] { containers.filter { $0.name == name } }
    package var running: [ContainerState] { containers.filter { $0.phase == .running } }
    /// What could still have a process.
    package var alive: [ContainerState] { containers.filter { $0.phase == .running || $0.phase == .unknown } }
}

/// What one sync of a pod asks for. The shell performs the parts in the order they stand here, then observes and syncs again.
package struct PodActions: Sendable, Hashable {
    /// Stop all containers in parallel, then stop every sandbox; nothing else of this value is set but `removals` and the stages.
    package var podKill: PodKill?
    package var kills: [ContainerKill] = []
    /// Containers (IDs) to remove: older copies of init containers.
    package var removals: [String] = []
    /// The attempt number of a sandbox to create.
    package var sandboxAttempt: UInt32?
    /// Containers to start, one after the other; the next is tried when one fails, but after a failed init container none is.
    package var starts: [ContainerStart] = []
    /// Uptime at which to sync again although nothing happened: the end of a back-off or the active deadline.
    package var wakeUp: Duration?
    /// All containers have stopped: unmount volumes and remove the cgroup, then call `released`.
    package var releases = false
    /// Everything is gone and the API object waits for its last deletion: hand the status over, then delete the object.
    package var deletesObject = false

    package init() {}

    /// Nothing to do now.
    package var isEmpty: Bool {
        podKill == nil && kills.isEmpty && removals.isEmpty && sandboxAttempt == nil && starts.isEmpty && !releases && !deletesObject
    }
}

/// How to stop a whole pod.
package struct PodKill: Sendable, Hashable {
    /// One for each container that could still run.
    package var containers: [ContainerKill]
    /// Sandboxes to stop once the containers have.
    package var sandboxes: [String]

    package init(containers: [ContainerKill], sandboxes: [String]) {
        self.containers = containers
        self.sandboxes = sandboxes
    }
}

/// How to stop one container.
package struct ContainerKill: Sendable, Hashable {
    /// Why a container is stopped.
    package enum Reason: Sendable { case deletion, definitionChanged, liveness, startup, unknownState, orphaned, postStartHook }

    package var id: String
    package var name: String
    /// For the event: `Stopping container c`, `Container c failed liveness probe, will be restarted`, …
    package var message: String
    package var reason: Reason
    /// The whole grace, preStop hook included. `StopBudget` divides it.
    package var grace: Duration

    package init(id: String, name: String, message: String, reason: Reason, grace: Duration) {
        self.id = id
        self.name = name
        self.message = message
        self.reason = reason
        self.grace = grace
    }
}

/// A container to make and start.
package struct ContainerStart: Sendable, Hashable {
    package var name: String
    package var kind: ContainerView.Kind
    /// The restart count; nil where the log directory has to tell (`spec/05 §12.5`): highest `N.log` + 1, or 0.
    package var attempt: UInt32?

    package init(name: String, kind: ContainerView.Kind, attempt: UInt32?) {
        self.name = name
        self.kind = kind
        self.attempt = attempt
    }
}

/// Divides a grace period between the preStop hook and the stop signal (`spec/05 §14.3`).
package enum StopBudget {
    /// What a container without any grace still gets between the stop signal and its kill.
    package static let minimum = Duration.seconds(2)

    /// The timeout of the stop call, whole seconds, after `used` was spent on the hook.
    ///
    /// What the hook has eaten up is raised to the minimum, but never above a grace of a second or more that was asked for.
    package static func stopTimeout(grace: Duration, used: Duration = .zero) -> Duration {
        let wholeSecondsUsed = Duration.seconds(used.components.seconds)
        let least = grace >= .seconds(1) ? min(grace, minimum) : minimum
        return max(grace - wholeSecondsUsed, least)
    }
}

/// Why a container did not start, as its status shows it.
package struct StartFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// `ErrImagePull`, `CreateContainerConfigError`, `RunContainerError`, `CrashLoopBackOff`, … (`spec/05 §12.6`).
    package var reason: String
    package var message: String

    package init(reason: String, message: String) {
        self.reason = reason
        self.message = message
    }

    package var description: String { "\(reason): \(message)" }
    /// Whether the next attempt waits for its own back-off, so that no hurry is needed.
    package var isBackOff: Bool { reason == "CrashLoopBackOff" || reason == "ImagePullBackOff" }

    /// The configuration of the container cannot be made (missing configMap, bad user, …).
    package static func configuration(_ message: String) -> StartFailure { StartFailure(reason: "CreateContainerConfigError", message: message) }
    /// The runtime could not make the container.
    package static func create(_ message: String) -> StartFailure { StartFailure(reason: "CreateContainerError", message: message) }
    /// The runtime made the container and could not start it.
    package static func run(_ message: String) -> StartFailure { StartFailure(reason: "RunContainerError", message: message) }
}

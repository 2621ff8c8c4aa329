package import Primitives

/// When to pull which image, and what to show while that fails (`spec/05 §17`).
package struct ImagePulls: Sendable {
    /// What to do about a container's image now.
    package enum Decision: Sendable, Hashable {
        /// The image that is there serves.
        case use
        /// Pull this reference, then tell `succeeded` or `failed`.
        case pull(String)
        /// The container waits with this failure. `retryAt` (uptime) is when to try again, nil where only a change of the pod helps.
        case wait(StartFailure, retryAt: Duration?)
    }

    private struct Entry {
        var delay: Duration
        var updatedAt: Duration
    }
    private static let initial = Duration.seconds(10)
    private static let limit = Duration.seconds(300)
    private var entries: [String: Entry] = [:]

    package init() {}

    /// Decides for one container of a pod. `isPresent` is what the runtime says about `ImageReference.complete`.
    package func decide(_ container: ContainerView, in pod: PodView, isPresent: Bool, now: Moment) -> Decision {
        let reference: ImageReference
        do throws(StartFailure) { reference = try ImageReference(container.image) } catch { return .wait(error, retryAt: nil) }
        switch Self.policy(container, reference) {
        case "Never":
            if isPresent { return .use }
            return .wait(
                StartFailure(
                    reason: "ErrImageNeverPull", message: "Container image \"\(container.image)\" is not present with pull policy of Never"),
                retryAt: nil)
        case "IfNotPresent" where isPresent: return .use
        default: break
        }
        if let entry = entry(pod, container, now), now.uptime - entry.updatedAt < entry.delay {
            return .wait(
                StartFailure(reason: "ImagePullBackOff", message: "Back-off pulling image \"\(container.image)\""),
                retryAt: entry.updatedAt + entry.delay)
        }
        return .pull(reference.complete)
    }

    /// The image has been pulled: its back-off is forgotten.
    package mutating func succeeded(_ container: ContainerView, in pod: PodView) { entries[Self.key(pod, container)] = nil }

    /// A pull failed with the runtime's `message`.
    ///
    /// Where the registry cannot be reached at all (`isUnreachable`) an image that is there already serves, so that a node that
    /// starts again without its cloud runs what it ran (`spec/05 §30.1`).
    package mutating func failed(
        _ container: ContainerView, in pod: PodView, message: String, isPresent: Bool, isUnreachable: Bool, now: Moment
    ) -> Decision {
        if isPresent, isUnreachable { return .use }
        let delay = entry(pod, container, now).map { min($0.delay * 2, Self.limit) } ?? Self.initial
        entries[Self.key(pod, container)] = Entry(delay: delay, updatedAt: now.uptime)
        let failure: StartFailure
        if message.hasPrefix("RegistryUnavailable") {
            failure = StartFailure(
                reason: "RegistryUnavailable",
                message: "image pull failed for \(container.image) because the registry is unavailable: \(message)")
        } else if message.hasPrefix("SignatureValidationFailed") {
            failure = StartFailure(
                reason: "SignatureValidationFailed",
                message: "image pull failed for \(container.image) because the signature validation failed: \(message)")
        } else {
            failure = StartFailure(reason: "ErrImagePull", message: message)
        }
        return .wait(failure, retryAt: now.uptime + delay)
    }

    /// Forgets the back-offs of a pod that is gone.
    package mutating func forget(podUID: String) { entries = entries.filter { !$0.key.hasPrefix("\(podUID)_") } }

    /// The failure of an image that the runtime could not be asked about.
    package static func inspectionFailed(_ image: String, _ message: String) -> StartFailure {
        StartFailure(reason: "ImageInspectError", message: "Failed to inspect image \"\(image)\": \(message)")
    }

    private func entry(_ pod: PodView, _ container: ContainerView, _ now: Moment) -> Entry? {
        guard let entry = entries[Self.key(pod, container)], now.uptime - entry.updatedAt <= Self.limit * 2 else { return nil }
        return entry
    }

    private static func policy(_ container: ContainerView, _ reference: ImageReference) -> String {
        if let policy = container.json["imagePullPolicy"].string, !policy.isEmpty { return policy }
        return reference.isFloating ? "Always" : "IfNotPresent"
    }

    private static func key(_ pod: PodView, _ container: ContainerView) -> String { "\(pod.uid)_\(container.image)" }
}

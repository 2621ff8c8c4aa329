import Primitives

/// What an event says, in the words of the kubelet 1.28, without saying whom it is about.
package struct KubeletNotice: Sendable, Hashable {
    package var level: KubeletEvent.Level
    package var reason: String
    package var message: String

    package init(_ level: KubeletEvent.Level, _ reason: String, _ message: String) {
        self.level = level
        self.reason = reason
        self.message = message
    }
}

extension KubeletEvent {
    package init(_ subject: Subject, _ notice: KubeletNotice) {
        self.init(subject, notice.level, reason: notice.reason, message: notice.message)
    }
}

// MARK: - Images

extension KubeletNotice {
    package static func pulling(_ image: String) -> Self { Self(.normal, "Pulling", "Pulling image \"\(image)\"") }
    /// `pull` is the time of the pull itself, `whole` with the wait for its turn.
    package static func pulled(_ image: String, pull: Duration, whole: Duration) -> Self {
        Self(
            .normal, "Pulled", "Successfully pulled image \"\(image)\" in \(pull.goMilliseconds) (\(whole.goMilliseconds) including waiting)")
    }
    package static func present(_ image: String) -> Self { Self(.normal, "Pulled", "Container image \"\(image)\" already present on machine") }
    package static func pullFailed(_ image: String, _ cause: String) -> Self {
        Self(.warning, "Failed", "Failed to pull image \"\(image)\": \(cause)")
    }
    package static func pullBackOff(_ image: String) -> Self { Self(.normal, "BackOff", "Back-off pulling image \"\(image)\"") }
    package static func neverPulled(_ image: String) -> Self {
        Self(.warning, "ErrImageNeverPull", "Container image \"\(image)\" is not present with pull policy of Never")
    }
    package static func inspectionFailed(_ image: String, _ cause: String) -> Self {
        Self(.warning, "InspectFailed", "Failed to inspect image \"\(image)\": \(cause)")
    }
    package static func invalidImage(_ image: String, _ cause: String) -> Self {
        Self(.warning, "InspectFailed", "Failed to apply default image tag \"\(image)\": \(cause)")
    }
    package static func secretsMissing(_ names: [String]) -> Self {
        Self(
            .warning, "FailedToRetrieveImagePullSecret",
            "Unable to retrieve some image pull secrets (\(names.joined(separator: ", "))); attempting to pull the image may not succeed.")
    }

    /// What a failure of `ImagePulls` is told as, besides the `Failed` of its container; nil for one that is told elsewhere.
    package static func image(_ image: String, _ failure: StartFailure) -> Self? {
        switch failure.reason {
        case "ErrImageNeverPull": neverPulled(image)
        case "ImagePullBackOff": pullBackOff(image)
        case "InvalidImageName": invalidImage(image, failure.message)
        case "ImageInspectError": Self(.warning, "InspectFailed", failure.message)
        default: nil
        }
    }
}

// MARK: - Containers

extension KubeletNotice {
    package static func created(_ container: String) -> Self { Self(.normal, "Created", "Created container \(container)") }
    package static func started(_ container: String) -> Self { Self(.normal, "Started", "Started container \(container)") }
    package static func killing(_ cause: String) -> Self { Self(.normal, "Killing", cause) }
    package static func failed(_ cause: String) -> Self { Self(.warning, "Failed", "Error: \(cause)") }
    package static func restartBackOff(_ container: String, of pod: PodView) -> Self {
        Self(.warning, "BackOff", "Back-off restarting failed container \(container) in pod \(pod.fullName)")
    }
    /// The answer of a hook may hold secrets: it stays in the log.
    package static let postStartFailed = Self(.warning, "FailedPostStartHook", "PostStartHook failed")
    package static let preStopFailed = Self(.warning, "FailedPreStopHook", "PreStopHook failed")

    /// A container that did not start. Images are told by their reason, everything else by its message.
    package static func failed(_ failure: StartFailure) -> Self? {
        switch failure.reason {
        case "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError", "RegistryUnavailable",
            "SignatureValidationFailed":
            failed(failure.reason)
        case "CrashLoopBackOff", "PostStartHookError": nil
        default: failed(failure.message)
        }
    }

    package static func unhealthy(_ probe: ProbeKind, _ output: String) -> Self {
        Self(.warning, "Unhealthy", "\(probe.rawValue) probe failed: \(output)")
    }
    package static func probeErrored(_ probe: ProbeKind, _ cause: String) -> Self {
        Self(.warning, "Unhealthy", "\(probe.rawValue) probe errored: \(cause)")
    }
    /// A probe was sent to another host, which counts as healthy.
    package static func redirected(_ probe: ProbeKind, body: String) -> Self {
        Self(.warning, "ProbeWarning", "\(probe.rawValue) probe warning: Probe terminated redirects, Response body: \(body.prefix(1024))")
    }

    /// Keys of an `envFrom` source that cannot name variables.
    package static func skippedVariables(_ keys: [String], of source: ObjectReference, namespace: String) -> Self {
        Self(
            .warning, "InvalidEnvironmentVariableNames",
            "Keys [\(keys.joined(separator: ", "))] from the EnvFrom \(source.kind == .configMap ? "configMap" : "secret") \(namespace)/\(source.name) "
                + "were skipped since they are considered invalid environment variable names.")
    }
}

// MARK: - Pods

extension KubeletNotice {
    package static func refused(_ refusal: AdmissionRefusal) -> Self { Self(.warning, refusal.reason, refusal.message) }
    package static let sandboxChanged = Self(.normal, "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
    package static func sandboxFailed(_ cause: String) -> Self { Self(.warning, "FailedCreatePodSandBox", "Failed to create pod sandbox: \(cause)") }
    package static func sandboxStatusFailed(_ cause: String) -> Self {
        Self(.warning, "FailedPodSandBoxStatus", "Unable to get pod sandbox status: \(cause)")
    }
    package static func networkNotReady(_ cause: String) -> Self {
        Self(.warning, "NetworkNotReady", "network is not ready: container runtime network not ready: \(cause)")
    }
    package static func mountFailed(_ volume: String, _ cause: String) -> Self {
        Self(.warning, "FailedMount", "MountVolume.SetUp failed for volume \"\(volume)\" : \(cause)")
    }
    package static func directoriesFailed(_ cause: String) -> Self { Self(.warning, "Failed", "error making pod data directories: \(cause)") }
    package static func controlGroupFailed(_ cause: String) -> Self {
        Self(.warning, "FailedCreatePodContainer", "unable to ensure pod container exists: \(cause)")
    }
    package static func killFailed(_ cause: String) -> Self { Self(.warning, "FailedKillPod", "error killing pod: \(cause)") }
    package static func syncFailed(_ cause: String) -> Self { Self(.warning, "FailedSync", "error determining status: \(cause)") }
    package static func deadlineExceeded(_ message: String) -> Self { Self(.normal, "DeadlineExceeded", message) }

    /// What a pod's resolver configuration had to leave out.
    package static func resolver(_ plan: ResolverPlan) -> [Self] {
        var notices: [Self] = []
        if plan.hasCutServers {
            notices.append(
                Self(
                    .warning, "DNSConfigForming",
                    "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: "
                        + plan.servers.joined(separator: " ")))
        }
        if plan.hasCutSearches {
            notices.append(
                Self(
                    .warning, "DNSConfigForming",
                    "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: "
                        + plan.searches.joined(separator: " ")))
        }
        return notices
    }

    /// `ClusterFirst` without a cluster DNS server; the pod is named where the node is not the subject.
    package static func clusterDNSMissing(_ pod: PodView?) -> Self {
        let sentence =
            "kubelet does not have ClusterDNS IP configured and cannot create Pod using \"ClusterFirst\" policy. Falling back to \"Default\" policy."
        return Self(.warning, "MissingClusterDNS", pod.map { "pod: \"\($0.fullName)\". \(sentence)" } ?? sentence)
    }
}

extension Duration {
    /// Go's way to write a time cut to milliseconds: `0s`, `250ms`, `1.5s`, `1m2.003s`.
    var goMilliseconds: String {
        let milliseconds = components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
        if milliseconds == 0 { return "0s" }
        if milliseconds < 1000 { return "\(milliseconds)ms" }
        var fraction = String(milliseconds % 1000 + 1000).dropFirst()
        while fraction.last == "0" { fraction.removeLast() }
        let (minutes, seconds) = (milliseconds / 60_000, milliseconds / 1000 % 60)
        let tail = "\(seconds)\(fraction.isEmpty ? "" : ".\(fraction)")s"
        if minutes == 0 { return tail }
        return minutes < 60 ? "\(minutes)m\(tail)" : "\(minutes / 60)h\(minutes % 60)m\(tail)"
    }
}

import PodCore
import Primitives

// What a runtime answers, as the values of `PodCore`.

extension Timestamp {
    /// CRI's nanoseconds since 1970.
    init(criNanoseconds total: Int64) {
        var (seconds, nanoseconds) = total.quotientAndRemainder(dividingBy: 1_000_000_000)
        if nanoseconds < 0 {
            seconds -= 1
            nanoseconds += 1_000_000_000
        }
        self.init(seconds: seconds, nanoseconds: Int32(truncatingIfNeeded: nanoseconds))
    }

    /// CRI leaves 0 (and some runtimes Go's zero time) where something has not happened yet.
    static func criTime(_ nanoseconds: Int64) -> Timestamp? { nanoseconds > 0 ? Timestamp(criNanoseconds: nanoseconds) : nil }
}

extension SandboxState {
    init(_ sandbox: Runtime_V1_PodSandbox) {
        self.init(
            id: sandbox.id, podName: sandbox.metadata.name, podNamespace: sandbox.metadata.namespace, podUID: sandbox.metadata.uid,
            attempt: sandbox.metadata.attempt, isReady: sandbox.state == .sandboxReady, createdAt: Timestamp(criNanoseconds: sandbox.createdAt),
            labels: sandbox.labels, annotations: sandbox.annotations)
    }

    init(_ status: Runtime_V1_PodSandboxStatus) {
        self.init(
            id: status.id, podName: status.metadata.name, podNamespace: status.metadata.namespace, podUID: status.metadata.uid,
            attempt: status.metadata.attempt, isReady: status.state == .sandboxReady, createdAt: Timestamp(criNanoseconds: status.createdAt),
            labels: status.labels, annotations: status.annotations)
        addresses = ([status.network.ip] + status.network.additionalIps.map(\.ip)).filter { !$0.isEmpty }
        usesHostNetwork = status.linux.namespaces.options.network == .node
    }
}

extension ContainerState.Phase {
    init(_ state: Runtime_V1_ContainerState) {
        self =
            switch state {
            case .containerCreated: .created
            case .containerRunning: .running
            case .containerExited: .exited
            case .containerUnknown, .UNRECOGNIZED: .unknown
            }
    }
}

extension ContainerState {
    init(_ container: Runtime_V1_Container) {
        self.init(
            id: container.id, sandboxID: container.podSandboxID, name: container.metadata.name, attempt: container.metadata.attempt,
            phase: Phase(container.state), createdAt: Timestamp(criNanoseconds: container.createdAt))
        image = container.image.image
        imageReference = container.imageRef
        labels = container.labels
        annotations = container.annotations
    }

    /// The sandbox is not part of a status; whoever asked knows it.
    init(_ status: Runtime_V1_ContainerStatus) {
        self.init(
            id: status.id, sandboxID: "", name: status.metadata.name, attempt: status.metadata.attempt, phase: Phase(status.state),
            createdAt: Timestamp(criNanoseconds: status.createdAt))
        startedAt = .criTime(status.startedAt)
        finishedAt = .criTime(status.finishedAt)
        exitCode = status.exitCode
        image = status.image.image
        imageReference = status.imageRef
        reason = status.reason
        message = status.message
        labels = status.labels
        annotations = status.annotations
        logPath = status.logPath
        mounts = status.mounts.map { mount in
            MountPlan(
                containerPath: mount.containerPath, hostPath: mount.hostPath, isReadOnly: mount.readonly,
                propagation: mount.propagation == .propagationBidirectional
                    ? .bidirectional : mount.propagation == .propagationHostToContainer ? .hostToContainer : .isPrivate)
        }
    }
}

extension ImageState {
    init(_ image: Runtime_V1_Image) {
        self.init(
            id: image.id, tags: image.repoTags, digests: image.repoDigests, size: image.size, user: image.hasUid ? image.uid.value : nil,
            userName: image.username, isPinned: image.pinned)
    }
}

package import PodCore
import Primitives

extension CRIRuntime: RuntimeInterface {
    package func version() async throws -> (name: String, version: String) {
        var request = Runtime_V1_VersionRequest()
        request.version = "0.1.0"
        let answer: Runtime_V1_VersionResponse = try await call(.runtime("Version"), request)
        guard answer.version == "0.1.0", !answer.runtimeName.isEmpty, !answer.runtimeVersion.isEmpty, !answer.runtimeApiVersion.isEmpty else {
            throw RuntimeFailure(
                code: .failed, message: "runtime api version not supported: \"\(answer.version)\" of \(answer.runtimeName) \(answer.runtimeVersion)")
        }
        return (answer.runtimeName, answer.runtimeVersion)
    }

    package func status() async throws -> [RuntimeCondition] {
        let answer: Runtime_V1_StatusResponse = try await call(.runtime("Status"), Runtime_V1_StatusRequest())
        return answer.status.conditions.map {
            RuntimeCondition(type: $0.type, isTrue: $0.status, reason: $0.reason, message: $0.message)
        }
    }

    package func updatePodRange(_ range: String) async throws {
        var request = Runtime_V1_UpdateRuntimeConfigRequest()
        request.runtimeConfig.networkConfig.podCidr = range
        let _: Runtime_V1_UpdateRuntimeConfigResponse = try await call(.runtime("UpdateRuntimeConfig"), request)
    }
}

// MARK: - Sandboxes

extension CRIRuntime {
    package func runSandbox(_ plan: SandboxPlan) async throws -> String {
        var request = Runtime_V1_RunPodSandboxRequest()
        request.config = Runtime_V1_PodSandboxConfig(plan)
        request.runtimeHandler = plan.runtimeHandler
        let answer: Runtime_V1_RunPodSandboxResponse = try await call(.runtime("RunPodSandbox"), request, timeout: limits.sandboxStart)
        return answer.podSandboxID
    }

    package func stopSandbox(_ id: String) async throws {
        var request = Runtime_V1_StopPodSandboxRequest()
        request.podSandboxID = id
        try await ignoringNotFound { let _: Runtime_V1_StopPodSandboxResponse = try await call(.runtime("StopPodSandbox"), request) }
    }

    package func removeSandbox(_ id: String) async throws {
        var request = Runtime_V1_RemovePodSandboxRequest()
        request.podSandboxID = id
        try await ignoringNotFound { let _: Runtime_V1_RemovePodSandboxResponse = try await call(.runtime("RemovePodSandbox"), request) }
    }

    package func sandbox(_ id: String) async throws -> SandboxState {
        var request = Runtime_V1_PodSandboxStatusRequest()
        request.podSandboxID = id
        let answer: Runtime_V1_PodSandboxStatusResponse = try await call(.runtime("PodSandboxStatus"), request)
        return SandboxState(answer.status)
    }

    package func sandboxes(ofPod uid: String?) async throws -> [SandboxState] {
        var request = Runtime_V1_ListPodSandboxRequest()
        if let uid { request.filter.labelSelector = [Self.podLabel: uid] }
        let answer: Runtime_V1_ListPodSandboxResponse = try await call(.runtime("ListPodSandbox"), request)
        return answer.items.map(SandboxState.init)
    }

    package func portForwardAddress(ofSandbox id: String, ports: [Int32]) async throws -> String {
        var request = Runtime_V1_PortForwardRequest()
        request.podSandboxID = id
        request.port = ports
        let answer: Runtime_V1_PortForwardResponse = try await call(.runtime("PortForward"), request)
        return answer.url
    }

    private static var podLabel: String { "io.kubernetes.pod.uid" }

    /// What is gone already need not be stopped or removed.
    private func ignoringNotFound(_ body: () async throws -> Void) async throws {
        do { try await body() } catch let failure as RuntimeFailure where failure.code == .notFound {}
    }
}

// MARK: - Containers

extension CRIRuntime {
    package func createContainer(_ plan: ContainerPlan, inSandbox id: String, _ sandbox: SandboxPlan) async throws -> String {
        var request = Runtime_V1_CreateContainerRequest()
        request.podSandboxID = id
        request.config = Runtime_V1_ContainerConfig(plan)
        request.sandboxConfig = Runtime_V1_PodSandboxConfig(sandbox)
        let answer: Runtime_V1_CreateContainerResponse = try await call(.runtime("CreateContainer"), request)
        return answer.containerID
    }

    package func startContainer(_ id: String) async throws {
        var request = Runtime_V1_StartContainerRequest()
        request.containerID = id
        let _: Runtime_V1_StartContainerResponse = try await call(.runtime("StartContainer"), request)
    }

    package func stopContainer(_ id: String, grace: Duration) async throws {
        var request = Runtime_V1_StopContainerRequest()
        request.containerID = id
        request.timeout = max(0, grace.components.seconds)
        try await ignoringNotFound {
            let _: Runtime_V1_StopContainerResponse = try await call(.runtime("StopContainer"), request, timeout: limits.stop(grace: grace))
        }
    }

    package func removeContainer(_ id: String) async throws {
        var request = Runtime_V1_RemoveContainerRequest()
        request.containerID = id
        try await ignoringNotFound { let _: Runtime_V1_RemoveContainerResponse = try await call(.runtime("RemoveContainer"), request) }
    }

    package func container(_ id: String) async throws -> ContainerState {
        var request = Runtime_V1_ContainerStatusRequest()
        request.containerID = id
        let answer: Runtime_V1_ContainerStatusResponse = try await call(.runtime("ContainerStatus"), request)
        return ContainerState(answer.status)
    }

    package func containers(ofPod uid: String?) async throws -> [ContainerState] {
        var request = Runtime_V1_ListContainersRequest()
        if let uid { request.filter.labelSelector = [Self.podLabel: uid] }
        let answer: Runtime_V1_ListContainersResponse = try await call(.runtime("ListContainers"), request)
        return answer.containers.map(ContainerState.init)
    }

    package func containerStatistics(ofPod uid: String?) async throws -> [ContainerStatistics] {
        var request = Runtime_V1_ListContainerStatsRequest()
        if let uid { request.filter.labelSelector = [Self.podLabel: uid] }
        let answer: Runtime_V1_ListContainerStatsResponse = try await call(.runtime("ListContainerStats"), request)
        return answer.stats.map(ContainerStatistics.init)
    }

    package func reopenLog(_ id: String) async throws {
        var request = Runtime_V1_ReopenContainerLogRequest()
        request.containerID = id
        let _: Runtime_V1_ReopenContainerLogResponse = try await call(.runtime("ReopenContainerLog"), request)
    }

    package func execute(_ command: [String], inContainer id: String, timeout: Duration?) async throws -> ExecutionResult {
        var request = Runtime_V1_ExecSyncRequest()
        request.containerID = id
        request.cmd = command
        request.timeout = timeout.map { max(1, $0.components.seconds) } ?? 0
        do {
            let answer: Runtime_V1_ExecSyncResponse = try await call(
                .runtime("ExecSync"), request, timeout: limits.execution(timeout))
            return ExecutionResult(output: [UInt8](answer.stdout), errors: [UInt8](answer.stderr), exitCode: answer.exitCode)
        } catch let failure as RuntimeFailure where failure.code == .timedOut {
            throw RuntimeFailure(code: .timedOut, message: "command \"\(command.joined(separator: " "))\" timed out")
        }
    }

    package func executionAddress(_ command: [String], inContainer id: String, streams: StreamSelection) async throws -> String {
        var request = Runtime_V1_ExecRequest()
        request.containerID = id
        request.cmd = command
        request.tty = streams.isTerminal
        request.stdin = streams.input
        request.stdout = streams.output
        request.stderr = streams.errors
        let answer: Runtime_V1_ExecResponse = try await call(.runtime("Exec"), request)
        return answer.url
    }

    package func attachAddress(ofContainer id: String, streams: StreamSelection) async throws -> String {
        var request = Runtime_V1_AttachRequest()
        request.containerID = id
        request.tty = streams.isTerminal
        request.stdin = streams.input
        request.stdout = streams.output
        request.stderr = streams.errors
        let answer: Runtime_V1_AttachResponse = try await call(.runtime("Attach"), request)
        return answer.url
    }
}

// MARK: - Images

extension CRIRuntime {
    package func images() async throws -> [ImageState] {
        let answer: Runtime_V1_ListImagesResponse = try await call(.image("ListImages"), Runtime_V1_ListImagesRequest())
        return answer.images.map(ImageState.init)
    }

    package func image(_ reference: String) async throws -> ImageState? {
        var request = Runtime_V1_ImageStatusRequest()
        request.image.image = reference
        let answer: Runtime_V1_ImageStatusResponse = try await call(.image("ImageStatus"), request)
        return answer.hasImage && !answer.image.id.isEmpty ? ImageState(answer.image) : nil
    }

    package func pullImage(_ reference: String, credentials: RegistryCredentials?, sandbox: SandboxPlan?) async throws -> String {
        var request = Runtime_V1_PullImageRequest()
        request.image.image = reference
        if let sandbox {
            request.image.annotations = sandbox.annotations
            request.sandboxConfig = Runtime_V1_PodSandboxConfig(sandbox)
        }
        if let credentials {
            request.auth.username = credentials.user
            request.auth.password = credentials.password.exposed
        }
        let answer: Runtime_V1_PullImageResponse = try await call(.image("PullImage"), request, timeout: nil)
        return answer.imageRef
    }

    package func removeImage(_ reference: String) async throws {
        var request = Runtime_V1_RemoveImageRequest()
        request.image.image = reference
        try await ignoringNotFound { let _: Runtime_V1_RemoveImageResponse = try await call(.image("RemoveImage"), request) }
    }

    package func imageFilesystems() async throws -> [ImageFilesystem] {
        let answer: Runtime_V1_ImageFsInfoResponse = try await call(.image("ImageFsInfo"), Runtime_V1_ImageFsInfoRequest())
        return answer.imageFilesystems.map {
            ImageFilesystem(mountPoint: $0.fsID.mountpoint, usedBytes: $0.usedBytes.value, usedInodes: $0.inodesUsed.value)
        }
    }
}

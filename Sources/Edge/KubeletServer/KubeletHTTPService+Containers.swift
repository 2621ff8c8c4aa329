import ContainerRuntime
import Glibc
import HTTPServing
import KubeMachinery
import PodCore
import Primitives

// Logs, exec, attach, port-forward and run.

extension KubeletHTTPService {
    // MARK: - Logs

    func containerLogs(_ request: ServedRequest, _ path: ArraySlice<String>) async throws -> HTTPResponse {
        let names = Array(path)
        guard names.count == 3 else { throw ServedFailure(404, "404 page not found") }
        let options = try LogOptions(request, now: clock.now().wall)
        guard let object = await view.pod(ObjectKey(namespace: names[0], name: names[1])) else {
            throw ServedFailure(404, "pod \"\(names[1])\" does not exist")
        }
        let pod = PodView(object)
        guard pod.container(named: names[2]) != nil else {
            throw ServedFailure(404, "container \"\(names[2])\" not found in pod \"\(names[1])\"")
        }
        let id = try ContainerLogSource.containerID(names[2], of: pod, isPrevious: options.isPrevious)
        let state: ContainerState
        do { state = try await runtime.container(id) } catch is RuntimeFailure {
            throw ServedFailure(400, "unable to retrieve container logs for containerd://\(id)")
        }
        guard let real = realpath(state.logPath, nil) else {
            throw ServedFailure(400, "failed to try resolving symlinks in path \"\(state.logPath)\": \(String(cString: strerror(errno)))")
        }
        defer { free(real) }
        let path = String(cString: real)
        // The end that `tailLines` counts from is that of the request, not of the time when its answer is read.
        let reader = try LogReader(LogFile(path: path), options)
        let stream = LogStream(path: path, containerID: id, options: options, runtime: runtime, clock: clock)
        return .stream(200, headers: ["Content-Type": "text/plain"]) { writer in
            try await stream.run(reader) { try await writer.write($0) }
        }
    }

    // MARK: - Streams

    func execute(_ request: ServedRequest, _ path: ArraySlice<String>) async throws -> HTTPResponse {
        let target = try target(path, hasContainer: true)
        let streams = try StreamOptions.selection(request)
        let container = try await runningContainer(target)
        try requireUpgrade(request)
        return try await forward(request, to: runtime.executionAddress(request.all("command"), inContainer: container.id, streams: streams))
    }

    func attach(_ request: ServedRequest, _ path: ArraySlice<String>) async throws -> HTTPResponse {
        let target = try target(path, hasContainer: true)
        var streams = try StreamOptions.selection(request)
        let container = try await runningContainer(target)
        // Whether a process has a terminal was settled when it was started.
        if let pod = await view.pod(target.pod), let spec = PodView(pod).container(named: target.container) {
            streams.isTerminal = spec.json["tty"].bool ?? false
            if streams.isTerminal { streams.errors = false }
        }
        try requireUpgrade(request)
        return try await forward(request, to: runtime.attachAddress(ofContainer: container.id, streams: streams))
    }

    func forwardPorts(_ request: ServedRequest, _ path: ArraySlice<String>) async throws -> HTTPResponse {
        let target = try target(path, hasContainer: false)
        let ports = try StreamOptions.ports(request)
        let pod = try await pod(target)
        if let uid = target.uid, uid != pod.uid { throw ServedFailure(404, "pod not found") }
        let sandboxes = try await runtime.sandboxes(ofPod: pod.uid)
        guard let newest = sandboxes.filter(\.isReady).max(by: { ($0.createdAt, $0.attempt) < ($1.createdAt, $1.attempt) }) else {
            throw ServedFailure(500, "failed to find sandboxID for pod \(pod.fullName)")
        }
        try requireUpgrade(request)
        return try await forward(request, to: runtime.portForwardAddress(ofSandbox: newest.id, ports: ports))
    }

    private func requireUpgrade(_ request: ServedRequest) throws(ServedFailure) {
        guard request.wantsUpgrade else { throw ServedFailure(500, "Upgrade request required") }
    }

    private func forward(_ request: ServedRequest, to address: String) async -> HTTPResponse {
        await StreamProxy(idleLimit: configuration.streamIdleLimit, clock: clock).forward(request.http, to: address)
    }

    // MARK: - Run

    /// Runs a command to its end; what it wrote is the answer, standard output first.
    func runCommand(_ request: ServedRequest, _ path: ArraySlice<String>) async throws -> HTTPResponse {
        let target = try target(path, hasContainer: true)
        let container = try await runningContainer(target)
        let command = (request["cmd"] ?? "").split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        let result: ExecutionResult
        do { result = try await runtime.execute(command, inContainer: container.id, timeout: nil) } catch let failure as RuntimeFailure {
            throw ServedFailure(500, failure.message)
        }
        guard result.exitCode == 0 else {
            let errors = String(decoding: result.errors, as: UTF8.self)
            throw ServedFailure(500, "command '\(command.joined(separator: " "))' exited with \(result.exitCode): \(errors)")
        }
        return HTTPResponse(status: 200, headers: ["Content-Type": "application/json"], body: result.output + result.errors)
    }

    // MARK: - Who is meant

    private func target(_ path: ArraySlice<String>, hasContainer: Bool) throws(ServedFailure) -> StreamTarget {
        guard let target = StreamTarget(path, hasContainer: hasContainer) else { throw ServedFailure(404, "404 page not found") }
        return target
    }

    private func pod(_ target: StreamTarget) async throws(ServedFailure) -> PodView {
        guard let object = await view.pod(target.pod) else { throw ServedFailure(404, "pod does not exist") }
        return PodView(object)
    }

    /// The newest running container of that name.
    private func runningContainer(_ target: StreamTarget) async throws -> ContainerState {
        let pod = try await pod(target)
        let missing = ServedFailure(500, "container not found (\"\(target.container)\")")
        guard target.uid == nil || target.uid == pod.uid else { throw missing }
        let running = try await runtime.containers(ofPod: pod.uid).filter { $0.name == target.container && $0.phase == .running }
        guard let newest = running.max(by: { ($0.createdAt, $0.attempt) < ($1.createdAt, $1.attempt) }) else { throw missing }
        return newest
    }
}

import HTTPServing
import KubeMachinery
import PodCore
import Primitives

// Health, pods and figures.

extension KubeletHTTPService {
    // MARK: - Health

    func health(_ check: String?, isVerbose: Bool) async -> HTTPResponse {
        let problem = await syncLoopProblem()
        switch check {
        case nil:
            let lines = "[+]ping ok\n[+]log ok\n" + (problem == nil ? "[+]syncloop ok\n" : "[-]syncloop failed: reason withheld\n")
            guard problem == nil else { return .plain(500, lines + "healthz check failed\n") }
            return .plain(200, isVerbose ? lines + "healthz check passed\n" : "ok")
        case "ping", "log": return .plain(200, "ok")
        case "syncloop": return problem.map { .plain(500, "internal server error: \($0)\n") } ?? .plain(200, "ok")
        default: return .text(404, "404 page not found")
        }
    }

    private func syncLoopProblem() async -> String? {
        guard let age = await view.timeSinceSync(), age > max(configuration.syncInterval * 2, .seconds(300)) else { return nil }
        return "sync Loop took longer than expected"
    }

    // MARK: - Pods

    func podList() async throws -> HTTPResponse { .json(Self.list(await view.pods())) }

    /// Pods as the runtime has them, those too that nobody asked for.
    func runningPodList() async throws -> HTTPResponse {
        let containers = try await runtime.containers(ofPod: nil).filter { $0.phase == .running }
        var pods: [KubeObject] = []
        for sandbox in try await runtime.sandboxes(ofPod: nil) where sandbox.isReady && !sandbox.podUID.isEmpty {
            var pod = KubeObject(apiVersion: "v1", kind: "Pod", namespace: sandbox.podNamespace, name: sandbox.podName)
            pod.uid = sandbox.podUID
            pod.metadata["creationTimestamp"] = .null
            let own = containers.filter { $0.sandboxID == sandbox.id }.sorted { $0.name < $1.name }
            pod.spec["containers"] = .array(own.map { ["name": .string($0.name), "image": .string($0.imageReference), "resources": [:]] })
            pod.status = [:]
            pods.append(pod)
        }
        return .json(Self.list(pods.sorted { ($0.namespace ?? "", $0.name) < ($1.namespace ?? "", $1.name) }))
    }

    private static func list(_ pods: [KubeObject]) -> JSONValue {
        let items = pods.map { pod in
            var item = pod.json
            item.removeMember("kind")
            item.removeMember("apiVersion")
            return item
        }
        return ["kind": "PodList", "apiVersion": "v1", "metadata": [:], "items": .array(items)]
    }

    // MARK: - Figures

    func statistics(_ request: ServedRequest, _ path: ArraySlice<String>) async throws -> HTTPResponse {
        guard Array(path) == ["summary"] else { return .text(404, "404 page not found") }
        let usage = try await measured(onlyProcessorAndMemory: request.flag("only_cpu_and_memory"))
        return .json(SummaryDocument.document(usage))
    }

    func figures(_ part: String?) async throws -> HTTPResponse {
        switch part {
        case nil: return .exposition(await kubeletFigures())
        case "probes": return .exposition(metrics.probeText)
        case "resource":
            guard let usage = try? await measured(onlyProcessorAndMemory: true) else { return .exposition(ResourceFigures.failed) }
            return .exposition(ResourceFigures.text(usage))
        case "cadvisor":
            let usage = try await measured(onlyProcessorAndMemory: false)
            let images = try await runtime.containers(ofPod: nil).map { ($0.id, $0.image) }
            return .exposition(ContainerFigures.text(usage, images: Dictionary(images, uniquingKeysWith: { $1 })))
        default: return .text(404, "404 page not found")
        }
    }

    private func measured(onlyProcessorAndMemory: Bool) async throws -> NodeUsage {
        guard let usage else { throw ServedFailure(503, "this node does not measure what its pods use: figures are not to be had") }
        return try await usage.usage(onlyProcessorAndMemory: onlyProcessorAndMemory)
    }

    /// What was counted, and what there is now.
    private func kubeletFigures() async -> String {
        var text = ExpositionText()
        text.family("kubelet_node_name", .gauge, "The node's name. The count is always 1.") { $0.sample(["node": configuration.nodeName], 1) }
        let pods = await view.pods().map(PodView.init)
        for (name, chosen) in [("desired", pods), ("active", pods.filter { !$0.isTerminal })] {
            text.family("kubelet_\(name)_pods", .gauge, "The number of \(name) pods of this node. static is true for pods from a file.") { family in
                for isStatic in [false, true] { family.sample(["static": "\(isStatic)"], Double(chosen.count { $0.isStatic == isStatic })) }
            }
        }
        if let containers = try? await runtime.containers(ofPod: nil), let sandboxes = try? await runtime.sandboxes(ofPod: nil) {
            text.family("kubelet_running_pods", .gauge, "Number of pods that have a running pod sandbox") { family in
                family.sample([:], Double(sandboxes.count { $0.isReady }))
            }
            text.family("kubelet_running_containers", .gauge, "Number of containers currently running") { family in
                for (state, phase) in [("created", ContainerState.Phase.created), ("exited", .exited), ("running", .running), ("unknown", .unknown)] {
                    family.sample(["container_state": state], Double(containers.count { $0.phase == phase }))
                }
            }
        }
        return text.text + metrics.text
    }
}

extension HTTPResponse {
    static func exposition(_ text: String) -> HTTPResponse {
        HTTPResponse(status: 200, headers: ["Content-Type": "text/plain; version=0.0.4; charset=utf-8"], body: Array(text.utf8))
    }
}

import ContainerRuntime
import KubeMachinery
import Logging
import PodCore
import Primitives

extension PodWorker {
    /// How the pod's sandbox is to be made, or was made.
    func plan(attempt: UInt32, isNew: Bool, _ node: NodeFacts) async throws -> SandboxPlan {
        var node = node
        if isNew {
            // A node that moves to another network gets other servers.
            let file = context.configuration.resolverFile
            node.resolverConfiguration = file.isEmpty ? nil : HostFiles.text(file) ?? ""
        }
        let handler = isNew ? try await runtimeHandler() : ""
        do {
            return try SandboxPlanner.plan(pod, attempt: attempt, runtimeHandler: handler, node: node)
        } catch {
            throw EdgedFailure(code: .volume, message: error.description, isRetryable: false)
        }
    }

    /// The runtime's name for the pod's RuntimeClass (`spec/05 §12.3`).
    private func runtimeHandler() async throws -> String {
        guard let name = pod.runtimeClassName else { return "" }
        do {
            return try await context.backend.runtimeClass(name).json["handler"].string ?? ""
        } catch let status as KubeStatus {
            let cause = status.isNotFound ? "RuntimeClass.node.k8s.io \"\(name)\" not found" : "failed to lookup RuntimeClass \(name): \(status)"
            throw EdgedFailure(code: .network, message: "Failed to create sandbox for pod \"\(pod.fullName)\": \(cause)")
        }
    }

    /// How a container is to be made, with what it needs on the disk made already.
    func plan(
        _ container: ContainerView, attempt: UInt32, image: ImageState, sandbox: SandboxState, _ node: NodeFacts
    ) async throws -> ContainerPlan {
        async let services = pod.wantsServiceVariables ? context.backend.services(namespace: pod.namespace) : []
        let objects = try await objects(pod.environmentObjects(container))
        let addresses = pod.usesHostNetwork ? node.addresses : sandbox.addresses
        let planner = ContainerPlanner(
            pod: pod, node: node, objects: objects, services: await services, addresses: addresses, volumes: volumes.mounted)
        let target = container.json["targetContainerName"].string.flatMap { name in
            knownContainers.values.filter { $0.name == name && $0.phase == .running }.map(\.id).first
        }
        let blueprint = try planner.blueprint(
            container, attempt: attempt, image: image, logToken: Self.hexadecimal(UInt32.random(in: 0...UInt32.max)), target: target)
        for (source, keys) in blueprint.skippedKeys.sorted(by: { $0.key < $1.key }) {
            record(.skippedVariables(keys, of: source, namespace: pod.namespace))
        }
        do {
            try prepare(blueprint, container, addresses: addresses, node)
        } catch let failure as EdgedFailure {
            throw StartFailure.configuration(failure.message)
        }
        var plan = blueprint.plan
        plan.add(try await context.devices.grant(container, of: pod))
        return plan
    }

    private func prepare(_ blueprint: ContainerBlueprint, _ container: ContainerView, addresses: [String], _ node: NodeFacts) throws {
        try context.root.makeDirectory("pods/\(uid)/containers/\(container.name)")
        try context.logs.makeDirectory("\(logName)/\(container.name)", mode: 0o755)
        for subPath in blueprint.subPaths { try Mounts.bind(subPath.subPath, of: subPath.volumePath, to: subPath.target) }
        if let path = blueprint.terminationLog { try HostFiles.create([], at: path, mode: 0o666) }
        let hosts = node.hostsFilePath(uid)
        var node = node
        if pod.usesHostNetwork { node.hostsFile = HostFiles.text("/etc/hosts") ?? node.hostsFile }
        let text = Array(HostsFile.text(pod, addresses: addresses, node: node).utf8)
        // The file is bound into containers: it is replaced only when it has to change.
        if HostFiles.read(hosts) != text { try HostFiles.write(text, to: hosts) }
    }

    private static func hexadecimal(_ number: UInt32) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }

    /// The image of a container, pulled where policy wants it.
    func ensureImage(_ container: ContainerView, _ sandbox: SandboxPlan) async throws -> ImageState {
        var secrets: [JSONValue] = []
        if !pod.imagePullSecrets.isEmpty {
            let references = pod.imagePullSecrets.map { ObjectReference(.secret, $0) }
            let objects = try await objects(Set(references))
            // Secrets that do not exist are left out (`spec/05 §11.8`).
            secrets = references.compactMap { objects[$0]?.json }
            let missing = references.filter { objects[$0] == nil }.map(\.name)
            if !missing.isEmpty { record(.secretsMissing(missing)) }
        }
        return try await context.images.ensure(container, of: pod, secrets: secrets, sandbox: sandbox) { [self] in
            await record($0, about: container)
        }
    }
}

import KubeMachinery
import KubeResources
import Primitives

extension ResourceCall {
    func answer(subresource: String) async throws -> APIResponse {
        switch (groupResource, subresource, target.verb) {
        case (Resources.pods.groupResource, "binding", "create"): return try await bind()
        case (Resources.pods.groupResource, "eviction", "create"): return try await evict()
        case (Resources.pods.groupResource, "log", _), (Resources.pods.groupResource, "exec", _),
            (Resources.pods.groupResource, "attach", _), (Resources.pods.groupResource, "portforward", _),
            (Resources.nodes.groupResource, "proxy", _):
            return try await kubelet(subresource)
        case (Resources.pods.groupResource, "ephemeralcontainers", let verb):
            return try await change(verb, .ephemeralContainers)
        case (Resources.serviceAccounts.groupResource, "token", "create"): return try await requestToken()
        case (Resources.certificateSigningRequests.groupResource, "approval", let verb): return try await change(verb, .approval)
        case (Resources.namespaces.groupResource, "finalize", "update"): return try await change("update", .finalize)
        case (_, "status", let verb) where definition.hasStatus: return try await change(verb, .status)
        case (_, "scale", let verb):
            guard definition.subresource("scale") != nil else { throw Self.unknownResource }
            return try await scale(verb, definition.scale)
        default:
            throw definition.subresource(subresource) != nil ? Self.methodNotAllowed : Self.unknownResource
        }
    }

    private func change(_ verb: String, _ scope: UpdateScope) async throws -> APIResponse {
        switch verb {
        case "get": return try await get()
        case "update": return try await update(scope)
        case "patch": return try await patch(scope)
        default: throw Self.methodNotAllowed
        }
    }

    static let success: JSONValue = ["kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Success", "code": 201]

    // MARK: - Pods

    private func bind() async throws -> APIResponse {
        let binding = try bodyJSON()
        try await bound(to: binding)
        return APIResponse(Self.success, status: 201)
    }

    /// Gives the pod its node, once.
    func bound(to binding: JSONValue) async throws {
        guard let node = binding.at("target", "name").string, !node.isEmpty else {
            throw KubeStatus(
                code: 422, reason: "Invalid", message: "Binding \"\(target.name ?? "")\" is invalid: target.name: Required value",
                details: ["kind": "Binding", "name": .string(target.name ?? "")])
        }
        let now = server.clock.now().wall.rfc3339
        _ = try await changed(.binding) { current in
            var pod = current
            if let taken = current.spec["nodeName"].string, !taken.isEmpty {
                throw KubeStatus.conflict(groupResource, current.name, "pod \(current.name) is already assigned to node \"\(taken)\"")
            }
            guard current.metadata["deletionTimestamp"].isNull else {
                throw KubeStatus.conflict(groupResource, current.name, "pod \(current.name) is being deleted, cannot be assigned to a host")
            }
            if let uid = binding.at("metadata", "uid").string, !uid.isEmpty, uid != current.uid {
                throw KubeStatus.conflict(
                    groupResource, current.name,
                    "Precondition failed: UID in precondition: \(uid), UID in object meta: \(current.uid)")
            }
            pod.spec["nodeName"] = .string(node)
            for (key, value) in binding["metadata"]["annotations"].members { pod.metadata["annotations"][key] = value }
            var conditions = pod.status["conditions"].elements.filter { $0["type"].string != "PodScheduled" }
            conditions.append(["type": "PodScheduled", "status": "True", "lastProbeTime": nil, "lastTransitionTime": .string(now)])
            pod.status["conditions"] = .array(conditions)
            pod.resourceVersion = ""
            return pod
        }
    }

    private func evict() async throws -> APIResponse {
        let body = try bodyJSON()
        var options = try DeleteOptions(body: body["deleteOptions"], query: query)
        options.isDryRun = options.isDryRun || isDryRun
        _ = try await deleted(try key(), options)
        return APIResponse(Self.success, status: 201)
    }

    /// Hands a stream to the kubelet of the pod's node.
    private func kubelet(_ subresource: String) async throws -> APIResponse {
        let object = try await stored()
        guard groupResource == Resources.pods.groupResource else {
            return APIResponse(
                body: .kubelet(
                    KubeletRequest(node: object.name, pod: nil, subresource: subresource, remainder: target.remainder, query: query)))
        }
        guard let node = object.spec["nodeName"].string, !node.isEmpty else {
            throw KubeStatus.badRequest("pod \(object.name) does not have a host assigned")
        }
        return APIResponse(
            body: .kubelet(KubeletRequest(node: node, pod: object, subresource: subresource, remainder: target.remainder, query: query)))
    }

    // MARK: - Tokens

    private func requestToken() async throws -> APIResponse {
        let account = try await stored()
        guard let issuer = server.tokens else {
            throw KubeStatus(code: 501, reason: "NotImplemented", message: "this server issues no service account tokens")
        }
        let issued = try await issuer.issue(try bodyJSON(), for: account, storage: storage, now: server.clock.now().wall)
        return APIResponse(issued, status: 201)
    }
}

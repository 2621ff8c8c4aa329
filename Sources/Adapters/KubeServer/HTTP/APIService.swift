package import HTTPServing
import KubeMachinery
package import Logging
import Primitives

/// Serves an `APIServer` over HTTP: reads requests, writes answers, streams watches.
package struct APIService: Sendable {
    let server: APIServer
    let kubelets: (any KubeletProxy)?
    let logger: Logger

    /// Without `kubelets` logs, exec and the like are answered with 501.
    package init(server: APIServer, kubelets: (any KubeletProxy)? = nil, logger: Logger) {
        self.server = server
        self.kubelets = kubelets
        self.logger = logger
    }

    /// The handler for an `HTTPServer`.
    package func respond(to request: HTTPRequest) async -> HTTPResponse {
        let answer: HTTPResponse
        do {
            answer = try await response(to: request)
        } catch let failure as KubeStatus {
            answer = Self.response(APIResponse(failure), streamsTo: server)
        } catch let error as HTTPServingError where error.code == .bodyTooLarge {
            answer = Self.response(
                APIResponse(
                    KubeStatus(
                        code: 413, reason: "RequestEntityTooLarge",
                        message: "Request entity too large: limit is \(APIServer.bodyLimit)")),
                streamsTo: server)
        } catch {
            answer = Self.response(APIResponse(KubeStatus.badRequest("the request could not be read: \(error)")), streamsTo: server)
        }
        logger.debug(
            "api request",
            metadata: ["method": "\(request.method)", "target": "\(request.target)", "status": "\(answer.status)"])
        return answer
    }

    private func response(to request: HTTPRequest) async throws -> HTTPResponse {
        let user = try await user(of: request)
        let body = try await request.body.collect(upTo: APIServer.bodyLimit)
        let call = APIRequest(
            method: request.method, path: String(request.path), query: QueryParameters(parsing: request.rawQuery ?? ""), user: user,
            contentType: request.headers["Content-Type"] ?? "", accept: request.headers.values("Accept").joined(separator: ","), body: body)
        let answer = await server.answer(call)
        if case .kubelet(let wanted) = answer.body { return try await kubelet(wanted, request) }
        return Self.response(answer, streamsTo: server)
    }

    private func user(of request: HTTPRequest) async throws -> UserIdentity {
        guard let authenticator = server.authenticator else { return .anonymous }
        let user = try await authenticator.user(certificate: request.peerCertificate, authorization: request.headers["Authorization"])
        guard let name = request.headers["Impersonate-User"] else { return user }
        return try await impersonated(name, groups: request.headers.values("Impersonate-Group"), by: user)
    }

    /// `kubectl --as`: whoever may impersonate acts as somebody else.
    private func impersonated(_ name: String, groups: [String], by user: UserIdentity) async throws -> UserIdentity {
        var wanted = [AccessRequest(user: user, verb: "impersonate", resource: .init(group: "", resource: "users", name: name))]
        wanted += groups.map { AccessRequest(user: user, verb: "impersonate", resource: .init(group: "", resource: "groups", name: $0)) }
        for access in wanted {
            guard try await server.accessPolicy?.allows(access) ?? true else { throw access.refusal }
        }
        return UserIdentity(name: name, groups: groups + ["system:authenticated"])
    }

    private func kubelet(_ wanted: KubeletRequest, _ request: HTTPRequest) async throws -> HTTPResponse {
        guard let kubelets else {
            throw KubeStatus(
                code: 501, reason: "NotImplemented",
                message: "\(wanted.subresource) of node \"\(wanted.node)\" is not available: this API server has no way to the kubelet")
        }
        return try await kubelets.respond(to: wanted, request)
    }

    private static func response(_ answer: APIResponse, streamsTo server: APIServer) -> HTTPResponse {
        var headers: HTTPFields = ["Content-Type": answer.contentType, "Cache-Control": "no-cache, private"]
        for warning in answer.warnings { headers.append("Warning", "299 - \(JSONValue.string(warning).text())") }
        switch answer.body {
        case .json(let value): return HTTPResponse(status: answer.status, headers: headers, body: value.encoded() + [UInt8(ascii: "\n")])
        case .text(let text): return HTTPResponse(status: answer.status, headers: headers, body: Array(text.utf8))
        case .watch(let session):
            return .stream(answer.status, headers: headers) { writer in
                try await session.run { try await writer.write($0) }
            }
        case .kubelet: return HTTPResponse(status: 501)
        }
    }
}

/// A way to the kubelets of the nodes.
package protocol KubeletProxy: Sendable {
    /// Answers a request for logs, exec, attach, port forward or proxy, to which access was granted; throws `KubeStatus`.
    func respond(to wanted: KubeletRequest, _ request: HTTPRequest) async throws -> HTTPResponse
}

import KubeMachinery
import KubeResources
import Primitives

/// Resources that are questions: they are created, answered and not kept.
extension APIServer {
    /// The answer to a review; nil where the resource is none.
    func review(_ request: APIRequest) async throws -> APIResponse? {
        let target = request.target
        guard ["authentication.k8s.io", "authorization.k8s.io"].contains(target.resource.group), target.subresource == nil else { return nil }
        guard target.verb == "create" else { throw ResourceCall.methodNotAllowed }
        let isProtobuf = ContentNegotiation.mediaType(request.contentType) == ProtobufBody.mediaType
        let read =
            isProtobuf
            ? try ProtobufBody.decode(request.body) : try? JSONValue(parsing: request.body, limits: JSONLimits(size: Self.bodyLimit, depth: 64))
        guard var body = read, body.object != nil else { throw KubeStatus.badRequest("the object provided is unrecognized") }
        body["apiVersion"] = .string(target.resource.groupVersion.description)
        if body["metadata"].object == nil { body["metadata"] = ["creationTimestamp": nil] }
        switch target.resource.resource {
        case "tokenreviews":
            body["kind"] = "TokenReview"
            body["status"] = try await tokenReview(body["spec"])
        case "selfsubjectreviews":
            body["kind"] = "SelfSubjectReview"
            body["status"] = ["userInfo": Self.userInfo(request.user)]
        case "subjectaccessreviews", "localsubjectaccessreviews":
            body["kind"] = target.resource.resource == "subjectaccessreviews" ? "SubjectAccessReview" : "LocalSubjectAccessReview"
            let spec = body["spec"]
            let user = UserIdentity(name: spec["user"].string ?? "", uid: spec["uid"].string ?? "", groups: spec["groups"].strings)
            body["status"] = try await accessReview(spec, user)
        case "selfsubjectaccessreviews":
            body["kind"] = "SelfSubjectAccessReview"
            body["status"] = try await accessReview(body["spec"], request.user)
        case "selfsubjectrulesreviews":
            body["kind"] = "SelfSubjectRulesReview"
            body["status"] = try await rulesReview(request.user, namespace: body["spec"]["namespace"].string ?? "default")
        default: return nil
        }
        return APIResponse(body, status: 201)
    }

    private func tokenReview(_ spec: JSONValue) async throws -> JSONValue {
        guard let shown = try await authenticator?.review(token: spec["token"].string ?? "", audiences: spec["audiences"].strings) else {
            return ["user": [:], "error": "invalid bearer token"]
        }
        var user = Self.userInfo(shown.user)
        if !shown.extra.members.isEmpty { user["extra"] = shown.extra }
        return ["authenticated": true, "user": user, "audiences": JSONValue(shown.audiences)]
    }

    private func rulesReview(_ user: UserIdentity, namespace: String) async throws -> JSONValue {
        let rules = try await accessPolicy?.rules(for: user, namespace: namespace) ?? []
        return [
            "resourceRules": .array(rules.filter { $0["nonResourceURLs"].isNull }),
            "nonResourceRules": .array(rules.filter { !$0["nonResourceURLs"].isNull }), "incomplete": false,
        ]
    }

    private func accessReview(_ spec: JSONValue, _ user: UserIdentity) async throws -> JSONValue {
        let access: AccessRequest
        let wanted = spec["resourceAttributes"]
        func text(_ value: JSONValue) -> String? { value.string.flatMap { $0.isEmpty ? nil : $0 } }
        if wanted.object != nil {
            access = AccessRequest(
                user: user, verb: wanted["verb"].string ?? "",
                resource: AccessRequest.Resource(
                    group: wanted["group"].string ?? "", resource: wanted["resource"].string ?? "", subresource: text(wanted["subresource"]),
                    namespace: text(wanted["namespace"]), name: text(wanted["name"])))
        } else {
            let path = spec["nonResourceAttributes"]
            access = AccessRequest(user: user, verb: path["verb"].string ?? "", path: path["path"].string ?? "")
        }
        let allowed = try await accessPolicy?.allows(access) ?? true
        return ["allowed": .bool(allowed)]
    }

    private static func userInfo(_ user: UserIdentity) -> JSONValue {
        var info: JSONValue = ["username": .string(user.name)]
        if !user.uid.isEmpty { info["uid"] = .string(user.uid) }
        if !user.groups.isEmpty { info["groups"] = JSONValue(user.groups) }
        return info
    }
}

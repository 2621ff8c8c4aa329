import KubeMachinery
import KubeResources
import Primitives

/// Nobody grants others what they do not have themselves.
extension APIServer {
    /// Checks a role or a binding that is to be stored; 403 where it grants more than its author holds.
    func checkEscalation(_ object: KubeObject, call: ResourceCall) async throws {
        guard call.groupResource.group == Resources.roles.group, let accessPolicy else { return }
        let user = call.request.user
        let isBinding = object.json["roleRef"].object != nil
        let reference = object.json["roleRef"]
        let kind = reference["kind"].string == "Role" ? "roles" : "clusterroles"
        let exemption = AccessRequest(
            user: user, verb: isBinding ? "bind" : "escalate",
            resource: .init(
                group: Resources.roles.group, resource: isBinding ? kind : call.groupResource.resource, namespace: object.namespace,
                name: isBinding ? reference["name"].string : object.name))
        if try await accessPolicy.allows(exemption) { return }
        var granted = object.json["rules"].elements
        if isBinding {
            let key = ObjectKey(namespace: kind == "roles" ? object.namespace : nil, name: reference["name"].string ?? "")
            let resource = GroupResource(group: Resources.roles.group, resource: kind)
            guard let role = try await storage.object(resource, key) else { throw KubeStatus.notFound(resource, key.name) }
            granted = role.json["rules"].elements
        }
        for rule in granted {
            for access in Self.requests(of: rule, user: user, namespace: object.namespace) where try await !accessPolicy.allows(access) {
                throw Admission.forbidden(
                    call.groupResource, object.name,
                    "user \"\(user.name)\" (groups=\(JSONValue(user.groups).text())) is attempting to grant RBAC permissions not currently held:\n"
                        + rule.text())
            }
        }
    }

    /// Everything a rule allows, as requests that its author must be allowed; `*` is covered by `*` alone.
    private static func requests(of rule: JSONValue, user: UserIdentity, namespace: String?) -> [AccessRequest] {
        var requests: [AccessRequest] = []
        for verb in rule["verbs"].strings {
            requests += rule["nonResourceURLs"].strings.map { AccessRequest(user: user, verb: verb, path: $0) }
            for group in rule["apiGroups"].strings {
                for path in rule["resources"].strings {
                    let parts = path.split(separator: "/", maxSplits: 1).map(String.init)
                    let names = rule["resourceNames"].strings.map(Optional.some)
                    for name in names.isEmpty ? [nil] : names {
                        requests.append(
                            AccessRequest(
                                user: user, verb: verb,
                                resource: .init(
                                    group: group, resource: parts.first ?? "", subresource: parts.count > 1 ? parts[1] : nil,
                                    namespace: namespace, name: name)))
                    }
                }
            }
        }
        return requests
    }
}

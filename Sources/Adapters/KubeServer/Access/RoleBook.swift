package import KubeMachinery
package import Primitives

/// The RBAC rules of a cluster at one moment: a value that decides.
package struct RoleBook: Sendable {
    private var clusterGrants: [Grant] = []
    private var namespaceGrants: [String: [Grant]] = [:]

    private struct Grant: Sendable {
        var subjects: [JSONValue]
        /// The namespace of the binding, which a subject of kind ServiceAccount may leave out.
        var namespace: String?
        var rules: [JSONValue]
    }

    /// Bindings to roles that do not exist grant nothing.
    package init(clusterRoles: [KubeObject], clusterRoleBindings: [KubeObject], roles: [KubeObject], roleBindings: [KubeObject]) {
        let clusterRules = Dictionary(clusterRoles.map { ($0.name, $0.json["rules"].elements) }, uniquingKeysWith: { _, last in last })
        let rules = Dictionary(roles.map { ($0.key, $0.json["rules"].elements) }, uniquingKeysWith: { _, last in last })
        for binding in clusterRoleBindings {
            guard let rules = clusterRules[binding.json.at("roleRef", "name").string ?? ""] else { continue }
            clusterGrants.append(Grant(subjects: binding.json["subjects"].elements, namespace: nil, rules: rules))
        }
        for binding in roleBindings {
            guard let namespace = binding.namespace else { continue }
            let reference = binding.json["roleRef"]
            let name = reference["name"].string ?? ""
            let granted = reference["kind"].string == "ClusterRole" ? clusterRules[name] : rules[ObjectKey(namespace: namespace, name: name)]
            guard let granted else { continue }
            namespaceGrants[namespace, default: []].append(
                Grant(subjects: binding.json["subjects"].elements, namespace: namespace, rules: granted))
        }
    }

    /// Whether any rule grants the request; the group `system:masters` may do everything.
    package func allows(_ request: AccessRequest) -> Bool {
        if request.user.groups.contains("system:masters") { return true }
        if clusterGrants.contains(where: { Self.allows($0, request) }) { return true }
        guard let namespace = request.resource?.namespace else { return false }
        return namespaceGrants[namespace, default: []].contains { Self.allows($0, request) }
    }

    /// All rules that a user has in a namespace.
    package func rules(for user: UserIdentity, namespace: String) -> [JSONValue] {
        (clusterGrants + namespaceGrants[namespace, default: []]).filter { grant in
            grant.subjects.contains { Self.names($0, user, bindingNamespace: grant.namespace) }
        }.flatMap(\.rules)
    }

    private static func allows(_ grant: Grant, _ request: AccessRequest) -> Bool {
        grant.subjects.contains { names($0, request.user, bindingNamespace: grant.namespace) }
            && grant.rules.contains { covers($0, request) }
    }

    private static func names(_ subject: JSONValue, _ user: UserIdentity, bindingNamespace: String?) -> Bool {
        guard let name = subject["name"].string else { return false }
        switch subject["kind"].string {
        case "User": return user.name == name
        case "Group": return user.groups.contains(name)
        case "ServiceAccount":
            let namespace = subject["namespace"].string ?? bindingNamespace ?? ""
            return user.name == "system:serviceaccount:\(namespace):\(name)"
        default: return false
        }
    }

    private static func covers(_ rule: JSONValue, _ request: AccessRequest) -> Bool {
        let verbs = rule["verbs"].strings
        guard verbs.contains("*") || verbs.contains(request.verb) else { return false }
        guard let resource = request.resource else {
            return rule["nonResourceURLs"].strings.contains { url in
                url == "*" || url == request.path || url.hasSuffix("*") && request.path.hasPrefix(url.dropLast())
            }
        }
        let groups = rule["apiGroups"].strings
        guard groups.contains("*") || groups.contains(resource.group) else { return false }
        let resources = rule["resources"].strings
        guard
            resources.contains("*") || resources.contains(resource.rulePath)
                || resource.subresource.map({ resources.contains("*/\($0)") }) == true
        else { return false }
        let names = rule["resourceNames"].strings
        return names.isEmpty || resource.name.map(names.contains) == true
    }
}

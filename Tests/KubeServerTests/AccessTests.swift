import KubeMachinery
import KubeServer
import Primitives
import Testing

@Suite("Access")
struct AccessTests {
    private static let jane = UserIdentity(name: "jane", groups: ["team", "system:authenticated"])

    private static func object(_ kind: String, _ name: String, namespace: String? = nil, _ members: JSONValue) -> KubeObject {
        var object = KubeObject(apiVersion: "rbac.authorization.k8s.io/v1", kind: kind, namespace: namespace, name: name)
        for (key, value) in members.members { object.json[key] = value }
        return object
    }

    private static func rule(_ groups: [String], _ resources: [String], _ verbs: [String], names: [String] = []) -> JSONValue {
        ["apiGroups": JSONValue(groups), "resources": JSONValue(resources), "verbs": JSONValue(verbs), "resourceNames": JSONValue(names)]
    }

    private static let book = RoleBook(
        clusterRoles: [
            object("ClusterRole", "reader", ["rules": [rule([""], ["pods", "pods/log"], ["get", "list"])]]),
            object("ClusterRole", "scaler", ["rules": [rule(["apps"], ["*/scale"], ["*"])]]),
            object("ClusterRole", "paths", ["rules": [["nonResourceURLs": ["/metrics", "/logs/*"], "verbs": ["get"]]]]),
            object("ClusterRole", "one", ["rules": [rule([""], ["secrets"], ["get"], names: ["mine"])]]),
        ],
        clusterRoleBindings: [
            object("ClusterRoleBinding", "a", ["roleRef": ["name": "scaler"], "subjects": [["kind": "Group", "name": "team"]]]),
            object("ClusterRoleBinding", "b", ["roleRef": ["name": "paths"], "subjects": [["kind": "User", "name": "jane"]]]),
            object("ClusterRoleBinding", "c", ["roleRef": ["name": "absent"], "subjects": [["kind": "User", "name": "jane"]]]),
        ],
        roles: [],
        roleBindings: [
            object(
                "RoleBinding", "d", namespace: "dev",
                ["roleRef": ["kind": "ClusterRole", "name": "reader"], "subjects": [["kind": "User", "name": "jane"]]]),
            object(
                "RoleBinding", "e", namespace: "dev",
                ["roleRef": ["kind": "ClusterRole", "name": "one"], "subjects": [["kind": "ServiceAccount", "name": "robot"]]]),
        ])

    struct Case: Sendable, CustomTestStringConvertible {
        var user = AccessTests.jane
        var verb: String
        var group = ""
        var resource: String
        var subresource: String?
        var namespace: String?
        var name: String?
        var allowed: Bool
        var testDescription: String { "\(user.name) \(verb) \(group)/\(resource) in \(namespace ?? "-") → \(allowed)" }
    }

    @Test(
        "rules, subjects and bindings",
        arguments: [
            Case(verb: "get", resource: "pods", namespace: "dev", allowed: true),
            Case(verb: "get", resource: "pods", subresource: "log", namespace: "dev", allowed: true),
            Case(verb: "get", resource: "pods", subresource: "exec", namespace: "dev", allowed: false),
            Case(verb: "delete", resource: "pods", namespace: "dev", allowed: false),
            Case(verb: "list", resource: "pods", namespace: "prod", allowed: false),
            Case(verb: "list", resource: "pods", allowed: false),
            Case(verb: "update", group: "apps", resource: "deployments", subresource: "scale", namespace: "any", allowed: true),
            Case(verb: "update", group: "apps", resource: "deployments", namespace: "any", allowed: false),
            Case(
                user: UserIdentity(name: "system:serviceaccount:dev:robot"), verb: "get", resource: "secrets", namespace: "dev", name: "mine",
                allowed: true),
            Case(
                user: UserIdentity(name: "system:serviceaccount:dev:robot"), verb: "get", resource: "secrets", namespace: "dev", name: "other",
                allowed: false),
            Case(user: UserIdentity(name: "root", groups: ["system:masters"]), verb: "delete", resource: "nodes", allowed: true),
        ])
    func rules(example: Case) {
        let access = AccessRequest(
            user: example.user, verb: example.verb,
            resource: .init(
                group: example.group, resource: example.resource, subresource: example.subresource, namespace: example.namespace,
                name: example.name))
        #expect(Self.book.allows(access) == example.allowed)
    }

    @Test("paths", arguments: [("/metrics", true), ("/logs/a", true), ("/metrics/x", false), ("/", false)])
    func paths(path: String, allowed: Bool) {
        #expect(Self.book.allows(AccessRequest(user: Self.jane, verb: "get", path: path)) == allowed)
    }

    @Test(
        "refusals in the words of Kubernetes",
        arguments: [
            (
                "GET", "/api/v1/namespaces/default/pods/p",
                "pods \"p\" is forbidden: User \"jane\" cannot get resource \"pods\" in API group \"\" in the namespace \"default\""
            ),
            (
                "GET", "/apis/apps/v1/deployments",
                "deployments.apps is forbidden: User \"jane\" cannot list resource \"deployments\" in API group \"apps\" at the cluster scope"
            ),
            ("GET", "/metrics", "forbidden: User \"jane\" cannot get path \"/metrics\""),
        ])
    func refusals(method: String, target: String, message: String) async throws {
        let api = try await ServerFixture(withAccess: true)
        let failure = await api.fail(method, target, user: Self.jane)
        #expect(failure?.code == 403)
        #expect(failure?.message == message)
    }

    @Test("a new binding counts from the next request on")
    func freshRules() async throws {
        let api = try await ServerFixture(withAccess: true)
        #expect(await api.fail("GET", "/api/v1/nodes", user: Self.jane)?.code == 403)
        let group = "/apis/rbac.authorization.k8s.io/v1"
        try await api.succeed("POST", "\(group)/clusterroles", ["metadata": ["name": "r"], "rules": [Self.rule([""], ["nodes"], ["list"])]])
        try await api.succeed(
            "POST", "\(group)/clusterrolebindings",
            [
                "metadata": ["name": "r"], "roleRef": ["apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "r"],
                "subjects": [["kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "jane"]],
            ])
        #expect(await api.fail("GET", "/api/v1/nodes", user: Self.jane) == nil)
    }

    @Test("nobody grants what they do not hold")
    func escalation() async throws {
        let api = try await ServerFixture(withAccess: true)
        let group = "/apis/rbac.authorization.k8s.io/v1"
        func role(_ name: String, _ rules: JSONValue) -> JSONValue { ["metadata": ["name": .string(name)], "rules": rules] }
        try await api.succeed(
            "POST", "\(group)/clusterroles",
            role("author", [Self.rule(["rbac.authorization.k8s.io"], ["roles", "rolebindings"], ["create"]), Self.rule([""], ["pods"], ["get"])]))
        try await api.succeed("POST", "\(group)/clusterroles", role("all", [Self.rule(["*"], ["*"], ["*"])]))
        func binding(_ name: String, _ role: String) -> JSONValue {
            [
                "metadata": ["name": .string(name)],
                "roleRef": ["apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": .string(role)],
                "subjects": [["kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "jane"]],
            ]
        }
        try await api.succeed("POST", "\(group)/namespaces/default/rolebindings", binding("author", "author"))
        let roles = "\(group)/namespaces/default/roles"
        #expect(await api.fail("POST", roles, role("held", [Self.rule([""], ["pods"], ["get"])]), user: Self.jane) == nil)
        for (name, rule) in [
            ("verb", Self.rule([""], ["pods"], ["delete"])), ("star", Self.rule([""], ["pods"], ["*"])),
            ("kind", Self.rule([""], ["secrets"], ["get"])),
        ] {
            let failure = await api.fail("POST", roles, role(name, [rule]), user: Self.jane)
            #expect(failure?.code == 403, "\(name)")
            #expect(failure?.message.contains("attempting to grant RBAC permissions not currently held") == true)
        }
        let bindings = "\(group)/namespaces/default/rolebindings"
        #expect(await api.fail("POST", bindings, binding("again", "author"), user: Self.jane) == nil)
        #expect(await api.fail("POST", bindings, binding("all", "all"), user: Self.jane)?.code == 403)
    }

    @Test(
        "nobody in particular may see health and version only",
        arguments: [("/healthz", 200), ("/version", 200), ("/api", 401), ("/api/v1/pods", 401)])
    func anonymous(path: String, status: Int) async throws {
        let api = try await ServerFixture(withAccess: true)
        #expect(await api.send("GET", path, user: .anonymous).status == status)
    }

    @Test("a token of a service account shows who bears it, until it or its pod is gone")
    func tokens() async throws {
        let api = try await ServerFixture()
        let pod = try await api.succeed("POST", "/api/v1/namespaces/default/pods", ServerFixture.pod("p"))
        let issued = try await api.succeed(
            "POST", "/api/v1/namespaces/default/serviceaccounts/default/token",
            ["spec": ["expirationSeconds": 600, "boundObjectRef": ["kind": "Pod", "apiVersion": "v1", "name": "p", "uid": pod["metadata"]["uid"]]]])
        let token = issued["status"]["token"]
        #expect(issued["status"]["expirationTimestamp"] == "2023-11-14T22:23:20Z")
        func review() async throws -> JSONValue {
            try await api.succeed("POST", "/apis/authentication.k8s.io/v1/tokenreviews", ["spec": ["token": token]])["status"]
        }
        let status = try await review()
        #expect(status["authenticated"] == true)
        #expect(status["user"]["username"] == "system:serviceaccount:default:default")
        #expect(status["user"]["groups"].strings.contains("system:serviceaccounts:default"))
        #expect(status["user"]["extra"]["authentication.kubernetes.io/pod-name"] == ["p"])
        try await api.succeed("DELETE", "/api/v1/namespaces/default/pods/p")
        #expect(try await review()["authenticated"].isNull)
        let short = await api.fail(
            "POST", "/api/v1/namespaces/default/serviceaccounts/default/token", ["spec": ["expirationSeconds": 60]])
        #expect(short?.code == 422)
    }

    @Test("an old token is no good")
    func expiry() async throws {
        let api = try await ServerFixture()
        let issued = try await api.succeed(
            "POST", "/api/v1/namespaces/default/serviceaccounts/default/token", ["spec": ["expirationSeconds": 600]])
        api.clock.advance(.seconds(601))
        let status = try await api.succeed(
            "POST", "/apis/authentication.k8s.io/v1/tokenreviews", ["spec": ["token": issued["status"]["token"]]])
        #expect(status["status"]["authenticated"].isNull)
    }

    @Test("access reviews answer for others and for oneself")
    func reviews() async throws {
        let api = try await ServerFixture(withAccess: true)
        let asked: JSONValue = ["resourceAttributes": ["verb": "get", "resource": "pods", "namespace": "default"]]
        var other = asked
        other["user"] = "jane"
        let answer = try await api.succeed("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", ["spec": other])
        #expect(answer["status"]["allowed"] == false)
        let own = try await api.succeed("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", ["spec": asked])
        #expect(own["status"]["allowed"] == true)
    }
}

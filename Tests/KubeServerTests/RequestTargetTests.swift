import KubeMachinery
import KubeServer
import Testing

@Suite("Paths of requests")
struct RequestTargetTests {
    struct Example: Sendable, CustomTestStringConvertible {
        var method: String
        var path: String
        var query = ""
        var verb: String
        var resource = ""
        var namespace: String?
        var name: String?
        var subresource: String?
        var testDescription: String { "\(method) \(path)?\(query)" }
    }

    @Test(
        "verb, resource, namespace, name and subresource",
        arguments: [
            Example(method: "GET", path: "/api/v1/pods", verb: "list", resource: "v1/pods"),
            Example(method: "GET", path: "/api/v1/namespaces/a/pods/b", verb: "get", resource: "v1/pods", namespace: "a", name: "b"),
            Example(
                method: "GET", path: "/apis/apps/v1/namespaces/a/deployments", query: "watch=1", verb: "watch",
                resource: "apps/v1/deployments", namespace: "a"),
            Example(
                method: "GET", path: "/api/v1/pods", query: "watch=true&fieldSelector=metadata.name%3Dx", verb: "watch", resource: "v1/pods",
                name: "x"),
            Example(method: "GET", path: "/api/v1/namespaces", verb: "list", resource: "v1/namespaces"),
            Example(method: "GET", path: "/api/v1/namespaces/a", verb: "get", resource: "v1/namespaces", namespace: "a", name: "a"),
            Example(
                method: "PUT", path: "/api/v1/namespaces/a/finalize", verb: "update", resource: "v1/namespaces", namespace: "a", name: "a",
                subresource: "finalize"),
            Example(
                method: "POST", path: "/api/v1/namespaces/a/pods/b/binding", verb: "create", resource: "v1/pods", namespace: "a", name: "b",
                subresource: "binding"),
            Example(method: "DELETE", path: "/api/v1/namespaces/a/pods", verb: "deletecollection", resource: "v1/pods", namespace: "a"),
            Example(method: "PATCH", path: "/api/v1/nodes/n%2Fx", verb: "patch", resource: "v1/nodes", name: "n/x"),
        ])
    func resources(example: Example) {
        let target = RequestTarget(method: example.method, path: example.path, query: QueryParameters(parsing: example.query))
        #expect(target.isResource)
        #expect(target.verb == example.verb)
        #expect(target.resource.description == example.resource)
        #expect(target.namespace == example.namespace)
        #expect(target.name == example.name)
        #expect(target.subresource == example.subresource)
    }

    @Test("other paths are no resource", arguments: ["/", "/api", "/api/v1", "/apis/apps", "/apis/apps/v1", "/healthz", "/openapi/v3/api/v1"])
    func others(path: String) {
        #expect(RequestTarget(method: "GET", path: path, query: QueryParameters()).isResource == false)
    }

    @Test("continue tokens survive their text form")
    func tokens() throws {
        let token = ContinueToken(revision: 7, after: ObjectKey(namespace: "a", name: "b"))
        #expect(try ContinueToken(parsing: token.text) == token)
    }

    @Test("queries are decoded")
    func queries() {
        let query = QueryParameters(parsing: "a=1&b=x%20y+z&a=2&flag&off=false&%zz=%41")
        #expect(query.all("a") == ["1", "2"])
        #expect(query["b"] == "x y z")
        #expect(query.flag("flag"))
        #expect(!query.flag("off"))
        #expect(query["%zz"] == "A")
    }
}

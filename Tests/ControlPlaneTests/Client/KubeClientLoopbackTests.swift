import HTTPServing
import KubeClient
import KubeMachinery
import KubeResources
import Primitives
import Synchronization
import Testing
import Trust

/// A clock whose waits are over at once; what was waited for is kept.
private final class HastyClock: MomentSource {
    private let waits = Mutex<[Duration]>([])
    var waited: [Duration] { waits.withLock { $0 } }

    func now() -> Moment { Moment(wall: Timestamp(seconds: 1), uptime: .zero) }
    func wait(until deadline: Duration) async throws { waits.withLock { $0.append(deadline) } }
}

/// Answers in order, and the requests that they were given to.
private final class Script: Sendable {
    private let state: Mutex<(answers: [HTTPResponse], requests: [(String, HTTPFields, JSONValue)])>

    init(_ answers: [HTTPResponse]) { state = Mutex((answers, [])) }
    var requests: [(line: String, headers: HTTPFields, body: JSONValue)] { state.withLock { $0.requests } }

    func answer(_ request: HTTPRequest) async throws -> HTTPResponse {
        let body = try await request.body.collect(upTo: 1 << 20)
        let json = body.isEmpty ? JSONValue.null : try JSONValue(parsing: body)
        return state.withLock { state in
            state.requests.append(("\(request.method) \(request.target)", request.headers, json))
            return state.answers.isEmpty ? .text(500, "no more answers") : state.answers.removeFirst()
        }
    }
}

private func json(_ status: Int, _ value: JSONValue, headers: HTTPFields = [:]) -> HTTPResponse {
    HTTPResponse(status: status, headers: headers, body: value.encoded())
}

@Suite(.timeLimit(.minutes(1))) struct KubeClientLoopbackTests {
    private let clock = HastyClock()

    private func withClient(
        _ answers: [HTTPResponse], credential: ClusterAccess.Credential = .none, limits: KubeClient.Limits = .init(),
        _ body: (KubeClient, Script) async throws -> Void
    ) async throws {
        let script = Script(answers)
        let server = HTTPServer(HTTPServerConfiguration(host: "127.0.0.1", port: 0), logger: quiet) { try await script.answer($0) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try? await server.run() }
            let access = ClusterAccess(server: "http://127.0.0.1:\(try await server.boundPort())", credential: credential)
            let client = try KubeClient(access, limits: limits, clock: clock, logger: quiet)
            let outcome: Result<Void, any Error>
            do { outcome = .success(try await body(client, script)) } catch { outcome = .failure(error) }
            await client.shutdown()
            group.cancelAll()
            try outcome.get()
        }
    }

    @Test func `each verb is the request that Kubernetes knows`() async throws {
        let pod: JSONValue = ["kind": "Pod", "apiVersion": "v1", "metadata": ["name": "p", "namespace": "n", "resourceVersion": "3"]]
        try await withClient(Array(repeating: json(200, pod), count: 8), credential: .token(Redacted("t"))) { client, script in
            let key = ObjectKey(namespace: "n", name: "p")
            let got = try await client.get(Resources.pods, key)
            #expect(got.resourceVersion == "3")
            _ = try await client.create(Resources.pods, KubeObject(pod))
            _ = try await client.create(Resources.pods, namespace: "n", name: "p", KubeObject(["kind": "Binding"]), subresource: "binding")
            _ = try await client.update(Resources.pods, KubeObject(pod), subresource: "status")
            _ = try await client.patch(Resources.pods, key, ["spec": [:]], .strategic)
            try await client.delete(Resources.pods, key)
            _ = try await client.delete(Resources.pods, key, options: ["gracePeriodSeconds": 0])
            _ = try await client.get(Resources.nodes, ObjectKey(name: "a b"))
            #expect(
                script.requests.map(\.line) == [
                    "GET /api/v1/namespaces/n/pods/p", "POST /api/v1/namespaces/n/pods", "POST /api/v1/namespaces/n/pods/p/binding",
                    "PUT /api/v1/namespaces/n/pods/p/status", "PATCH /api/v1/namespaces/n/pods/p", "DELETE /api/v1/namespaces/n/pods/p",
                    "DELETE /api/v1/namespaces/n/pods/p", "GET /api/v1/nodes/a%20b",
                ])
            #expect(script.requests[0].headers["Authorization"] == "Bearer t")
            #expect(script.requests[4].headers["Content-Type"] == "application/strategic-merge-patch+json")
            #expect(script.requests[6].body["gracePeriodSeconds"] == 0)
        }
    }

    @Test func `a list gives its kind to its items and names the next page`() async throws {
        let list: JSONValue = [
            "kind": "PodList", "apiVersion": "v1", "metadata": ["resourceVersion": "12", "continue": "more"],
            "items": [["metadata": ["name": "p"]]],
        ]
        try await withClient([json(200, list), json(200, ["kind": "PodList", "items": nil, "metadata": [:]]), json(200, [:])]) { client, script in
            let answer = try await client.list(Resources.pods, ListQuery(namespace: "n", labelSelector: "a=b", limit: 1, next: "tok en"))
            #expect(answer.items.first?.kind == "Pod" && answer.items.first?.apiVersion == "v1")
            #expect(answer.resourceVersion == "12" && answer.next == "more")
            #expect(script.requests[0].line == "GET /api/v1/namespaces/n/pods?labelSelector=a%3Db&limit=1&continue=tok%20en")
            let empty = try await client.list(Resources.pods, ListQuery())
            #expect(empty.items.isEmpty)
            await #expect(throws: KubeStatus.self) { try await client.list(Resources.pods, ListQuery()) }
        }
    }

    @Test(arguments: [
        (json(404, KubeStatus.notFound(Resources.pods.groupResource, "p").json), 404, "NotFound", "pods \"p\" not found"),
        (HTTPResponse.text(502, "bad gateway"), 502, "Unknown", "HTTP 502: bad gateway"), (HTTPResponse.text(403, ""), 403, "Forbidden", "HTTP 403"),
        (HTTPResponse.text(200, "<html>"), 500, "InternalError", "no JSON"),
    ])
    func `a failure is the server's Status or says what came`(_ answer: HTTPResponse, code: Int, reason: String, message: String) async throws {
        try await withClient([answer]) { client, _ in
            let status = await #expect(throws: KubeStatus.self) { try await client.get(Resources.pods, ObjectKey(namespace: "n", name: "p")) }
            #expect(status?.code == code)
            #expect(status?.reason == reason)
            #expect(status?.message.contains(message) == true, "\(status?.message ?? "")")
        }
    }

    @Test func `a server that is busy is asked again when it says`() async throws {
        let busy = json(429, ["kind": "Status", "status": "Failure", "code": 429, "reason": "TooManyRequests"], headers: ["Retry-After": "3"])
        try await withClient([busy, json(503, [:], headers: ["Retry-After": "600"]), json(200, ["kind": "Pod"])]) { client, script in
            let pod = try await client.get(Resources.pods, ObjectKey(namespace: "n", name: "p"))
            #expect(pod.kind == "Pod")
            #expect(script.requests.count == 3)
            #expect(clock.waited == [.seconds(3), .seconds(10)])
        }
        try await withClient(Array(repeating: busy, count: 9)) { client, script in
            await #expect(throws: KubeStatus.self) { try await client.get(Resources.pods, ObjectKey(namespace: "n", name: "p")) }
            #expect(script.requests.count == 4)
        }
    }

    @Test func `an answer over the limit is refused`() async throws {
        var limits = KubeClient.Limits()
        limits.body = 1000
        try await withClient([json(200, ["data": .string(String(repeating: "x", count: 2000))])], limits: limits) { client, _ in
            let status = await #expect(throws: KubeStatus.self) { try await client.get(Resources.pods, ObjectKey(namespace: "n", name: "p")) }
            #expect(status?.message.contains("over 1000 bytes") == true, "\(status?.message ?? "")")
        }
    }

    @Test func `a watch brings its events and ends with the server's error`() async throws {
        let lines = HTTPResponse.stream(200) { writer in
            for event in [WatchEvent.added(KubeObject(apiVersion: "v1", kind: "Pod", name: "p")), .bookmark("9")] {
                try await writer.write(event.line(apiVersion: "v1", kind: "Pod"))
            }
            let error: JSONValue = ["type": "ERROR", "object": KubeStatus.gone("too old").json]
            try await writer.write(error.encoded() + [10])
        }
        try await withClient([lines, json(410, KubeStatus.gone("too old").json), .stream(200) { _ in }]) { client, script in
            var events: [WatchEvent] = []
            let status = await #expect(throws: KubeStatus.self) {
                for try await event in try await client.watch(Resources.pods, ListQuery(fieldSelector: "a=b"), resourceVersion: "5") {
                    events.append(event)
                }
            }
            #expect(status?.isGone == true)
            #expect(events.count == 2)
            #expect(script.requests[0].line.hasPrefix("GET /api/v1/pods?fieldSelector=a%3Db&watch=true&allowWatchBookmarks=true&resourceVersion=5"))
            let refused = await #expect(throws: KubeStatus.self) {
                _ = try await client.watch(Resources.pods, ListQuery(), resourceVersion: "5")
            }
            #expect(refused?.isGone == true)
            for try await _ in try await client.watch(Resources.pods, ListQuery(), resourceVersion: "5") { Issue.record("an event") }
        }
    }

    @Test func `a server that is not there is named with the cause`() async throws {
        var access = ClusterAccess(server: "http://127.0.0.1:1")
        access.namespace = "n"
        let client = try KubeClient(access, logger: quiet)
        let status = await #expect(throws: KubeStatus.self) { try await client.get(Resources.pods, ObjectKey(namespace: "n", name: "p")) }
        #expect(status?.reason == "ServiceUnavailable")
        #expect(status?.message.contains("http://127.0.0.1:1: connection refused") == true, "\(status?.message ?? "")")
        await client.shutdown()
    }

    @Test func `a certificate of another authority is not trusted, and the client shows its own`() async throws {
        let now = SystemClock().now().wall
        let authority = try CertificateAuthority(now: now)
        let stranger = try CertificateAuthority(now: now)
        let leaf = try authority.issue(
            LeafProfile(commonName: "api", names: ["127.0.0.1"], usages: [.server], lifetime: .seconds(3600)), now: now)
        let user = try authority.issue(LeafProfile(commonName: "admin", usages: [.client], lifetime: .seconds(3600)), now: now)
        let tls = HTTPServerTLS(
            certificateChain: Array(PEMBlock.text(certificate: leaf.certificate).utf8), privateKey: Redacted(Array(leaf.key.pem.exposed.utf8)),
            clientCertificates: .required(authorities: authority.certificate))
        let server = HTTPServer(HTTPServerConfiguration(host: "127.0.0.1", port: 0, tls: { tls }), logger: quiet) { request in
            let name = try request.peerCertificate.map { try CertificateFacts(der: $0).commonName } ?? ""
            return json(200, ["kind": .string(name)])
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try? await server.run() }
            let address = "https://127.0.0.1:\(try await server.boundPort())"
            let key = ObjectKey(namespace: "n", name: "p")
            var access = ClusterAccess(server: address, trust: .authorities(PEMBlock.text(certificate: authority.certificate)))
            access.certificate = PEMBlock.text(certificate: user.certificate)
            access.key = user.key.pem
            let client = try KubeClient(access, logger: quiet)
            let greeting = try await client.get(Resources.pods, key)
            #expect(greeting.kind == "admin")
            access.trust = .authorities(PEMBlock.text(certificate: stranger.certificate))
            let deceived = try KubeClient(access, logger: quiet)
            let status = await #expect(throws: KubeStatus.self) { try await deceived.get(Resources.pods, key) }
            #expect(status?.message.contains("not signed by an authority") == true, "\(status?.message ?? "")")
            await client.shutdown()
            await deceived.shutdown()
            group.cancelAll()
        }
    }

    @Test func `a key that is none is refused before anything is sent`() {
        var access = ClusterAccess(server: "https://127.0.0.1:1", trust: .authorities("nothing"))
        let authority = #expect(throws: KubeClientError.self) { try KubeClient(access, logger: quiet) }
        #expect(authority?.message.contains("certificate authority") == true)
        access.trust = .system
        access.certificate = "x"
        access.key = Redacted("y")
        let certificate = #expect(throws: KubeClientError.self) { try KubeClient(access, logger: quiet) }
        #expect(certificate?.code == .certificate)
    }
}

import CloudHub
import EdgeMessages
import EdgeTesting
import EdgeTransport
import HTTPServing
import KubeMachinery
import KubeResources
import Logging
import Primitives
import Supervision
import Testing
import Trust

@testable import CloudCoreApp

private let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

/// A running cloudcore and the API behind it.
private struct Running: Sendable {
    let core: CloudCore
    let api: FakeKubeAPI
    let ports: CloudHubListener.Ports

    func secret(_ name: String, _ field: String) async -> [UInt8] {
        let secret = await api.object(Resources.secrets, ObjectKey(namespace: "kubeedge", name: name))
        return secret?.json["data"][field].string.flatMap { Base64.decode($0) } ?? []
    }

    /// The line of a node that has a certificate of the CA.
    func connect(_ node: String) async throws -> Line {
        let authority = try CertificateAuthority(
            certificate: await secret("casecret", "cadata"), key: try SigningKey(der: await secret("casecret", "cakeydata")))
        let pair = try authority.issue(.node(node, lifetime: .seconds(3600)), now: SystemClock().now().wall)
        let channel = try await WebSocketClient.connect(
            to: PeerAddress(host: "127.0.0.1", port: ports.webSocket ?? 0, path: "/project/\(node)/events"),
            headers: [("Node_id", node), ("Project_id", "project"), ("Connectionuse", "msg")], authority: authority.certificate,
            identity: ClientIdentity(certificate: pair.certificate, privateKey: pair.key.der))
        return Line(channel: channel)
    }
}

/// The edge's end of a line, for one task.
private final class Line {
    private let channel: any MessageChannel
    private var messages: AsyncThrowingStream<[UInt8], any Error>.AsyncIterator

    init(channel: any MessageChannel) {
        self.channel = channel
        messages = channel.messages().makeAsyncIterator()
    }

    func next() async throws -> EdgeMessage { try EdgeMessage(wire: try #require(try await messages.next())) }

    func send(_ message: EdgeMessage) async throws { try await channel.send(message.wire) }

    /// Sends a request and returns its answer; what comes meanwhile is passed over.
    func ask(_ operation: String, _ resource: String, _ content: JSONValue = nil) async throws -> JSONValue {
        let request = EdgeMessage(source: "edged", group: "meta", operation: operation, resource: resource, content: content)
        try await send(request)
        while true {
            let message = try await next()
            if message.header.parentID == request.header.id { return message.content }
        }
    }

    func close() async { await channel.close("done") }
}

/// Runs cloudcore on free ports for the length of `use`, then asks it to stop and waits for that.
private func withCloudCore(_ api: FakeKubeAPI, use: @escaping @Sendable (Running) async throws -> Void) async throws {
    let host = HostFacts(name: "cloud", address: "127.0.0.1")
    let files: JSONValue = ["tlsCAFile": "", "tlsCAKeyFile": "", "tlsCertFile": "", "tlsPrivateKeyFile": ""]
    var document: JSONValue = ["modules": ["cloudHub": files]]
    document["modules"]["cloudHub"]["https"] = ["address": "127.0.0.1"]
    document["modules"]["cloudHub"]["websocket"] = ["address": "127.0.0.1"]
    let configuration = try CloudCoreConfiguration(document: document, host: host)
    let (opened, open) = AsyncStream.makeStream(of: CloudHubListener.Ports.self)
    var core = CloudCore(configuration: configuration, api: api, logger: { _ in quiet }, opened: { open.yield($0) })
    core.usesFreePorts = true
    let (stop, ask) = AsyncStream.makeStream(of: Int32.self)
    try await withThrowingTaskGroup(of: Void.self) { [core] group in
        group.addTask { try await core.run(stop: stop) }
        group.addTask {
            var iterator = opened.makeAsyncIterator()
            let ports = try #require(await iterator.next())
            do { try await use(Running(core: core, api: api, ports: ports)) } catch {
                ask.yield(15)
                throw error
            }
            ask.yield(15)
        }
        try await group.waitForAll()
    }
}

@Suite("cloudcore as a whole, on real sockets", .serialized, .timeLimit(.minutes(1)))
struct CloudCoreTests {
    @Test("serves its CA, prepares the cluster, and says that it is ready")
    func serving() async throws {
        let api = FakeKubeAPI()
        try await withCloudCore(api) { running in
            let answer = try await HTTPSExchange(
                to: PeerAddress(host: "127.0.0.1", port: running.ports.https, path: "/ca.crt"), trust: .unverified
            ).send()
            #expect(answer.status == 200)
            #expect(answer.body == (await running.secret("casecret", "cadata")))
            try await api.wait { $0.objects(Resources.secrets).contains { $0.name == "tokensecret" } }
            #expect(running.core.health.isHealthy)
        }
    }

    @Test("a node registers and gets its pods, with a record of each; a pod that is deleted is deleted there")
    func node() async throws {
        let api = FakeKubeAPI()
        try await withCloudCore(api) { running in
            let line = try await running.connect("edge-1")
            try await line.send(.keepalive())
            let missing = try await line.ask("query", "default/node/edge-1")
            #expect(missing["ErrStatus"]["reason"] == "NotFound")
            let node: JSONValue = ["metadata": ["name": "edge-1", "labels": ["node-role.kubernetes.io/edge": ""]]]
            #expect(try await line.ask("insert", "default/node/edge-1", node)["Err"].isNull)
            #expect(try await line.ask("query", "default/node/edge-2")["ErrStatus"]["reason"] == "Forbidden")
            var pod = KubeObject(apiVersion: "v1", kind: "Pod", namespace: "default", name: "web")
            pod.spec["nodeName"] = "edge-1"
            pod.uid = "w"
            await api.put(Resources.pods, pod)
            let insert = try await line.next()
            #expect(insert.route.resource == "default/pod/web")
            #expect(insert.content["metadata"]["uid"] == "w")
            try await line.send(insert.acknowledgement())
            let records = try await api.objects(Resources.objectSyncs) {
                $0.first?.status["objectResourceVersion"].string == insert.header.resourceVersion
            }
            #expect(records.map(\.name) == ["edge-1.w"])
            await api.drop(Resources.pods, pod.key)
            let delete = try await line.next()
            #expect(delete.route.operation == "delete" && delete.route.resource == "default/pod/web")
            try await line.send(delete.acknowledgement())
            try await api.objects(Resources.objectSyncs) { $0.isEmpty }
            await line.close()
        }
    }

    @Test("the monitor shows nodes, health and readiness")
    func monitor() async throws {
        let health = HealthRegistry()
        let monitor = MonitorServer(
            address: NetworkAddress(host: "127.0.0.1", port: 0), health: health, metrics: MetricsRegistry(), connectedNodes: { 3 }, logger: quiet)
        let get = { (path: String) in await monitor.answer(HTTPRequest(method: "GET", target: path)) }
        let text = { (response: HTTPResponse) in if case .bytes(let bytes) = response.content { String(decoding: bytes, as: UTF8.self) } else { "" } }
        #expect(text(await get("/metrics")).contains("\nKubeEdge_CloudHub_connected_nodes 3\n"))
        health.set("cloudhub", .starting("no certificate"))
        #expect(await get("/healthz").status == 200)
        #expect(await get("/readyz").status == 503)
        #expect(text(await get("/readyz")).contains("[-]cloudhub starting: no certificate"))
        health.set("cloudhub", .failing("broken"))
        #expect(await get("/healthz").status == 503)
        #expect(await get("/other").status == 404)
        #expect(await monitor.answer(HTTPRequest(method: "POST", target: "/metrics")).status == 405)
    }
}

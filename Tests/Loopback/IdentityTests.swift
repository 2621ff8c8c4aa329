import CloudHub
import DeliveryCore
import EdgeMessages
import EdgeTesting
import EdgeTransport
import KubeMachinery
import KubeResources
import Primitives
import Synchronization
import Testing
import Trust

/// Nodes that say they are others, and others that say they are a node.
@Suite("Who speaks for a node", .timeLimit(.minutes(3)))
struct IdentityTests {
    // MARK: - T24

    private func refusal(_ connect: () async throws -> any MessageChannel) async -> String {
        do {
            await (try connect()).close("")
            return "none"
        } catch {
            return "\(error)"
        }
    }

    @Test("T24 a certificate of node A with the name of node B is refused at the message line, at the tunnel and for a new certificate")
    func names() async throws {
        try await CloudBed.run { cloud in
            let pair = try cloud.node("edge-1")
            func headers(_ nodes: String...) -> [(String, String)] {
                nodes.map { ("Node_id", $0) } + [("Project_id", "project"), ("Connectionuse", "msg")]
            }
            let cause = "the certificate of system:node:edge-1 may not speak for node "
            for name in ["edge-2", "EDGE-1", "edge-1.", "edge-1,edge-2", "system:node:edge-1", "edge-10", "edge"] {
                let words = await refusal { try await cloud.line(name, as: pair, headers: headers(name)) }
                #expect(words.contains("403: \(cause)\(name)"), "\(name): \(words)")
            }
            // The first line counts, here and for what is served.
            let second = await refusal { try await cloud.line("edge-2", as: pair, headers: headers("edge-2", "edge-1")) }
            #expect(second.contains("403: \(cause)edge-2"), "\(second)")
            let tunnel = await refusal { try await cloud.tunnel("edge-2", as: pair) }
            #expect(tunnel.contains("403: the certificate of system:node:edge-1 may not open a tunnel for node edge-2"), "\(tunnel)")
            let stolen = try await cloud.apply(try SigningRequest.make(node: "edge-2", key: SigningKey()), node: "edge-2", as: pair)
            #expect(stolen.status == 401 && stolen.text.contains("may not ask for one of node edge-2"), "\(stolen.text)")
            let mixed = try await cloud.apply(try SigningRequest.make(node: "edge-2", key: SigningKey()), node: "edge-1", as: pair)
            #expect(mixed.status == 400 && mixed.text.contains("node edge-1 may only ask for CN=system:node:edge-1"), "\(mixed.text)")
        }
    }

    @Test("T24 a certificate that names no node, is a server's or is of another authority speaks for nobody")
    func strangers() async throws {
        try await CloudBed.run { cloud in
            let now = TestCredentials.begin
            let hour = Duration.seconds(3600)
            func profile(_ name: String, _ organizations: [String], _ usage: CertificateUsage = .client) -> LeafProfile {
                LeafProfile(commonName: name, organizations: organizations, usages: [usage], lifetime: hour)
            }
            for profile in [
                profile("system:node:edge-1", []), profile("system:node:edge-1", ["system:masters"]), profile("edge-1", ["system:nodes"]),
                profile("system:node:", ["system:nodes"]),
            ] {
                let pair = try cloud.authority.issue(profile, now: now)
                let line = await refusal { try await cloud.line("edge-1", as: pair) }
                #expect(line.contains("403: "), "\(profile): \(line)")
                let tunnel = await refusal { try await cloud.tunnel("edge-1", as: pair) }
                #expect(tunnel.contains("403: "), "\(profile): \(tunnel)")
            }
            let foreign = try CertificateAuthority(now: now).issue(.node("edge-1", lifetime: hour), now: now)
            let server = try cloud.authority.issue(profile("system:node:edge-1", ["system:nodes"], .server), now: now)
            let ended = try cloud.authority.issue(.node("edge-1", lifetime: hour), now: now + (.zero - hour - .seconds(60)))
            for (name, pair) in [("foreign", foreign), ("server", server), ("ended", ended)] {
                let line = await refusal { try await cloud.line("edge-1", as: pair) }
                #expect(line != "none" && !line.contains("refused the connection with"), "the handshake fails before the request: \(name): \(line)")
                let tunnel = await refusal { try await cloud.tunnel("edge-1", as: pair) }
                #expect(tunnel != "none" && !tunnel.contains("refused the connection with"), "\(name): \(tunnel)")
                let answer = try await cloud.apply(
                    try SigningRequest.make(node: "edge-1", key: SigningKey()), node: "edge-1", token: cloud.token.webToken.exposed, as: pair)
                #expect(answer.status == 401, "a certificate that is shown decides alone: \(name): \(answer.text)")
            }
        }
    }

    @Test("T24 a path and a resource that name node B change nothing: the session is the one of the certificate")
    func paths() async throws {
        let uplink = RecordingUplink()
        let hub = CloudHub(api: FakeKubeAPI(), uplinks: [.edgeController: uplink], logger: CloudBed.quiet)
        try await CloudBed.run(serve: { await hub.serve($0, node: $1, project: $2, remote: $3) }) { cloud in
            let pair = try cloud.node("edge-1")
            let line = try await Line(cloud.line("edge-1", as: pair, path: "/project/edge-2/events"))
            try await line.ask("a", of: "edge-2")
            await #expect(hub.connectedNodes() == ["edge-1"])
            #expect(uplink.taken == ["edge-1 a default/node/edge-2"])
            await line.channel.close("")
        }
        await hub.stop()
    }

    // MARK: - T25

    @Test("T25 of two sessions with one certificate the older is closed, and nothing of it is applied any more")
    func copiedCertificate() async throws {
        let uplink = RecordingUplink()
        let hub = CloudHub(api: FakeKubeAPI(), uplinks: [.edgeController: uplink], logger: CloudBed.quiet)
        let ended = Signal()
        try await CloudBed.run(serve: {
            await hub.serve($0, node: $1, project: $2, remote: $3)
            ended.set()
        }) { cloud in
            let pair = try cloud.node("edge-1")
            let old = try await Line(cloud.line("edge-1", as: pair))
            // The first is being handled, the second waits behind it, and the third tells that both have come.
            try await old.post("held", of: "x")
            try await old.post("waiting", of: "x")
            try await old.ask("third", of: "y")
            await uplink.isHolding.wait()
            let new = try await Line(cloud.line("edge-1", as: pair))
            try await new.ask("fourth", of: "y")
            await ended.wait()
            await old.untilEnd()
            await #expect(throws: TransportError.self) { try await old.post("late", of: "z") }
            try await new.ask("fifth", of: "x")
            // What waited behind the first never comes to its turn.
            let taken = uplink.taken.filter { $0 != "edge-1 held default/node/x" }
            #expect(taken == ["third default/node/y", "fourth default/node/y", "fifth default/node/x"].map { "edge-1 " + $0 })
            await #expect(hub.connectedNodes() == ["edge-1"])
            await new.channel.close("")
        }
        await hub.stop()
    }

    @Test("T25 of two tunnels with one certificate the older is closed, and commands go through the newer alone")
    func copiedTunnel() async throws {
        try await CloudBed.run { cloud in
            var pod = KubeObject(apiVersion: "v1", kind: "Pod", namespace: "default", name: "web")
            pod.json["spec"] = ["nodeName": "edge-1"]
            await cloud.api.put(Resources.pods, pod)
            let pair = try cloud.node("edge-1")
            let old = try await cloud.tunnel("edge-1", as: pair)
            var oldMessages = old.messages().makeAsyncIterator()
            // Its credit: from now on this tunnel is the node's.
            _ = try await oldMessages.next()
            let new = try await cloud.tunnel("edge-1", as: pair)
            var newMessages = new.messages().makeAsyncIterator()
            var kinds: [TunnelFrame.Kind] = []
            do { while let message = try await oldMessages.next() { kinds.append(try TunnelFrame(decoding: message).kind) } } catch is TransportError
            {}
            #expect(kinds == [])
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    let address = cloud.address(.stream).at("/containerLogs/default/web/main")
                    _ = try? await HTTPSExchange(
                        to: address, trust: .pinned(authority: cloud.authority.certificate), identity: CloudBed.identity(pair)
                    ).send()
                }
                while let message = try await newMessages.next() {
                    let frame = try TunnelFrame(decoding: message)
                    guard frame.kind == .exec else { continue }
                    #expect(try TunnelConnector(decoding: frame.data).path == "/containerLogs/default/web/main")
                    break
                }
                group.cancelAll()
            }
            await new.close("")
        }
    }
}

/// The edge's end of a message line.
private actor Line {
    struct Ended: Error {}

    nonisolated let channel: any MessageChannel
    private let messages: AsyncThrowingStream<[UInt8], any Error>

    init(_ channel: any MessageChannel) {
        self.channel = channel
        messages = channel.messages()
    }

    /// Sends a request under an id of its own that asks for a node.
    func post(_ id: String, of node: String) async throws {
        var message = EdgeMessage.queryNode(node)
        message.header.id = id
        try await channel.send(message.wire)
    }

    /// Sends a request and returns once it is answered.
    func ask(_ id: String, of node: String) async throws {
        try await post(id, of: node)
        for try await payload in messages where try EdgeMessage(wire: payload).header.parentID == id { return }
        throw Ended()
    }

    func untilEnd() async {
        do { for try await _ in messages {} } catch {}
    }
}

/// Answers every request, except that one with the id `held` stays where it is until its session ends.
private final class RecordingUplink: NodeUplink {
    let isHolding = Signal()
    private let held = Signal()
    private let list = Mutex<[String]>([])

    var taken: [String] { list.withLock { $0 } }

    func handle(_ message: EdgeMessage, from node: String) async -> EdgeMessage? {
        list.withLock { $0.append("\(node) \(message.header.id) \(message.route.resource)") }
        if message.header.id == "held" {
            isHolding.set()
            await held.wait()
        }
        return message.reply(.string(node))
    }

    func connected(_ node: String) async {}
    func disconnected(_ node: String) async {}
}

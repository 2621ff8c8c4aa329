import DeliveryCore
import EdgeHub
import EdgeMessages
import EdgeTransport
import HollowNodes
import KubeClient
import KubeMachinery
import KubeResources
import Primitives
import Synchronization
import Testing

/// A node without pods at the edge's end of a link: the real EdgeHub over a real WebSocket, with the reports of a kubelet.
struct LineEdge: Sendable {
    let name: String
    let cloud: CloudPrograms
    let hub: EdgeHub
    let memory: VersionMemory
    let history = LineHistory()
    private let clock = SystemClock()

    /// Runs a node of the shared cloud over a link until the body is done; the node is ready when it begins.
    static func with(_ name: String, _ body: @Sendable (LineEdge, PacketLink) async throws -> Void) async throws {
        try await SharedCloud.use { cloud in
            try await PacketLink.with { link in
                let server = "\(link.cloudAddress):\(cloud.webSocketPort)"
                let connect = try await cloud.connector(of: name, to: server)
                let memory = VersionMemory()
                let node = HollowNode(name: name, connect: connect, memory: memory, logger: CloudPrograms.quiet)
                let edge = LineEdge(name: name, cloud: cloud, hub: node.hub, memory: memory)
                try await edge.run(node) { try await body(edge, link) }
            }
        }
    }

    private init(name: String, cloud: CloudPrograms, hub: EdgeHub, memory: VersionMemory) {
        self.name = name
        self.cloud = cloud
        self.hub = hub
        self.memory = memory
    }

    private func run(_ node: HollowNode, _ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await node.run() }
            group.addTask { await history.keep(node.hub) }
            do {
                try await eventually("node \(name) is ready", within: .seconds(90)) { (try? await cloud.isReady(name)) == true }
                try await body()
            } catch {
                print("--- \(name): \(await hub.state.text())\n\(cloud.said("node connected", of: name) + cloud.said("node disconnected", of: name))")
                throw error
            }
            group.cancelAll()
        }
    }

    var attempts: UInt64 { get async { await hub.state["attempts"].int.map(UInt64.init) ?? 0 } }

    /// Waits until the cloud has said something about this node after a time; returns how long after.
    func cloudSays(_ message: String, after time: Timestamp, within limit: Duration) async throws -> Duration {
        var said: Timestamp?
        try await eventually("\(message) for \(name)", within: limit) {
            said = cloud.said(message, of: name).map(\.time).first { $0 > time }
            return said != nil
        }
        return try #require(said) - time
    }

    // MARK: - Objects

    /// ConfigMaps that a pod of this node uses; returns their names once it has them all.
    func makeMaps(_ count: Int) async throws -> [String] {
        let names = try await cloud.makeMaps(count, for: name)
        for name in names { try await arrives(name, try await write(name, "first"), within: .seconds(60)) }
        return names
    }

    /// Writes a text into a configMap; returns the version.
    func write(_ map: String, _ text: String) async throws -> UInt64 { try await cloud.write(map, text) }

    func arrives(_ map: String, _ version: UInt64, within limit: Duration) async throws {
        try await eventually("version \(version) of \(map) at the edge", within: limit) { memory.last("default/configmap/\(map)") >= version }
    }

    /// Runs the body, and counts how often the node was seen not to be ready meanwhile.
    func watchingReadiness(_ body: () async throws -> Void) async throws -> Int {
        let misses = Count()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                while !Task.isCancelled {
                    if try await !cloud.isReady(name) { misses.add() }
                    try await clock.wait(until: clock.now().uptime + .milliseconds(500))
                }
            }
            try await body()
            group.cancelAll()
        }
        return misses.value
    }
}

extension CloudPrograms {
    /// ConfigMaps that a pod of a node uses, so that it is sent them; returns their names.
    func makeMaps(_ count: Int, for node: String) async throws -> [String] {
        let names = (0..<count).map { "\(node)-\($0)" }
        for name in names {
            _ = try await api.create(Resources.configMaps, KubeObject(apiVersion: "v1", kind: "ConfigMap", namespace: "default", name: name))
        }
        var pod = KubeObject(apiVersion: "v1", kind: "Pod", namespace: "default", name: node)
        pod.spec = [
            "nodeName": .string(node), "terminationGracePeriodSeconds": 0,
            "containers": [["name": "c", "image": "none", "envFrom": .array(names.map { ["configMapRef": ["name": .string($0)]] })]],
        ]
        _ = try await api.create(Resources.pods, pod)
        return names
    }

    /// Writes a text into a configMap; returns the version.
    func write(_ map: String, _ text: String) async throws -> UInt64 {
        let patch: JSONValue = ["data": ["text": .string(text)]]
        return try await api.patch(Resources.configMaps, ObjectKey(namespace: "default", name: map), patch, .merge).version
    }

    /// Opens the message line of a node, with a certificate that it gets for its join token.
    func connector(of node: String, to server: String) async throws -> EdgeHub.Connect {
        let certificates = HollowCertificates(
            server: PeerAddress(host: "127.0.0.1", port: Int(httpsPort)), token: Redacted(try await token()), folder: "\(folder)/nodes",
            logger: Self.quiet)
        let content = try await certificates.content(of: node)
        let address = try #require(PeerAddress(server)).at("/project/\(node)/events")
        return {
            try await WebSocketClient.connect(
                to: address, headers: [("Node_id", node), ("Project_id", "project"), ("Connectionuse", "msg")],
                capabilities: [PeerCapability.leases.rawValue], authority: content.authority,
                identity: ClientIdentity(certificate: content.pair.certificate, privateKey: content.pair.key.der))
        }
    }
}

private final class Count: Sendable {
    private let number = Atomic<Int>(0)

    var value: Int { number.load(ordering: .relaxed) }

    func add() { number.add(1, ordering: .relaxed) }
}

/// What a node keeps of objects: the versions of each, in the order of their arrival.
final class VersionMemory: CloudDownlink {
    private let versions = Mutex<[String: [UInt64]]>([:])

    func apply(_ message: EdgeMessage) async throws {
        versions.withLock { $0[message.route.resource, default: []].append(message.header.resourceVersion.flatMap { UInt64($0) } ?? 0) }
    }

    func last(_ resource: String) -> UInt64 { versions.withLock { $0[resource]?.last ?? 0 } }

    func all(_ resource: String) -> [UInt64] { versions.withLock { $0[resource] ?? [] } }
}

/// When the line was there and when it was not, as the edge saw it; and how late this process has been, which tests with limits allow for.
final class LineHistory: Sendable {
    private let state = Mutex<(changes: [(isOnline: Bool, time: Duration)], lateness: Duration)>(([], .zero))
    private let clock = SystemClock()

    var lateness: Duration { state.withLock(\.lateness) }

    func keep(_ hub: EdgeHub) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                for await isOnline in await hub.connectivity() { state.withLock { $0.changes.append((isOnline, clock.now().uptime)) } }
            }
            group.addTask { [self] in
                while !Task.isCancelled {
                    let due = clock.now().uptime + .milliseconds(200)
                    try? await clock.wait(until: due)
                    state.withLock { $0.lateness = max($0.lateness, clock.now().uptime - due) }
                }
            }
        }
    }

    /// Waits until the line has changed to a state after a time; returns how long after.
    func change(to isOnline: Bool, after time: Duration, within limit: Duration) async throws -> Duration {
        var found: Duration?
        try await eventually("the edge \(isOnline ? "is connected" : "sees that it is not connected")", within: limit) {
            found = state.withLock { $0.changes.first { $0.isOnline == isOnline && $0.time > time }?.time }
            return found != nil
        }
        return try #require(found) - time
    }
}

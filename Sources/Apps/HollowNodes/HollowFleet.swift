import DeliveryCore
import EdgeHub
import EdgeTransport
import KubeClient
import KubeMachinery
import KubeResources
package import Logging
package import Primitives
import Trust

/// Many edge nodes without pods in one process, against a running cloudcore: for its benchmarks.
///
/// Every half second a JSON line says how many are connected and served; a measurement ends with one that has its times.
package struct HollowFleet: Sendable {
    package enum Measurement: String, Sendable, CaseIterable {
        /// Stay connected.
        case hold
        /// Write ConfigMaps that the nodes use: how long until the nodes have them.
        case down
        /// Nodes query their Node, which cloudcore answers from memory.
        case query
        /// Nodes renew their leases, which cloudcore writes to the API.
        case lease
    }

    package struct Configuration: Sendable {
        package var kubeconfig = ""
        package var webSocket = "127.0.0.1:10000"
        package var https = "127.0.0.1:10002"
        /// Where the certificates of the nodes are kept from one run to the next.
        package var folder = "/tmp/kubeedge-hollow"
        package var count = 100
        /// New nodes a second; 0 for all at once.
        package var ramp = 0.0
        package var measurement = Measurement.hold
        package var duration: Duration = .seconds(30)
        /// Messages or requests a second, over all nodes; 0 for as many as `inFlight` at a time give.
        package var rate = 0.0
        package var inFlight = 32
        /// Queries of the own Node with every renewal; a Go edge makes two.
        package var queries = 0
        /// The nodes leave their leases to the cloud, as edges of this house do; else they renew them as Go edges do.
        package var leavesLeases = true

        package init() {}
    }

    let configuration: Configuration
    let clock: any MomentSource
    let logger: Logger
    let tally = HollowTally()
    private let store = StoreIdentity(.random(in: 1...(.max)))
    /// One for all nodes, which nobody reads.
    private let metrics = LineMetrics()

    package init(_ configuration: Configuration, clock: any MomentSource = SystemClock(), logger: Logger) {
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
    }

    var names: [String] { (0..<configuration.count).map { "hollow-\($0)" } }

    /// Runs the fleet for the time of its measurement. Throws what keeps it from beginning.
    package func run() async throws {
        let api = try KubeClient(
            try ClusterAccess.resolve(kubeconfig: configuration.kubeconfig, server: "", environment: [:]), logger: logger)
        let result: Result<Void, any Error>
        do { result = .success(try await run(api)) } catch { result = .failure(error) }
        await api.shutdown()
        try result.get()
    }

    private func run(_ api: KubeClient) async throws {
        let contents = try await certificates(api)
        say(["event": "certificates", "count": .integer(Int64(contents.count))])
        let nodes = try zip(names, contents).map { name, content in try node(name, content) }
        let begin = clock.now().uptime
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for (index, node) in nodes.enumerated() {
                        if configuration.ramp > 0 { try await clock.wait(until: begin + .seconds(Double(index) / configuration.ramp)) }
                        group.addTask { try await node.run() }
                    }
                    try await group.waitForAll()
                }
            }
            group.addTask { try await tell(since: begin) }
            try await waitUntilServed()
            say(["event": "served", "seconds": HollowTimes.decimal((clock.now().uptime - begin) / .seconds(1))])
            try await measure(api, nodes)
            group.cancelAll()
        }
    }

    private func certificates(_ api: KubeClient) async throws -> [CertificateFiles.Content] {
        let secret = try await api.get(Resources.secrets, ObjectKey(namespace: "kubeedge", name: "tokensecret"), subresource: nil)
        let token = secret.json["data"]["tokendata"].string.flatMap(Base64.decode).map { String(decoding: $0, as: UTF8.self) } ?? ""
        guard let server = PeerAddress(configuration.https) else { throw HollowFailure("\(configuration.https) is no host:port") }
        let source = HollowCertificates(
            server: server, token: Redacted(token), folder: configuration.folder, clock: clock, logger: logger)
        let names = names
        return try await withThrowingTaskGroup(of: (Int, CertificateFiles.Content).self) { group in
            var contents = [CertificateFiles.Content?](repeating: nil, count: names.count)
            for (index, name) in names.enumerated() {
                if index >= 16, let (done, content) = try await group.next() { contents[done] = content }
                group.addTask { (index, try await source.content(of: name)) }
            }
            for try await (done, content) in group { contents[done] = content }
            return contents.compactMap { $0 }
        }
    }

    private func node(_ name: String, _ content: CertificateFiles.Content) throws -> HollowNode {
        guard var address = PeerAddress(configuration.webSocket) else { throw HollowFailure("\(configuration.webSocket) is no host:port") }
        address.path = "/e632aba927ea4ac2b575ec1603d56f10/\(name)/events"
        let identity = ClientIdentity(certificate: content.pair.certificate, privateKey: content.pair.key.der)
        // What an earlier run held is gone with it.
        let words = [store.announcement] + (configuration.leavesLeases ? [PeerCapability.leases.rawValue] : [])
        let connect: EdgeHub.Connect = { [address] in
            try await WebSocketClient.connect(
                to: address,
                headers: [("Node_id", name), ("Project_id", "e632aba927ea4ac2b575ec1603d56f10"), ("Connectionuse", "msg")],
                capabilities: words, authority: content.authority, identity: identity)
        }
        let isPaced = [.hold, .down].contains(configuration.measurement)
        return HollowNode(
            name: name, connect: connect, tally: tally, metrics: metrics, queries: configuration.queries, isPaced: isPaced, clock: clock,
            logger: logger)
    }

    private func waitUntilServed() async throws {
        while tally.counts.served < configuration.count { try await clock.wait(until: clock.now().uptime + .milliseconds(20)) }
    }

    /// Says how many nodes are there, twice a second.
    private func tell(since begin: Duration) async throws {
        while true {
            let counts = tally.counts
            say([
                "seconds": HollowTimes.decimal((clock.now().uptime - begin) / .seconds(1)), "connected": .integer(Int64(counts.connected)),
                "served": .integer(Int64(counts.served)), "registered": .integer(Int64(counts.registered)),
                "renewals": .integer(Int64(counts.renewals)), "failures": .integer(Int64(counts.failures)),
                "applied": .integer(Int64(counts.applied)),
            ])
            try await clock.wait(until: clock.now().uptime + .milliseconds(500))
        }
    }

    func say(_ line: JSONValue) { LineOutput.write(line.text()) }
}

/// Why a fleet cannot begin.
struct HollowFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

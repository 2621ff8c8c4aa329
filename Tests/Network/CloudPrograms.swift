import DevCluster
import EdgeTesting
import EdgeTransport
import Glibc
import KubeClient
import KubeMachinery
import KubeResources
import Logging
import Primitives
import Synchronization
import Testing

/// The cloud's end of real programs: the embedded API and cloudcore, on ports and in a folder of their own.
final class CloudPrograms: Sendable {
    static let quiet = Logger(label: "network") { _ in SwiftLogNoOpLogHandler() }

    let folder = "/tmp/kenet-\(getpid())-\(UniqueID.next())"
    let webSocketPort: UInt16
    let httpsPort: UInt16
    let api: KubeClient
    private let programs: String
    private let plane: ChildProcess
    private let core = Mutex<ChildProcess?>(nil)

    var kubeconfig: String { "\(folder)/control-plane/kubeconfig" }
    var program: String { "\(programs)/kubeedge" }
    private var log: String { "\(folder)/cloudcore.log" }

    /// Starts the API; cloudcore comes with `startCore`.
    private init(_ programs: String) async throws {
        self.programs = programs
        try HostFile.makeDirectory("\(folder)/cloud")
        var ports: [UInt16] = []
        while ports.count < 7 {
            let port = PortOwner.anyFreePort()
            // cloudcore takes the one above the kubelet's.
            if !ports.contains(where: { $0 == port || $0 + 1 == port || $0 == port + 1 }) { ports.append(port) }
        }
        (webSocketPort, httpsPort) = (ports[0], ports[1])
        plane = try ChildProcess(
            "\(programs)/kubeedge", ["control-plane", "--data-dir", "\(folder)/control-plane", "--port", "\(ports[2])"],
            logFile: "\(folder)/control-plane.log")
        do {
            let path = "\(folder)/control-plane/kubeconfig"
            try await eventually("the API has written its kubeconfig", within: .seconds(60)) { access(path, R_OK) == 0 }
            let client = try KubeClient(try ClusterAccess.kubeconfig(at: path), logger: Self.quiet)
            api = client
            try await eventually("the API answers", within: .seconds(60)) {
                (try? await client.get(Resources.namespaces, ObjectKey(name: "default"))) != nil
            }
            try HostFile.write(Array(configuration(ports).text().utf8), to: "\(folder)/cloud/cloudcore.yaml", mode: 0o600)
        } catch {
            await plane.stop()
            throw error
        }
    }

    private func configuration(_ ports: [UInt16]) -> JSONValue {
        var hub: JSONValue = [
            "advertiseAddress": .array((["127.0.0.1"] + PacketLink.cloudAddresses).map { .string($0) }), "nodeLimit": 1000,
            "unixsocket": ["enable": false, "address": .string("unix://\(folder)/cloud/kubeedge.sock")],
            "websocket": ["enable": true, "address": "0.0.0.0", "port": .integer(Int64(webSocketPort))],
            "https": ["enable": true, "address": "127.0.0.1", "port": .integer(Int64(httpsPort))],
        ]
        for name in ["tlsCAFile", "tlsCAKeyFile", "tlsCertFile", "tlsPrivateKeyFile"] { hub[name] = .string("\(folder)/cloud/none-\(name)") }
        var stream: JSONValue = ["enable": false, "streamPort": .integer(Int64(ports[4])), "tunnelPort": .integer(Int64(ports[5]))]
        for name in ["tlsStreamCAFile", "tlsStreamCertFile", "tlsStreamPrivateKeyFile"] { stream[name] = .string("\(folder)/cloud/none-\(name)") }
        return [
            "apiVersion": "cloudcore.config.kubeedge.io/v1alpha2", "kind": "CloudCore",
            "commonConfig": [
                "monitorServer": ["bindAddress": .string("127.0.0.1:\(ports[3])")], "tunnelPort": .integer(Int64(ports[6])),
            ],
            "kubeAPIConfig": ["kubeConfig": .string(kubeconfig)], "modules": ["cloudHub": hub, "cloudStream": stream],
        ]
    }

    /// Starts cloudcore and waits until nodes can join.
    func startCore() async throws {
        let started = try ChildProcess("\(programs)/cloudcore", ["--config", "\(folder)/cloud/cloudcore.yaml"], logFile: log)
        core.withLock { $0 = started }
        try await eventually("cloudcore serves its CA and has a token", within: .seconds(90)) {
            let server = PeerAddress(host: "127.0.0.1", port: Int(self.httpsPort), path: "/ca.crt")
            let answer = try? await HTTPSExchange(to: server, trust: .unverified).send()
            guard answer?.status == 200, !PortOwner.isFree(self.webSocketPort) else { return false }
            return await (try? self.token())?.isEmpty == false
        }
    }

    /// Ends cloudcore as a crash does.
    func killCore() async throws {
        let killed = try #require(core.withLock { $0 })
        kill(killed.identifier, SIGKILL)
        _ = try await killed.wait(for: .seconds(30))
    }

    func token() async throws -> String {
        let secret = try await api.get(Resources.secrets, ObjectKey(namespace: "kubeedge", name: "tokensecret"))
        return secret.json["data"]["tokendata"].string.flatMap { Base64.decode($0) }.map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    func isReady(_ node: String) async throws -> Bool {
        let node = try await api.get(Resources.nodes, ObjectKey(name: node))
        return node.status["conditions"].elements.contains { $0["type"] == "Ready" && $0["status"] == "True" }
    }

    /// What cloudcore has written about a node: lines with their times.
    func said(_ message: String, of node: String) -> [(time: Timestamp, line: String)] {
        let text = String(decoding: (try? HostFile.read(log)) ?? [], as: UTF8.self)
        return text.split(separator: "\n").filter { $0.contains(" \(message) ") && $0.contains(" node=\(node) ") }.compactMap { line in
            line.split(separator: " ").first.flatMap { Timestamp(rfc3339: String($0)) }.map { ($0, String(line)) }
        }
    }

    // MARK: - Begin and end

    /// Programs of one test alone.
    static func with(_ body: (CloudPrograms) async throws -> Void) async throws {
        let programs = try await start()
        do { try await body(programs) } catch {
            await programs.end()
            throw error
        }
        await programs.end()
    }

    fileprivate static func start() async throws -> CloudPrograms {
        let programs = try await CloudPrograms(try #require(BuiltPrograms.folder, "the programs lie beside the tests, or in KUBEEDGE_PROGRAMS"))
        do { try await programs.startCore() } catch {
            await programs.end()
            throw error
        }
        return programs
    }

    fileprivate func end() async {
        await core.withLock { $0 }?.stop()
        await plane.stop()
        await api.shutdown()
        HostFile.removeTree(folder)
    }
}

/// Programs that tests share that run side by side: the first one starts them, the last one ends them.
actor SharedCloud {
    private static let shared = SharedCloud()

    private var running: CloudPrograms?
    private var users = 0
    private var isChanging = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    static func use(_ body: (CloudPrograms) async throws -> Void) async throws {
        let programs = try await shared.begin()
        do { try await body(programs) } catch {
            await shared.end()
            throw error
        }
        await shared.end()
    }

    private func begin() async throws -> CloudPrograms {
        await turn()
        defer { next() }
        if running == nil { running = try await CloudPrograms.start() }
        users += 1
        return try #require(running)
    }

    private func end() async {
        await turn()
        defer { next() }
        users -= 1
        guard users == 0, let running else { return }
        self.running = nil
        await running.end()
    }

    /// One change at a time.
    private func turn() async {
        if isChanging { await withCheckedContinuation { waiting.append($0) } }
        isChanging = true
    }

    private func next() {
        if waiting.isEmpty { isChanging = false } else { waiting.removeFirst().resume() }
    }
}

/// Waits until a condition holds that nobody signals; throws with what it waited for.
func eventually(_ what: String, within limit: Duration, _ condition: () async throws -> Bool) async throws {
    let clock = SystemClock()
    let deadline = clock.now().uptime + limit
    while try await !condition() {
        guard clock.now().uptime < deadline else { throw LinkFailure("\(what) did not come about within \(limit)") }
        // WAITS: other programs' states are asked for; none of them signals this one.
        try await Task.sleep(for: .milliseconds(50))
    }
}

import DeliveryCore
import EdgeMessages
import EdgeTesting
import FoundationEssentials
import KubeMachinery
import Logging
import ObjectStore
import PodCore
import Primitives
import Synchronization
import Testing

@testable import MetaManager

/// A cloud that answers as it is told, or is away.
private final class CloudDouble: CloudUplink {
    struct State {
        var isConnected = true
        var offered: Set<PeerCapability> = []
        var answers: [String: JSONValue] = [:]
        var requests: [EdgeMessage] = []
        var followers: [AsyncStream<Bool>.Continuation] = []
    }

    let state = Mutex(State())

    func request(_ message: EdgeMessage, timeout: Duration) async throws -> EdgeMessage {
        try state.withLock { state in
            guard state.isConnected else { throw UplinkError.notConnected }
            state.requests.append(message)
            guard let answer = state.answers["\(message.route.operation) \(message.route.resource)"] else { throw UplinkError.timedOut }
            return message.response(answer)
        }
    }

    func post(_ message: EdgeMessage) async {}
    func isConnected() async -> Bool { state.withLock { $0.isConnected } }
    func offers(_ capability: PeerCapability) async -> Bool { state.withLock { $0.isConnected && $0.offered.contains(capability) } }

    func connectivity() async -> AsyncStream<Bool> {
        let (stream, continuation) = AsyncStream.makeStream(of: Bool.self)
        state.withLock {
            $0.followers.append(continuation)
            continuation.yield($0.isConnected)
        }
        return stream
    }

    func set(connected: Bool) {
        state.withLock { state in
            state.isConnected = connected
            for follower in state.followers { follower.yield(connected) }
        }
    }

    func answer(_ request: String, _ answer: JSONValue?) { state.withLock { $0.answers[request] = answer } }
    var requests: [String] { state.withLock { $0.requests.map { "\($0.route.operation) \($0.route.resource)" } } }
}

private func pod(_ name: String, uid: String = "u1", version: Int = 5, image: String = "one") -> JSONValue {
    [
        "metadata": [
            "name": .string(name), "namespace": "default", "uid": .string(uid), "resourceVersion": .string(String(version)),
        ],
        "spec": ["nodeName": "edge-1", "containers": [["name": "c", "image": .string(image)]]], "status": ["phase": "Pending"],
    ]
}

private func downstream(_ operation: String, _ resource: String, _ content: JSONValue) -> EdgeMessage {
    EdgeMessage(source: "edgecontroller", group: "resource", operation: operation, resource: resource, content: content)
}

private let key = ObjectKey(namespace: "default", name: "web")

@Suite("MetaManager", .timeLimit(.minutes(1)))
final class MetaManagerTests {
    private let path = "/tmp/meta-manager-\(UniqueID.next()).db"
    private let cloud = CloudDouble()
    private let store: ObjectStore
    private let manager: MetaManager

    init() throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        store = try ObjectStore(ObjectStore.Configuration(path: path), logger: logger)
        manager = MetaManager(
            configuration: MetaManager.Configuration(nodeName: "edge-1"), store: store, uplink: cloud, clock: SystemClock(), logger: logger)
    }

    deinit { for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) } }

    private func until(_ condition: () async -> Bool) async { while await !condition() { await Task.yield() } }

    private func names() async throws -> [String] {
        try await store.list(EdgeRecords.pods, namespace: nil, limit: nil, after: nil).objects.map { "\($0.name) \($0.uid) \($0.version)" }
    }

    @Test("the kubelet gets the stored pods first and then every change")
    func podStream() async throws {
        try await manager.apply(downstream("insert", "default/pod/web", pod("web")))
        var changes = await manager.pods().makeAsyncIterator()
        guard case .known(let pods) = await changes.next() else { throw Failure() }
        #expect(pods.map(\.name) == ["web"])
        #expect(pods.first?.kind == "Pod")
        try await manager.apply(downstream("update", "default/pod/web", pod("web", version: 6)))
        try await manager.apply(downstream("update", "default/pod/web", pod("web", version: 7, image: "two")))
        guard case .upsert(let changed) = await changes.next() else { throw Failure() }
        #expect(changed.version == 7, "an update that changes nothing the kubelet acts on is not told")
        try await manager.apply(downstream("delete", "default/pod/web", pod("web", version: 8)))
        guard case .remove(key, uid: "u1") = await changes.next() else { throw Failure() }
    }

    @Test("pods of a new store are told as some, until the line has stood for a minute; then as all, and at the next start at once")
    func filling() async throws {
        let clock = ManualClock()
        let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let configuration = MetaManager.Configuration(nodeName: "edge-1")
        let manager = MetaManager(configuration: configuration, store: store, uplink: cloud, clock: clock, logger: log)
        cloud.set(connected: false)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try? await manager.run() }
            var changes = await manager.pods().makeAsyncIterator()
            guard case .known(let none) = await changes.next(), none.isEmpty else { throw Failure() }
            // A line that breaks within the minute counts for nothing.
            for _ in 0..<3 {
                cloud.set(connected: true)
                await until { await manager.lineStandsSince != nil }
                clock.advance(by: .seconds(50))
                cloud.set(connected: false)
                await until { await manager.lineStandsSince == nil }
            }
            try await manager.apply(downstream("insert", "default/pod/web", pod("web")))
            guard case .upsert(let web) = await changes.next(), web.name == "web" else { throw Failure() }
            cloud.set(connected: true)
            await until { await manager.lineStandsSince != nil }
            clock.advance(by: .seconds(60))
            #expect(await changes.next() == nil, "whoever follows asks for the whole set")
            changes = await manager.pods().makeAsyncIterator()
            guard case .set(let all) = await changes.next(), all.map(\.name) == ["web"] else { throw Failure() }
            tasks.cancelAll()
        }
        cloud.set(connected: false)
        let next = MetaManager(configuration: configuration, store: store, uplink: cloud, clock: clock, logger: log)
        var changes = await next.pods().makeAsyncIterator()
        guard case .set(let all) = await changes.next(), all.map(\.name) == ["web"] else { throw Failure() }
    }

    @Test("of a pod's status only the conditions of its readiness gates are told: others than the kubelet write them")
    func readinessGates() async throws {
        func gated(_ version: Int, _ conditions: JSONValue) -> JSONValue {
            var gated = pod("web", version: version)
            gated["spec"]["readinessGates"] = [["conditionType": "example.com/open"]]
            gated["status"]["conditions"] = conditions
            return gated
        }
        try await manager.apply(downstream("insert", "default/pod/web", gated(5, [])))
        var changes = await manager.pods().makeAsyncIterator()
        _ = await changes.next()
        try await manager.apply(downstream("update", "default/pod/web", gated(6, [["type": "Ready", "status": "False"]])))
        try await manager.apply(
            downstream(
                "update", "default/pod/web", gated(7, [["type": "Ready", "status": "False"], ["type": "example.com/open", "status": "True"]])))
        guard case .upsert(let changed) = await changes.next() else { throw Failure() }
        #expect(changed.version == 7)
        #expect(changed.status["conditions"][1]["status"] == "True")
    }

    @Test("copies that no pod refers to go the second time they are seen, and what a pod uses stays")
    func unusedCopies() async throws {
        let clock = ManualClock()
        let manager = MetaManager(
            configuration: MetaManager.Configuration(nodeName: "edge-1"), store: store, uplink: cloud, clock: clock,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        func object(_ name: String, _ namespace: String = "default") -> JSONValue {
            ["metadata": ["name": .string(name), "namespace": .string(namespace), "uid": .string(name), "resourceVersion": "3"], "data": [:]]
        }
        var web = pod("web")
        web["spec"]["volumes"] = [["name": "v", "projected": ["sources": [["configMap": ["name": "root-ca"]]]]], ["secret": ["secretName": "key"]]]
        web["spec"]["containers"][0]["envFrom"] = [["configMapRef": ["name": "settings"]]]
        try await manager.apply(downstream("insert", "default/pod/web", web))
        for name in ["root-ca", "settings", "other"] {
            try await manager.apply(downstream("insert", "default/configmap/\(name)", object(name)))
            try await manager.apply(downstream("insert", "gone/configmap/\(name)", object(name, "gone")))
        }
        for name in ["key", "later"] { try await manager.apply(downstream("insert", "default/secret/\(name)", object(name))) }
        func left() async throws -> [String] {
            var names: [String] = []
            for resource in [EdgeRecords.configMaps, EdgeRecords.secrets] {
                names += try await store.list(resource, namespace: nil, limit: nil, after: nil).objects.map { "\($0.key)" }
            }
            return names.sorted()
        }
        func nextSweep() async {
            await clock.waitForSleepers(1)
            clock.advance(by: .seconds(3600))
            await clock.waitForSleepers(1)
        }
        let all = try await left()
        #expect(all.count == 8)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try? await manager.run() }
            await until { await manager.lineStandsSince != nil }
            clock.advance(by: .seconds(60))
            await until { await manager.isFilled }
            await nextSweep()
            #expect(try await left() == all, "a pod that comes back finds its configuration though the line is down")
            var job = pod("job", uid: "u2")
            job["spec"]["imagePullSecrets"] = [["name": "later"]]
            try await manager.apply(downstream("insert", "default/pod/job", job))
            await nextSweep()
            #expect(try await left() == ["default/key", "default/later", "default/root-ca", "default/settings"])
            tasks.cancelAll()
        }
    }

    @Test("a runtime class comes from the cloud, and from the store once the cloud is away")
    func runtimeClass() async throws {
        let content: JSONValue = ["metadata": ["name": "kata", "uid": "r", "resourceVersion": "3"], "handler": "kata-clh"]
        cloud.answer("query default/runtimeclass/kata", content)
        #expect(try await manager.runtimeClass("kata").json["handler"] == "kata-clh")
        cloud.set(connected: false)
        let stored = try await manager.runtimeClass("kata")
        #expect(stored.json["handler"] == "kata-clh" && stored.kind == "RuntimeClass")
    }

    @Test("an older version never replaces a newer one")
    func olderVersion() async throws {
        try await manager.apply(downstream("update", "default/pod/web", pod("web", version: 10)))
        try await manager.apply(downstream("update", "default/pod/web", pod("web", version: 9)))
        #expect(try await names() == ["web u1 10"])
    }

    @Test("the deletion of a predecessor leaves the pod of the same name alone")
    func deletionOfPredecessor() async throws {
        try await manager.apply(downstream("update", "default/pod/web", pod("web", uid: "u2", version: 12)))
        try await manager.apply(downstream("delete", "default/pod/web", ["metadata": ["name": "web", "namespace": "default", "uid": "u1"]]))
        #expect(try await names() == ["web u2 12"])
        try await manager.apply(downstream("delete", "default/pod/web", ["metadata": ["name": "web", "namespace": "default", "uid": "u2"]]))
        #expect(try await names() == [])
    }

    @Test("content that is no object changes nothing", arguments: [JSONValue.null, "text", ["ErrStatus": ["code": 404]], [1]])
    func misshapen(content: JSONValue) async throws {
        try await manager.apply(downstream("update", "default/pod/web", pod("web")))
        try await manager.apply(downstream("update", "default/pod/web", content))
        #expect(try await names() == ["web u1 5"])
    }

    @Test("a configMap comes from the cloud, and from the store once the cloud is away")
    func reading() async throws {
        let content: JSONValue = ["metadata": ["name": "web", "namespace": "default", "uid": "c", "resourceVersion": "3"], "data": ["k": "v"]]
        cloud.answer("query default/configmap/web", content)
        #expect(try await manager.configMap(key).json["data"]["k"] == "v")
        cloud.set(connected: false)
        #expect(try await manager.configMap(key).json["data"]["k"] == "v")
        await #expect { try await self.manager.secret(key) } throws: { ($0 as? KubeStatus)?.code == 503 }
    }

    @Test("an error of the cloud is an error and never stored over the good copy")
    func errorAnswer() async throws {
        let content: JSONValue = ["metadata": ["name": "web", "namespace": "default", "uid": "c", "resourceVersion": "3"], "data": ["k": "v"]]
        cloud.answer("query default/configmap/web", content)
        _ = try await manager.configMap(key)
        cloud.answer("query default/configmap/web", KubeStatus.notFound(EdgeRecords.configMaps, "web").errorContent)
        await #expect { try await self.manager.configMap(key) } throws: { ($0 as? KubeStatus)?.isNotFound == true }
        cloud.answer("query default/configmap/web", ["Op": "Get"])
        #expect(try await manager.configMap(key).json["data"]["k"] == "v", "a failure that says nothing leaves the word to the store")
    }

    @Test("statuses that were decided without the cloud are folded, survive, and are sent when it is back")
    func pendingStatuses() async throws {
        try await manager.apply(downstream("update", "default/pod/web", pod("web")))
        cloud.set(connected: false)
        try await manager.patchPodStatus(
            key, uid: "u1",
            ["metadata": ["uid": "u1"], "status": ["phase": "Running", "conditions": [["type": "Ready", "status": "False"]]]])
        try await manager.patchPodStatus(
            key, uid: "u1", ["metadata": ["uid": "u1"], "status": ["conditions": [["type": "Ready", "status": "True"]], "podIP": "10.1.0.2"]])
        let stored = try await store.object(EdgeRecords.pods, key)
        #expect(stored?.status["phase"] == "Running")
        #expect(stored?.status["conditions"] == [["type": "Ready", "status": "True"]])

        var answered = pod("web", version: 9)
        answered["status"] = stored?.status ?? .null
        cloud.answer("patch default/podpatch/web", ["Object": answered, "Err": nil])
        let pending = try await store.watch(EdgeRecords.pendingStatuses, namespace: nil, after: nil)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [manager] in try? await manager.run() }
            cloud.set(connected: true)
            for await event in pending where event.change == .deleted { break }
            group.cancelAll()
        }
        let sent = cloud.state.withLock { $0.requests.last?.content.string } ?? ""
        let patch = try JSONValue(parsing: sent)
        #expect(patch["status"]["phase"] == "Running")
        #expect(patch["status"]["podIP"] == "10.1.0.2")
        #expect(patch["status"]["conditions"] == [["type": "Ready", "status": "True"]])
    }

    @Test("a token serves again for the same question only, and without the cloud however old")
    func tokens() async throws {
        let request: JSONValue = ["spec": ["expirationSeconds": 3607, "boundObjectRef": ["kind": "Pod", "name": "web", "uid": "u1"]]]
        func answer(_ request: JSONValue) {
            let expiry = (SystemClock().now().wall + .seconds(3607)).rfc3339
            cloud.answer(
                "query default/serviceaccounttoken/sa",
                [
                    "kind": "TokenRequest", "metadata": ["name": "sa", "namespace": "default"], "spec": request["spec"],
                    "status": ["token": "abc", "expirationTimestamp": .string(expiry)],
                ])
        }
        answer(request)
        for _ in 0..<3 { _ = try await manager.serviceAccountToken(namespace: "default", serviceAccount: "sa", request: request) }
        #expect(cloud.requests.count == 1)
        var other = request
        other["spec"]["boundObjectRef"]["uid"] = "u2"
        answer(other)
        _ = try await manager.serviceAccountToken(namespace: "default", serviceAccount: "sa", request: other)
        #expect(cloud.requests.count == 2)

        try await manager.apply(downstream("update", "default/pod/web", pod("web")))
        try await manager.apply(downstream("delete", "default/pod/web", pod("web")))
        let left = try await store.list(EdgeRecords.tokens, namespace: nil, limit: nil, after: nil).objects
        #expect(left.map { $0.spec["boundObjectRef"]["uid"] } == ["u2"], "a pod takes its tokens with it")
    }

    private struct Failure: Error {}

    @Test("services come from a cloud that tells them, and are known while it is away; a Go cloud is not asked")
    func services() async throws {
        let list: JSONValue = [
            "kind": "ServiceList", "metadata": ["resourceVersion": "9"],
            "items": [["metadata": ["name": "db", "namespace": "default"], "spec": ["clusterIP": "10.96.0.7", "ports": [["port": 1]]]]],
        ]
        cloud.answer("query default/servicelist/default", list)
        #expect(await manager.services(namespace: "default").isEmpty)
        #expect(cloud.requests.isEmpty)
        cloud.state.withLock { $0.offered = [.services] }
        #expect(await manager.services(namespace: "default").map(\.name) == ["db"])
        cloud.set(connected: false)
        #expect(await manager.services(namespace: "default").map(\.spec["clusterIP"].string) == ["10.96.0.7"])
        #expect(await manager.services(namespace: "other").isEmpty)
    }
}

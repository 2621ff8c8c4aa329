import EdgeTesting
import Glibc
import KubeMachinery
import Logging
import PodCore
import Primitives
import Testing

@testable import Edged

/// A kubelet on a fake runtime and a fake cluster, with a clock that the test moves and a directory that is gone afterwards.
struct KubeletBed: Sendable {
    let clock: ManualClock
    let runtime: FakeRuntime
    let backend: FakeKubeletBackend
    let network = FakeHandlerNetwork()
    let events = RecordingEvents()
    var configuration: EdgedConfiguration
    let directory: String

    init(_ bed: KubeletBed, _ backend: FakeKubeletBackend) {
        (clock, runtime, configuration, directory) = (bed.clock, bed.runtime, bed.configuration, bed.directory)
        self.backend = backend
    }

    init(_ adjust: (inout EdgedConfiguration) -> Void = { _ in }) throws {
        clock = ManualClock()
        runtime = FakeRuntime(clock: clock)
        backend = FakeKubeletBackend(clock: clock)
        directory = "/tmp/edged-\(UniqueID.next())"
        var configuration = EdgedConfiguration(nodeName: "edge-1")
        configuration.rootDirectory = directory + "/root"
        configuration.podLogDirectory = directory + "/logs"
        configuration.containerLogDirectory = directory + "/links"
        configuration.nodeAddress = "192.0.2.7"
        configuration.cgroupRoot = "/edged-test"
        configuration.staticPodPath = directory + "/manifests"
        // The tests do not depend on how full this machine is.
        configuration.evictionInterval = .zero
        adjust(&configuration)
        self.configuration = configuration
    }

    /// Runs a kubelet while `body` runs; a second call is a restart of the agent.
    func running(_ body: @Sendable @escaping () async throws -> Void) async throws {
        let logger = Logger(label: "edged") { _ in SwiftLogNoOpLogHandler() }
        let edged = try Edged(
            configuration, runtime: runtime, backend: backend, handlers: network, events: events,
            cgroups: PodCgroups(root: directory + "/cgroup", logger: logger), clock: clock, logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do { try await edged.run() } catch is CancellationError {}
            }
            try await body()
            group.cancelAll()
        }
    }

    /// What the parts of a kubelet share, for tests of a part alone.
    func context(events: any EventSink = NoEvents()) throws -> PodContext {
        let logger = Logger(label: "edged") { _ in SwiftLogNoOpLogHandler() }
        let cgroups = PodCgroups(root: directory + "/cgroup", logger: logger)
        return PodContext(
            configuration: configuration, runtime: runtime, backend: backend, clock: clock,
            node: NodeState(NodeFacts(configuration, cgroups: cgroups)),
            images: ImageStore(runtime: runtime, clock: clock, logger: logger),
            cgroups: cgroups, handlers: network, events: events, meter: NoMeter(), devices: NoDevices(), logger: logger,
            starts: .podStarts(clock: clock), root: try OwnDirectory(configuration.rootDirectory),
            logs: try OwnDirectory(configuration.podLogDirectory))
    }

    func clean() {
        for point in Mounts.points(below: directory) { try? Mounts.unmount(point) }
        let parts = directory.split(separator: "/").map(String.init)
        try? OwnDirectory("/" + parts[0]).remove(parts[1])
    }

    /// Moves the clock in small steps until it is so.
    func eventually(_ what: Comment, within limit: Duration = .seconds(30), _ condition: () async throws -> Bool) async throws {
        let end = clock.now().uptime + limit
        let machine = SystemClock()
        var patience: Duration?
        while true {
            for _ in 0..<100 {
                if try await condition() { return }
                await Task.yield()
            }
            if clock.now().uptime < end {
                clock.advance(by: .milliseconds(50))
                continue
            }
            // A machine with much to do may be slower than this clock: what is under way gets to its end.
            let now = machine.now().uptime
            if patience == nil { patience = now + .seconds(10) }
            try #require(now < patience ?? now, what)
            try await machine.wait(until: now + .milliseconds(5))
        }
    }

    /// Lets time pass with everything that happens in it.
    func pass(_ duration: Duration) async {
        let end = clock.now().uptime + duration
        while clock.now().uptime < end {
            for _ in 0..<50 { await Task.yield() }
            clock.advance(by: min(.milliseconds(250), end - clock.now().uptime))
        }
        for _ in 0..<200 { await Task.yield() }
    }

    func status(_ pod: KubeObject) async -> JSONValue { await backend.pod(pod.uid)?.status ?? .null }
    func phase(_ pod: KubeObject) async -> String { await status(pod)["phase"].string ?? "" }
    func waitingReason(_ pod: KubeObject) async -> String? {
        await status(pod)["containerStatuses"][0]["state"]["waiting"]["reason"].string
    }
}

/// A bed with its kubelet, gone afterwards.
func withKubelet(_ body: @Sendable @escaping (KubeletBed) async throws -> Void) async throws {
    let bed = try KubeletBed()
    defer { bed.clean() }
    try await bed.running { try await body(bed) }
}

/// Answers probes and hooks as told.
actor FakeHandlerNetwork: HandlerNetwork {
    private(set) var requests: [HandlerRequest] = []
    private var answer = HandlerAnswer(status: 200)

    func answer(_ status: Int, body: String = "") { answer = HandlerAnswer(status: status, body: body) }

    func get(_ request: HandlerRequest, timeout: Duration) async throws -> HandlerAnswer {
        requests.append(request)
        return answer
    }

    func connect(host: String, port: Int, timeout: Duration) async throws {}
    func checkHealth(host: String, port: Int, service: String, timeout: Duration) async throws {}
}

/// A pod of one container on the node of the bed.
func makePod(_ name: String, _ spec: JSONValue = .null, container: JSONValue = .null) -> KubeObject {
    var pod = KubeObject(apiVersion: "v1", kind: "Pod", namespace: "default", name: name)
    pod.uid = "uid-\(name)"
    var main: JSONValue = ["name": .string("\(name)-main"), "image": "busybox:1", "imagePullPolicy": "IfNotPresent"]
    for (key, value) in container.members { main[key] = value }
    pod.json["spec"] = ["nodeName": "edge-1", "containers": [main], "restartPolicy": "Always", "terminationGracePeriodSeconds": 30]
    for (key, value) in spec.members { pod.spec[key] = value }
    return pod
}

package import DeliveryCore
package import EdgeHub
import EdgeMessages
import KubeMachinery
package import Logging
import PodCore
package import Primitives
import Synchronization

/// An edge node without pods: the real line with its real session, and the reports of a kubelet (`spec/01 §8.6`) at their real pace.
package struct HollowNode: Sendable {
    package let name: String
    package let hub: EdgeHub
    private let tally: HollowTally
    /// Queries of the own Node with every renewal of the lease; a Go edge makes two.
    private let queries: Int
    private let clock: any MomentSource

    /// A node whose objects go to `memory`; its session has the limits of a real one.
    package init(name: String, connect: @escaping EdgeHub.Connect, memory: any CloudDownlink, clock: any MomentSource = SystemClock(), logger: Logger)
    {
        self.name = name
        self.clock = clock
        tally = HollowTally()
        queries = 0
        hub = EdgeHub(connect: connect, downlink: memory, clock: clock, logger: logger)
    }

    /// One of a fleet, which counts together.
    init(
        name: String, connect: @escaping EdgeHub.Connect, tally: HollowTally, metrics: LineMetrics, queries: Int, isPaced: Bool,
        clock: any MomentSource,
        logger: Logger
    ) {
        self.name = name
        self.tally = tally
        self.queries = queries
        self.clock = clock
        var session = EdgeSession.Configuration()
        if !isPaced {
            session.messagesPerSecond = 100_000
            session.messageBurst = 100_000
        }
        hub = EdgeHub(
            connect: connect, downlink: HollowMemory(node: name, tally: tally, clock: clock), clock: clock, configuration: session,
            metrics: metrics, logger: logger)
    }

    /// Keeps the line and reports over it until it is cancelled; to be called once.
    package func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await hub.run() }
            group.addTask { try await report() }
            try await group.next()
            group.cancelAll()
        }
    }

    /// Registers the node, then renews its lease every ten seconds and reports its status every five minutes.
    private func report() async throws {
        var reporter = NodeReporter()
        var lease: KubeObject?
        var rounds = Int.random(in: 0..<3)
        var retry = Backoff(initial: .milliseconds(100), limit: .seconds(7))
        let facts = facts
        var isConnected = false
        var isServed = false
        let changes = HollowLine()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { for await isOnline in await hub.connectivity() { changes.set(isOnline) } }
            while !Task.isCancelled {
                if changes.isOnline != isConnected {
                    isConnected.toggle()
                    tally.count(\.connected, isConnected ? 1 : -1)
                }
                if isServed, changes.hasBroken() {
                    isServed = false
                    lease = nil
                    tally.count(\.served, -1)
                }
                var pause = NodeLease.interval * Double.random(in: 1...1.04)
                if isConnected {
                    do {
                        if reporter.node == nil { try await register(&reporter, facts) }
                        if let patch = reporter.statusPatch(facts, now: clock.now()) {
                            reporter.received(try await ask(.patchNodeStatus(name, patch)))
                        }
                        for _ in 0..<queries { _ = try await ask(.queryNode(name)) }
                        // As `LeaseKeeper` does: with a cloud that renews the lease, every third time is enough for a look.
                        rounds += 1
                        if !(await hub.offers(.leases)) {
                            lease = try await renew(lease, owner: reporter.node?.uid ?? "")
                        } else if lease == nil || rounds.isMultiple(of: 3) {
                            lease = try await look(owner: reporter.node?.uid ?? "")
                        }
                        retry.reset()
                        tally.count(\.renewals)
                        if !isServed, changes.isOnline {
                            isServed = true
                            tally.count(\.served)
                        }
                    } catch let error as CancellationError {
                        throw error
                    } catch {
                        tally.count(\.failures)
                        lease = nil
                        reporter.patchFailed()
                        pause = retry.next()
                    }
                }
                await changes.signal.wait(until: clock.now().uptime + pause, clock: clock)
            }
            group.cancelAll()
        }
    }

    private func register(_ reporter: inout NodeReporter, _ facts: MachineFacts) async throws {
        do { reporter.received(try await ask(.registerNode(reporter.newNode(facts, now: clock.now())))) } catch let status as KubeStatus
            where status.isAlreadyExists
        { reporter.received(try await ask(.queryNode(name))) }
        tally.count(\.registered)
    }

    private func look(owner uid: String) async throws -> KubeObject {
        do { return try await ask(.queryLease(name)) } catch let status as KubeStatus where status.isNotFound {
            return try await renew(nil, owner: uid)
        }
    }

    private func renew(_ known: KubeObject?, owner uid: String) async throws -> KubeObject {
        var lease = known
        if lease == nil { do { lease = try await ask(.queryLease(name)) } catch let status as KubeStatus where status.isNotFound {} }
        if let lease { return try await ask(.updateLease(NodeLease.renewed(lease, node: name, nodeUID: uid, now: clock.now().wall))) }
        guard let fresh = NodeLease.new(node: name, nodeUID: uid, now: clock.now().wall) else {
            throw KubeStatus.internalError("a node without a UID")
        }
        return try await ask(.createLease(fresh))
    }

    /// Sends a request and returns the object of its answer; its time counts.
    func ask(_ message: EdgeMessage) async throws -> KubeObject {
        let begin = clock.now().uptime
        let answer = try await hub.request(message, timeout: .seconds(30)).answer
        tally.note(request: clock.now().uptime - begin)
        switch answer {
        case .object(let object): return object
        case .failure(let status): throw status
        case .done: throw KubeStatus.internalError("an answer without an object")
        }
    }

    private var facts: MachineFacts {
        var facts = MachineFacts()
        facts.nodeName = name
        facts.addresses = ["127.0.0.1"]
        facts.cpuCount = 4
        facts.memory = 8 << 30
        facts.storage = 64 << 30
        facts.machineID = name
        facts.systemUUID = name
        facts.bootID = name
        facts.kernelVersion = "6.1.0"
        facts.osImage = "hollow"
        facts.architecture = "amd64"
        facts.runtimeVersion = "hollow://1"
        return facts
    }
}

/// Whether the line stands, and whether it has broken since it was last asked.
final class HollowLine: Sendable {
    let signal = Signal()
    private let state = Mutex((isOnline: false, hasBroken: false))

    var isOnline: Bool { state.withLock { $0.isOnline } }

    func hasBroken() -> Bool {
        state.withLock { state in
            defer { state.hasBroken = false }
            return state.hasBroken
        }
    }

    func set(_ isOnline: Bool) {
        state.withLock { state in
            if state.isOnline, !isOnline { state.hasBroken = true }
            state.isOnline = isOnline
        }
        signal.set()
    }
}

/// What a hollow node keeps of the objects it is sent: when they came.
private struct HollowMemory: CloudDownlink {
    let node: String
    let tally: HollowTally
    let clock: any MomentSource

    func apply(_ message: EdgeMessage) async throws { tally.note(message, at: node, now: clock.now()) }
}

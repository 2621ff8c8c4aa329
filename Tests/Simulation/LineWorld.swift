import DeliveryCore
import EdgeMessages
import EdgeTesting
import KubeMachinery
import Primitives

/// One to three clouds, an edge, the API behind the clouds, the store of the edge and the network between them, driven by one seed.
///
/// Everything but the sessions is a model: controllers that live on a copy of the API, which is late and breaks, and hand objects down in
/// order; a loop that compares sync records every five seconds; a record store that fails; an edge store that loses what it has not synced.
struct LineWorld {
    enum Event {
        case deliver(connection: Int, to: VirtualNetwork.End, bytes: [UInt8])
        case closed(connection: Int, at: VirtualNetwork.End)
        case sent(connection: Int, from: VirtualNetwork.End)
        case cloudTimer(connection: Int)
        case edgeTimer
        case connect(epoch: UInt64, life: Int)
        case established(connection: Int, epoch: UInt64, life: Int)
        case recordDone(connection: Int, SyncRecordCommand)
        case controller(ObjectChange, ModelObject, cloud: Int, watch: Int)
        case list(cloud: Int, watch: Int)
        case compareRecords(cloud: Int, life: Int)
        case answer(connection: Int, EdgeMessage)
        case synced(ModelDelivery, life: Int)
        case mutate
        case disturb
        case step(Step)
        case ask
        case post
        case outboxWritten(life: Int)
        case outboxTimer(life: Int)
        case outboxConnectivity(Bool, life: Int)
        case outboxRestores(life: Int)
        case reportBegins(ModelArrival, life: Int)
        case reportHandled(ModelArrival, life: Int)
        case ping(connection: Int, number: Int, epoch: UInt64)
        case pong(connection: Int, number: Int, epoch: UInt64)
        case proofEnds(number: Int, epoch: UInt64, isProved: Bool)
        case cloudStarts(cloud: Int)
        case apiReturns
        case edgeStarts
    }

    /// What a directed run does at its time, instead of chance.
    enum Step: Hashable, Sendable {
        case create(String), update(String), delete(String)
        /// The link breaks, or one direction of it falls silent.
        case cut, mute(VirtualNetwork.End)
        /// Killed, and started again after a while.
        case stopCloud, stopEdge
        /// Killed, and what its disk had is lost.
        case loseStore
    }

    static let node = "edge-1"
    let seed: UInt64
    var generator: SeededGenerator
    var queue = EventQueue<Event>(now: .seconds(100))
    var network: VirtualNetwork
    var violations: [String] = []
    var history: [String] = []
    var eventCount = 0
    /// Until then the world is disturbed; afterwards it heals.
    let calmFrom: Duration
    /// By then both sides have to agree.
    let end: Duration

    // The API.
    var objects: [String: ModelObject] = [:]
    var revision: UInt64 = 1
    var deletedUIDs: Set<String> = []
    var records: [String: ModelRecord] = [:]
    var apiFailureRate = 0.0
    /// A restart of the API: nothing can be read or written, and watches have to begin anew with a list.
    var isAPIUp = true

    // The clouds; what happens now happens in `clouds[here]`.
    var clouds: [ModelCloud]
    var here = 0
    /// Which cloud a connection leads to.
    var cloudOfConnection: [Int: Int] = [:]

    // The edge.
    var edgeLife = 0
    var isEdgeUp = true
    var edge: EdgeSession
    var edgeConnection: Int?
    var edgeTimer: Duration?
    var stored: [String: ModelObject] = [:]
    var durable: [String: ModelObject] = [:]
    /// Which store it is; another one after its disk was lost.
    var store = 1
    var lanes = LineWorld.newLanes()
    var applyFailureRate = 0.0
    var openRequests: [String: String] = [:]
    var answeredRequests = 0
    var failedRequests = 0

    // The outbox of the edge, its disk, and the model of what it promises.
    var outbox: OutboxCore
    var outboxDisk = ModelOutboxDisk()
    var outboxTimer: Duration?
    var connectivityTime: Duration = .zero
    var reports = ModelReports()
    /// Callers that wait, by ticket; the ids of their reports.
    var tickets: [UInt64: String] = [:]
    /// Reports that are out, by id.
    var turnsOut: [String: OutboxTurn] = [:]
    var confirmed: Set<String> = []
    /// Reports that came back while a transaction was under way.
    var late: Set<UInt64> = []
    /// The round trip that is awaited.
    var proof: Int?
    var proofs = 0

    // How the cloud takes reports.
    /// Whether it is one of ours, which confirms, or a Go cloud.
    let isConfirming: Bool
    /// How long the edge waits for the proof of a report.
    let reportTimeout: Duration
    private let script: [(seconds: Double, step: Step)]

    static func newLanes() -> KeyedLanes<String, ModelDelivery> { KeyedLanes(concurrency: 4, capacity: 200) }

    /// With a script, in seconds from the beginning, nothing happens but that, and what it leads to; one cloud serves then.
    init(seed: UInt64, script: [(seconds: Double, step: Step)] = []) {
        self.seed = seed
        self.script = script
        var generator = SeededGenerator(seed: seed)
        network = VirtualNetwork(delay: 0.001...Double.random(in: 0.01...1.5, using: &generator))
        let disturbed = Double.random(in: 20...80, using: &generator)
        calmFrom = .seconds(100) + .seconds(script.map(\.seconds).max().map { $0 + 1 } ?? disturbed)
        end = calmFrom + .seconds(400)
        edge = EdgeSession(now: Moment(wall: Timestamp(seconds: 0), uptime: .seconds(100)))
        isConfirming = Double.random(in: 0..<1, using: &generator) < 0.7
        let count = [1, 1, 2, 3].randomElement(using: &generator) ?? 1
        clouds = (0..<(script.isEmpty ? count : 1)).map { _ in ModelCloud() }
        reportTimeout = Bool.random(using: &generator) ? .seconds(3) : .seconds(30)
        outbox = OutboxCore(configuration: Self.outboxConfiguration(using: &generator))
        self.generator = generator
    }

    var now: Moment { Moment(wall: Timestamp(seconds: 1_717_000_000) + queue.now, uptime: queue.now) }
    var isCalm: Bool { queue.now >= calmFrom }

    mutating func chance(_ share: Double) -> Bool { Double.random(in: 0..<1, using: &generator) < share }
    mutating func after(_ range: ClosedRange<Double>) -> Duration { queue.now + .seconds(Double.random(in: range, using: &generator)) }
    mutating func freshID() -> String { UniqueID.next(using: &generator) }
    /// Keeps a line of what happened, for the text of a failure; the last ones only.
    mutating func note(_ text: String) {
        history.append("\(queue.now - .seconds(100)): \(text)")
        if history.count > 25 { history.removeFirst() }
    }
    mutating func violate(_ text: String) { violations.append("at \(queue.now - .seconds(100)): \(text)") }

    /// Runs to the end, or until both sides agree in peace; what is wrong stands in `violations`.
    mutating func run() {
        perform(edge.start(now: now))
        for index in clouds.indices {
            queue.schedule(at: queue.now, .list(cloud: index, watch: 0))
            queue.schedule(at: queue.now, .compareRecords(cloud: index, life: 0))
        }
        if script.isEmpty {
            queue.schedule(at: queue.now, .mutate)
            queue.schedule(at: after(1...10), .disturb)
            queue.schedule(at: queue.now, .ask)
            queue.schedule(at: queue.now, .post)
        }
        for (seconds, step) in script { queue.schedule(at: queue.now + .seconds(seconds), .step(step)) }
        queue.schedule(at: after(0...0.5), .outboxRestores(life: edgeLife))
        armEdge()
        while violations.isEmpty, let event = queue.next() {
            eventCount += 1
            if eventCount > 200_000 { violate("more than 200,000 events: something spins") }
            if queue.now > end { break }
            handle(event)
            checkBounds()
            if isCalm, eventCount.isMultiple(of: 50), difference() == nil { break }
        }
        guard violations.isEmpty else { return }
        if let difference = difference() { violate("no agreement 400 s after the last disturbance: \(difference)") }
    }

    /// The cloud in which something happens.
    private func place(of event: Event) -> Int {
        switch event {
        case .deliver(let connection, .cloud, _), .closed(let connection, .cloud), .sent(let connection, .cloud), .cloudTimer(let connection),
            .recordDone(let connection, _), .answer(let connection, _), .ping(let connection, _, _):
            cloudOfConnection[connection] ?? 0
        case .reportBegins(let arrival, _), .reportHandled(let arrival, _): cloudOfConnection[arrival.connection] ?? 0
        case .controller(_, _, let cloud, _), .list(let cloud, _), .compareRecords(let cloud, _), .cloudStarts(let cloud): cloud
        default: here
        }
    }

    var cloud: ModelCloud {
        get { clouds[here] }
        _modify { yield &clouds[here] }
    }

    private mutating func handle(_ event: Event) {
        here = place(of: event)
        switch event {
        case .deliver(let connection, .cloud, let bytes): cloudReceives(bytes, connection)
        case .deliver(let connection, .edge, let bytes): edgeReceives(bytes, connection)
        case .closed(let connection, .cloud): cloudLoses(connection)
        case .closed(let connection, .edge): edgeLoses(connection)
        case .sent(let connection, .cloud):
            let now = now
            cloud.sessions[connection]?.sendFinished(now: now)
            pumpCloud(connection)
        case .sent(let connection, .edge):
            guard connection == edgeConnection else { return }
            perform(edge.sendFinished(epoch: edge.epoch))
        case .cloudTimer(let connection): cloudTimerFires(connection)
        case .edgeTimer: edgeTimerFires()
        case .connect(let epoch, let life): connect(epoch: epoch, life: life)
        case .established(let connection, let epoch, let life): established(connection, epoch: epoch, life: life)
        case .recordDone(let connection, let command): performRecord(command, connection)
        case .controller(let change, let object, _, let watch): if watch == cloud.watch, cloud.isUp { noticed(change, object) }
        case .list(_, let watch): if watch == cloud.watch, cloud.isUp { list() }
        case .compareRecords(_, let life): compareRecords(life: life)
        case .answer(let connection, let request): answer(request, connection)
        case .synced(let delivery, let life): synced(delivery, life: life)
        case .mutate: mutate()
        case .disturb: disturb()
        case .step(let step): perform(step)
        case .ask: ask()
        case .post: postReports()
        case .outboxWritten(let life): if life == edgeLife, isEdgeUp { outboxWritten() }
        case .outboxTimer(let life): if life == edgeLife, isEdgeUp { outboxTimerFires() }
        case .outboxConnectivity(let isOnline, let life):
            guard life == edgeLife, isEdgeUp else { return }
            if isOnline { outbox.connected(now: now) } else { outbox.disconnected() }
            pumpOutbox()
        case .outboxRestores(let life): if life == edgeLife, isEdgeUp { outboxRestores() }
        case .reportBegins(let arrival, let life): if life == cloud.life, cloud.isUp { tryReport(arrival) }
        case .reportHandled(let arrival, let life): if life == cloud.life, cloud.isUp { reportHandled(arrival) }
        case .ping(let connection, let number, let epoch): cloudAnswersPing(connection, number: number, epoch: epoch)
        case .pong(let connection, let number, let epoch): edgeHearsPong(connection, number: number, epoch: epoch)
        case .proofEnds(let number, let epoch, let isProved): proofEnds(number: number, epoch: epoch, isProved: isProved)
        case .cloudStarts: cloudStarts()
        case .apiReturns: isAPIUp = true
        case .edgeStarts: edgeStarts()
        }
    }
}

/// One instance of the cloud: what it forgets when it dies.
struct ModelCloud {
    var life = 0
    var isUp = true
    var table = SessionTable(limit: 1)
    var sessions: [Int: NodeSession] = [:]
    /// The store that the edge announced with a connection.
    var stores: [Int: Int] = [:]
    /// The session that its controllers reach.
    var live: Int?
    var timers: [Int: Duration] = [:]
    /// Its copy of the API's objects, late or broken off.
    var copy: [String: ModelObject] = [:]
    /// Which watch feeds the copy, and whether it does.
    var watch = 0
    var isWatching = false
    /// When it notices what was noticed last.
    var noticeTime: Duration = .zero
    var memory = ReportMemory()
    var reportLanes: [Int: KeyedLanes<String, ModelArrival>] = [:]
    var waitingReports: [String: [ModelArrival]] = [:]
}

/// An object of the API, small.
struct ModelObject: Hashable {
    var kind: String
    var name: String
    var uid: String
    var version: UInt64
    /// The version at which it was made.
    var created: UInt64
    var isDeleting = false
    /// Whether the edge got it as an answer.
    var isAnswer = false

    var path: String { "default/\(kind.lowercased())/\(name)" }

    var object: KubeObject {
        var object = KubeObject(apiVersion: "v1", kind: kind, namespace: "default", name: name)
        object.uid = uid
        object.resourceVersion = String(version)
        object.json["data"]["created"] = .integer(Int64(created))
        if isDeleting { object.metadata["deletionTimestamp"] = "2024-06-01T10:00:00Z" }
        return object
    }

    init(kind: String, name: String, uid: String, version: UInt64) {
        self.kind = kind
        self.name = name
        self.uid = uid
        self.version = version
        created = version
    }

    init?(_ message: EdgeMessage) {
        let object = KubeObject(message.content)
        guard !object.uid.isEmpty else { return nil }
        self.init(kind: object.kind, name: object.name, uid: object.uid, version: object.version)
        created = UInt64(object.json["data"]["created"].int ?? 0)
        isDeleting = object.deletionTimestamp != nil
    }
}

/// A sync record of the API.
struct ModelRecord {
    var key: SyncRecordKey
    var version: UInt64
    /// Which store of the edge it is about.
    var store: Int
}

/// A message that the edge is making durable.
struct ModelDelivery {
    var id: String
    var message: EdgeMessage
}

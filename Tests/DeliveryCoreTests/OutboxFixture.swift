import EdgeMessages
import Primitives

@testable import DeliveryCore

/// An outbox with a disk that keeps what was written, driven by hand.
struct OutboxFixture {
    var core: OutboxCore
    var now = Moment(wall: Timestamp(seconds: 1_717_000_000), uptime: .seconds(100))
    private(set) var disk: [UInt64: OutboxRow] = [:]
    private(set) var pending: OutboxBatch?
    /// What callers were told: the name of a report and the code, or `ok`.
    private(set) var told: [String] = []
    private(set) var notes: [OutboxNote] = []
    private var names: [UInt64: String] = [:]

    init(count: Int = 100, bytes: Int = 1 << 20, report: Int = 1 << 16, window: Int = 16, isRestored: Bool = true) {
        var configuration = OutboxCore.Configuration()
        configuration.countLimit = count
        configuration.byteLimit = bytes
        configuration.reportLimit = report
        configuration.window = window
        core = OutboxCore(configuration: configuration)
        if isRestored { core.restore([], now: now) }
    }

    /// A report `name` on `resource`; the name is its id.
    static func message(_ name: String, on resource: String, length: Int = 0) -> EdgeMessage {
        EdgeMessage(
            source: EdgeSource.bus, group: EdgeGroup.user, operation: EdgeOperation.upload, resource: resource,
            content: .string(String(repeating: "x", count: length)), id: name, now: Timestamp(seconds: 1_717_000_000))
    }

    mutating func post(_ name: String, on resource: String = "t", _ kind: ReportKind = .event, length: Int = 0) {
        let (ticket, directives) = core.post(Self.message(name, on: resource, length: length), as: kind)
        names[ticket] = name
        take(directives)
    }

    /// Takes the next transaction and leaves it under way; its rows by name and what it removes by name.
    mutating func beginWrite() -> (puts: [String], removals: [String])? {
        let (batch, directives) = core.nextWrite()
        take(directives)
        guard let batch else { return nil }
        pending = batch
        return (batch.puts.map(\.message.header.id), batch.removals.compactMap { disk[$0]?.message.header.id })
    }

    mutating func endWrite(failure: String? = nil) {
        if failure == nil, let pending {
            for number in pending.removals { disk[number] = nil }
            for row in pending.puts { disk[row.number] = row }
        }
        pending = nil
        take(core.writeFinished(failure: failure, now: now))
    }

    mutating func write(failure: String? = nil) {
        guard beginWrite() != nil else { return }
        endWrite(failure: failure)
    }

    /// Posts and writes.
    mutating func keep(_ name: String, on resource: String = "t", _ kind: ReportKind = .event, length: Int = 0) {
        post(name, on: resource, kind, length: length)
        write()
    }

    /// The names of what may be sent now.
    mutating func send() -> [(name: String, turn: OutboxTurn)] {
        var sent: [(name: String, turn: OutboxTurn)] = []
        while let turn = core.nextTurn(now: now) { sent.append((disk[turn.number]?.message.header.id ?? "missing", turn)) }
        return sent
    }

    mutating func finish(_ turn: OutboxTurn, _ outcome: OutboxOutcome = .confirmed) { take(core.finished(turn, outcome, now: now)) }

    /// Sends and confirms until nothing is left; the names in the order in which they went.
    mutating func drain() -> [String] {
        var names: [String] = []
        while case let sent = send(), !sent.isEmpty {
            names += sent.map(\.name)
            for (_, turn) in sent { finish(turn) }
        }
        return names
    }

    mutating func advance(_ time: Duration) {
        now = Moment(wall: now.wall + time, uptime: now.uptime + time)
        core.timerFired(now: now)
    }

    /// What a start after a crash finds.
    func restarted() -> OutboxFixture {
        var next = OutboxFixture(isRestored: false)
        next.core = OutboxCore(configuration: core.configuration)
        next.now = now
        next.disk = disk
        next.core.restore(disk.values.map(\.summary), now: now)
        return next
    }

    mutating func take(_ directives: [OutboxDirective]) {
        for directive in directives {
            switch directive {
            case .resume(let ticket, let error): told.append("\(names.removeValue(forKey: ticket) ?? "?") \(error.map { "\($0.code)" } ?? "ok")")
            case .note(let note): notes.append(note)
            }
        }
    }
}

import HTTPServing
import Primitives
import Synchronization

/// Carries bytes between two connections, untouched, as fast as the slower one takes them.
///
/// An end of the client is handed on, and what the runtime still sends is delivered. It is over when the runtime has closed, when
/// either connection breaks, or when nothing moved for the idle limit.
struct StreamPump: Sendable {
    /// How long the runtime may be silent once the client has sent its last byte.
    static let lingerLimit = Duration.seconds(30)

    let client: DuplexByteStream
    let runtime: DuplexByteStream
    let idleLimit: Duration
    let clock: any MomentSource

    private enum End: Sendable { case client, runtime, broken, idle }

    /// Returns when it is over; the connections are the caller's to close.
    func run(early: [UInt8]) async {
        let activity = StreamActivity(now: clock.now().uptime, limit: idleLimit)
        await withTaskGroup(of: End.self) { group in
            group.addTask { await copy(from: client, to: runtime, activity) ? .client : .broken }
            group.addTask {
                if !early.isEmpty {
                    do { try await client.send(early) } catch { return .broken }
                }
                return await copy(from: runtime, to: client, activity) ? .runtime : .broken
            }
            group.addTask {
                await activity.idle(clock)
                return .idle
            }
            while let end = await group.next(), end == .client {
                await runtime.finishSending()
                activity.shorten(to: Self.lingerLimit)
            }
            group.cancelAll()
        }
    }

    /// Returns true at the end of `source`, false when something broke.
    private func copy(from source: DuplexByteStream, to sink: DuplexByteStream, _ activity: StreamActivity) async -> Bool {
        do {
            while let bytes = try await source.receive() {
                activity.note(clock.now().uptime)
                try await sink.send(bytes)
                activity.note(clock.now().uptime)
            }
            return true
        } catch { return false }
    }
}

/// When bytes moved last, and how long they may rest.
private final class StreamActivity: Sendable {
    private struct State {
        var last: Duration
        var limit: Duration
    }

    private let state: Mutex<State>
    private let changed = Signal()

    init(now: Duration, limit: Duration) { state = Mutex(State(last: now, limit: limit)) }

    func note(_ now: Duration) { state.withLock { $0.last = now } }

    func shorten(to limit: Duration) {
        state.withLock { $0.limit = min($0.limit, limit) }
        changed.set()
    }

    /// Returns when nothing has moved for the limit, or the task is cancelled.
    func idle(_ clock: any MomentSource) async {
        while !Task.isCancelled {
            let deadline = state.withLock { $0.last + $0.limit }
            if deadline <= clock.now().uptime { return }
            await changed.wait(until: deadline, clock: clock)
        }
    }
}

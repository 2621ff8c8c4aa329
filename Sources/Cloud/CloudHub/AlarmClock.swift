import HeapModule
import Primitives

/// Looks after many things at their times with one sleeping task, where a task for each would cost more memory than the things themselves.
///
/// The task lives while there is something to look after. Looks are called one after the other and have to be short.
actor AlarmClock {
    /// Called when its time has come; returns when it wants to be called again, as uptime, nil for never.
    typealias Look = @Sendable () async -> Duration?

    private struct Alarm: Comparable, Sendable {
        let time: Duration
        /// Alarms of the same time go off in the order in which they were set.
        let number: UInt64
        let look: Look

        static func < (one: Alarm, other: Alarm) -> Bool { (one.time, one.number) < (other.time, other.number) }

        static func == (one: Alarm, other: Alarm) -> Bool { one.number == other.number }
    }

    private let clock: any MomentSource
    private let isEarlier = Signal()
    private var isRunning = false
    private var next: UInt64 = 0
    private var alarms = Heap<Alarm>()

    init(clock: any MomentSource) { self.clock = clock }

    /// Calls `look` at `time`, an uptime, and again whenever it asks for.
    func set(_ time: Duration, _ look: @escaping Look) {
        let isFirst = alarms.min.map { time < $0.time } ?? true
        insert(time, look)
        if !isRunning {
            isRunning = true
            // WAITED: by nobody, it ends with the last look.
            Task { await run() }
        } else if isFirst {
            isEarlier.set()
        }
    }

    private func insert(_ time: Duration, _ look: @escaping Look) {
        next += 1
        alarms.insert(Alarm(time: time, number: next, look: look))
    }

    private func run() async {
        while let first = alarms.min {
            guard first.time <= clock.now().uptime else {
                await isEarlier.wait(until: first.time, clock: clock)
                continue
            }
            alarms.removeMin()
            if let time = await first.look() { insert(time, first.look) }
        }
        isRunning = false
    }
}

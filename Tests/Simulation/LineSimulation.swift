import Foundation
import Testing

/// `SIM_SEED=n` runs one seed; `SIM_SEEDS=n SIM_FROM=m` runs a range.
@Suite("The line between cloud and edge under disturbance")
struct LineSimulation {
    private static var seeds: ClosedRange<UInt64> {
        let environment = ProcessInfo.processInfo.environment
        if let seed = environment["SIM_SEED"].flatMap(UInt64.init) { return seed...seed }
        let first = environment["SIM_FROM"].flatMap(UInt64.init) ?? 1
        return first...(first + max(1, environment["SIM_SEEDS"].flatMap(UInt64.init) ?? 300) - 1)
    }

    @Test("the edge holds what the API holds, and the cloud has every report that was kept, once and in order, whatever breaks")
    func agreement() {
        var events = 0
        var answered = 0
        var failed = 0
        var reports = (applied: 0, dropped: 0, repeated: 0)
        for seed in Self.seeds {
            var world = LineWorld(seed: seed)
            world.run()
            events += world.eventCount
            answered += world.answeredRequests
            failed += world.failedRequests
            reports.applied += world.reports.appliedCount
            reports.dropped += world.reports.droppedCount
            reports.repeated += world.reports.repeated
            if let violation = world.violations.first {
                Issue.record("SIM_SEED=\(seed): \(violation)\n\(world.history.joined(separator: "\n"))")
            }
        }
        // A world in which nothing happens would agree too.
        let count = Self.seeds.count
        #expect(events > 200 * count)
        if count >= 50 {
            #expect(answered > count)
            #expect(failed > count)
            #expect(reports.applied > 20 * count)
            #expect(reports.dropped > count / 4)
            #expect(reports.repeated > count / 10)
        }
    }

    @Test("the same seed gives the same run")
    func repetition() {
        var one = LineWorld(seed: 7)
        var other = LineWorld(seed: 7)
        one.run()
        other.run()
        #expect(one.eventCount == other.eventCount)
        #expect(one.queue.now == other.queue.now)
        #expect(one.durable == other.durable)
        #expect(one.reports.arrivals == other.reports.arrivals)
        #expect(one.reports.arrivals.count > 5)
    }
}

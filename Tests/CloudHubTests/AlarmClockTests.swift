import EdgeTesting
import Primitives
import Testing

@testable import CloudHub

@Suite("The one task that looks after all sessions")
struct AlarmClockTests {
    private let clock = ManualClock()
    private let seen: AsyncStream<String>
    private let feed: AsyncStream<String>.Continuation

    init() { (seen, feed) = AsyncStream.makeStream() }

    private func after(_ seconds: Int) -> Duration { clock.now().uptime + .seconds(seconds) }

    @Test("looks come in the order of their times, those of the same time in the order in which they were asked for, and again where they ask")
    func order() async {
        let alarms = AlarmClock(clock: clock)
        var seen = seen.makeAsyncIterator()
        let again = after(20)
        await alarms.set(after(10)) { [feed] in
            feed.yield("late")
            return nil
        }
        await alarms.set(after(5)) { [feed, clock] in
            feed.yield("early")
            return clock.now().uptime < again ? again : nil
        }
        await alarms.set(after(5)) { [feed] in
            feed.yield("early too")
            return nil
        }
        await clock.waitForSleepers(1)
        clock.advance(by: .seconds(10))
        #expect([await seen.next(), await seen.next(), await seen.next()] == ["early", "early too", "late"])
        await clock.waitForSleepers(1)
        clock.advance(by: .seconds(10))
        #expect(await seen.next() == "early")
    }

    @Test("a time before the one that is slept for wakes the task, and a clock that has nothing left to do starts anew")
    func earlier() async {
        let alarms = AlarmClock(clock: clock)
        var seen = seen.makeAsyncIterator()
        await alarms.set(after(60)) { [feed] in
            feed.yield("minute")
            return nil
        }
        await clock.waitForSleepers(1)
        await alarms.set(after(1)) { [feed] in
            feed.yield("second")
            return nil
        }
        // Time goes on once the task sleeps for the earlier one.
        clock.advance(by: .seconds(1))
        #expect(await seen.next() == "second")
        await clock.waitForSleepers(1)
        clock.advance(by: .seconds(59))
        #expect(await seen.next() == "minute")
        await alarms.set(after(-1)) { [feed] in
            feed.yield("past")
            return nil
        }
        #expect(await seen.next() == "past")
    }
}

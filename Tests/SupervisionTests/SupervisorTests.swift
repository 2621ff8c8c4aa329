import Logging
import Primitives
import Supervision
import Testing

private struct Failure: Error, CustomStringConvertible {
    var description: String { "the disk is gone" }
}

/// Returns once the task is cancelled.
private func untilCancelled() async {
    let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
    defer { continuation.finish() }
    for await _ in stream {}
}

@Suite("Supervision of modules")
struct SupervisorTests {
    let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    @Test("modules stop in reverse order, each waited for")
    func reverseOrder() async throws {
        let journal = Journal()
        let (stop, ask) = AsyncStream.makeStream(of: Int32.self)
        let (started, isStarted) = AsyncStream.makeStream(of: Void.self)
        let modules = ["a", "b", "c"].map { name in
            Module(name) {
                isStarted.yield()
                await untilCancelled()
                journal.note(name)
            }
        }
        let supervisor = Supervisor(modules: modules, clock: StandingClock(), logger: quiet)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await supervisor.run(stop: stop) }
            var count = 0
            for await _ in started {
                count += 1
                if count == 3 { break }
            }
            ask.yield(15)
            try await group.waitForAll()
        }
        #expect(journal.all == ["c", "b", "a"])
    }

    @Test("without restarts a module that fails ends the others and names itself")
    func failureEndsAll() async throws {
        let journal = Journal()
        let modules = [
            Module("store") {
                await untilCancelled()
                journal.note("store stopped")
            },
            Module("edged") { throw Failure() },
        ]
        let (stop, ask) = AsyncStream.makeStream(of: Int32.self)
        let error = await #expect(throws: SupervisionError.self) {
            try await Supervisor(modules: modules, clock: StandingClock(), logger: quiet).run(stop: stop)
        }
        ask.finish()
        #expect(error?.code == .moduleFailed)
        #expect(error?.message == "module edged failed: the disk is gone")
        #expect(journal.all == ["store stopped"])
    }

    @Test("a module that returns leaves the others running")
    func plainReturn() async throws {
        let (stop, ask) = AsyncStream.makeStream(of: Int32.self)
        let journal = Journal()
        let modules = [
            Module("steady") {
                await untilCancelled()
                journal.note("steady stopped")
            },
            Module("once") {
                journal.note("once done")
                ask.yield(2)
            },
        ]
        try await Supervisor(modules: modules, clock: StandingClock(), logger: quiet).run(stop: stop)
        #expect(journal.all == ["once done", "steady stopped"])
    }

    @Test("restarts wait 1 s doubling to 30 s, and 1 s again after a stable period")
    func restarts() async throws {
        let clock = SteppedClock()
        let (stop, ask) = AsyncStream.makeStream(of: Int32.self)
        let runs = Journal()
        let module = Module("edged") {
            runs.note("run")
            if runs.all.count == 8 { clock.advance(by: .seconds(61)) }
            if runs.all.count == 10 {
                ask.yield(15)
                await untilCancelled()
            }
            throw Failure()
        }
        try? await Supervisor(modules: [module], policy: .always, stopLimit: .seconds(1000), clock: clock, logger: quiet).run(stop: stop)
        #expect(Array(clock.waits.prefix(9)) == [1, 2, 4, 8, 16, 30, 30, 1, 2].map { Duration.seconds($0) })
    }

    @Test("a module that does not stop in time is named")
    func overdue() async throws {
        let (stop, ask) = AsyncStream.makeStream(of: Int32.self)
        let (release, releaser) = AsyncStream.makeStream(of: Void.self)
        let module = Module("stuck") {
            ask.yield(15)
            await untilCancelled()
            // Goes on for a while although it was asked to stop.
            for await _ in release {}
        }
        releaser.finish()
        let error = await #expect(throws: SupervisionError.self) {
            try await Supervisor(
                modules: [module, Module("slow") { try await SlowStop().run() }], stopLimit: .zero, clock: SteppedClock(), logger: quiet
            )
            .run(stop: stop)
        }
        #expect(error?.code == .stopTookTooLong)
        #expect(error?.message.contains("slow") == true)
    }
}

/// Takes many scheduling turns to stop.
private struct SlowStop {
    func run() async throws {
        await untilCancelled()
        for _ in 0..<100_000 { await Task.yield() }
    }
}

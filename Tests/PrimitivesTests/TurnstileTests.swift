import EdgeTesting
import Primitives
import Synchronization
import Testing

@Suite struct TurnstileTests {
    /// Bodies that run until they are told to end.
    private final class Work: Sendable {
        let started = Mutex<[String]>([])
        let ends: [String: Signal]

        init(_ names: [String]) { ends = Dictionary(uniqueKeysWithValues: names.map { ($0, Signal()) }) }

        func run(_ name: String) async {
            started.withLock { $0.append(name) }
            await ends[name]?.wait()
        }

        var names: [String] { started.withLock(\.self) }
    }

    private func settle() async { for _ in 0..<200 { await Task.yield() } }

    @Test func `as many as there are places go through, in order, the urgent ones first`() async throws {
        let turnstile = Turnstile(places: 2, patience: .seconds(5), clock: ManualClock())
        let work = Work(["a", "b", "c", "d", "urgent"])
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for (name, isUrgent) in [("a", false), ("b", false), ("c", false), ("d", false), ("urgent", true)] {
                tasks.addTask { try await turnstile.pass(isUrgent: isUrgent) { await work.run(name) } }
                await settle()
            }
            #expect(work.names == ["a", "b"])
            for (name, through) in [("b", "urgent"), ("a", "c"), ("c", "d")] {
                work.ends[name]?.set()
                await settle()
                #expect(work.names.last == through)
            }
            for name in ["d", "urgent"] { work.ends[name]?.set() }
            try await tasks.waitForAll()
        }
        #expect(work.names == ["a", "b", "urgent", "c", "d"])
    }

    @Test func `what hangs does not count for long, and its late end gives no place twice`() async throws {
        let clock = ManualClock()
        let turnstile = Turnstile(places: 1, patience: .seconds(5), clock: clock)
        let work = Work(["hangs", "next", "last"])
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for name in ["hangs", "next", "last"] {
                tasks.addTask { try await turnstile.pass { await work.run(name) } }
                await settle()
            }
            #expect(work.names == ["hangs"])
            clock.advance(by: .seconds(5))
            await settle()
            #expect(work.names == ["hangs", "next"])
            work.ends["hangs"]?.set()
            await settle()
            #expect(work.names == ["hangs", "next"])
            work.ends["next"]?.set()
            await settle()
            #expect(work.names == ["hangs", "next", "last"])
            work.ends["last"]?.set()
            try await tasks.waitForAll()
        }
    }

    @Test func `a cancelled task does not wait, and takes no place`() async throws {
        let turnstile = Turnstile(places: 1, patience: .seconds(5), clock: ManualClock())
        let work = Work(["a", "cancelled", "b"])
        let first = Task { try await turnstile.pass { await work.run("a") } }
        await settle()
        let second = Task { try await turnstile.pass { await work.run("cancelled") } }
        await settle()
        #expect(work.names == ["a"])
        second.cancel()
        try await second.value
        #expect(work.names == ["a", "cancelled"])
        work.ends["a"]?.set()
        try await first.value
        work.ends["b"]?.set()
        try await turnstile.pass { await work.run("b") }
        #expect(work.names == ["a", "cancelled", "b"])
    }
}

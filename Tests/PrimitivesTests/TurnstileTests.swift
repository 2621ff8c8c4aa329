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

    private final class Counts: Sendable {
        let state = Mutex((inside: 0, most: 0, done: 0))
    }

    private static func settle() async { for _ in 0..<200 { await Task.yield() } }

    @Test func `as many as there are places go through, in order, the urgent ones first`() async throws {
        let turnstile = Turnstile(places: 2, patience: Turnstile.Patience(.seconds(5), clock: ManualClock()))
        let work = Work(["a", "b", "c", "d", "urgent"])
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for (name, isUrgent) in [("a", false), ("b", false), ("c", false), ("d", false), ("urgent", true)] {
                tasks.addTask { try await turnstile.pass(isUrgent: isUrgent) { await work.run(name) } }
                await Self.settle()
            }
            #expect(work.names == ["a", "b"])
            for (name, through) in [("b", "urgent"), ("a", "c"), ("c", "d")] {
                work.ends[name]?.set()
                await Self.settle()
                #expect(work.names.last == through)
            }
            for name in ["d", "urgent"] { work.ends[name]?.set() }
            try await tasks.waitForAll()
        }
        #expect(work.names == ["a", "b", "urgent", "c", "d"])
    }

    @Test func `what hangs does not count for long, and its late end gives no place twice`() async throws {
        let clock = ManualClock()
        let turnstile = Turnstile(places: 1, patience: Turnstile.Patience(.seconds(5), clock: clock))
        let work = Work(["hangs", "next", "last"])
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for name in ["hangs", "next", "last"] {
                tasks.addTask { try await turnstile.pass { await work.run(name) } }
                await Self.settle()
            }
            #expect(work.names == ["hangs"])
            clock.advance(by: .seconds(5))
            await Self.settle()
            #expect(work.names == ["hangs", "next"])
            work.ends["hangs"]?.set()
            await Self.settle()
            #expect(work.names == ["hangs", "next"])
            work.ends["next"]?.set()
            await Self.settle()
            #expect(work.names == ["hangs", "next", "last"])
            work.ends["last"]?.set()
            try await tasks.waitForAll()
        }
    }

    @Test func `no more than its places are inside at once, and all get through`() async throws {
        let turnstile = Turnstile(places: 3)
        let counts = Counts()
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for index in 0..<200 {
                tasks.addTask {
                    try await turnstile.pass(isUrgent: index % 7 == 0) {
                        counts.state.withLock {
                            $0.inside += 1
                            $0.most = max($0.most, $0.inside)
                        }
                        for _ in 0..<5 { await Task.yield() }
                        counts.state.withLock {
                            $0.inside -= 1
                            $0.done += 1
                        }
                    }
                }
            }
            try await tasks.waitForAll()
        }
        counts.state.withLock { #expect($0 == (inside: 0, most: 3, done: 200)) }
    }

    @Test func `who is cancelled while waiting does not go through and takes no place`() async throws {
        let turnstile = Turnstile(places: 1)
        let work = Work(["inside"])
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await turnstile.pass { await work.run("inside") } }
            await Self.settle()
            let passed = await Self.cancelWhileWaiting(turnstile)
            #expect(passed == 0)
            work.ends["inside"]?.set()
            try await tasks.waitForAll()
        }
        let isFree = try await turnstile.pass { true }
        #expect(isFree)
    }

    /// How many of ten got through that were cancelled while they waited.
    private static func cancelWhileWaiting(_ turnstile: Turnstile) async -> Int {
        await withTaskGroup(of: Bool.self) { waiters in
            for _ in 0..<10 { waiters.addTask { (try? await turnstile.pass { true }) ?? false } }
            await settle()
            waiters.cancelAll()
            return await waiters.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
    }
}

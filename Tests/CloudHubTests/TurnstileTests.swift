import Primitives
import Synchronization
import Testing

@testable import CloudHub

@Suite("Turnstile", .timeLimit(.minutes(1)))
struct TurnstileTests {
    @Test("no more than its places are inside at once, and all get through")
    func places() async throws {
        let turnstile = Turnstile(places: 3)
        let inside = Mutex((now: 0, most: 0, done: 0))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    try await turnstile.pass {
                        inside.withLock { inside in
                            inside.now += 1
                            inside.most = max(inside.most, inside.now)
                        }
                        for _ in 0..<5 { await Task.yield() }
                        inside.withLock { inside in
                            inside.now -= 1
                            inside.done += 1
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(inside.withLock { $0.done } == 200)
        #expect(inside.withLock { $0.most } <= 3)
    }

    @Test("who is cancelled while waiting takes no place")
    func cancellation() async throws {
        let turnstile = Turnstile(places: 1)
        let isInside = Signal()
        let mayLeave = Signal()
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await turnstile.pass {
                    isInside.set()
                    await mayLeave.wait()
                    return true
                }
            }
            await isInside.wait()
            let waiting = await withTaskGroup(of: Bool.self) { waiters in
                for _ in 0..<10 { waiters.addTask { (try? await turnstile.pass { true }) ?? false } }
                waiters.cancelAll()
                return await waiters.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(waiting == 0)
            mayLeave.set()
            #expect(try await group.next() == true)
            #expect(try await turnstile.pass { true })
        }
    }
}

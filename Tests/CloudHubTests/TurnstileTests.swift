import Primitives
import Testing

@testable import CloudHub

@Suite("Turnstile", .timeLimit(.minutes(1)))
struct TurnstileTests {
    private actor Room {
        private var inside = 0
        private(set) var most = 0
        private(set) var done = 0

        func enter() {
            inside += 1
            most = max(most, inside)
        }

        func leave() {
            inside -= 1
            done += 1
        }
    }

    @Test("no more than its places are inside at once, and all get through")
    func places() async throws {
        let turnstile = Turnstile(places: 3)
        let room = Room()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    try? await turnstile.pass {
                        await room.enter()
                        for _ in 0..<5 { await Task.yield() }
                        await room.leave()
                    }
                }
            }
        }
        #expect(await room.done == 200)
        #expect(await room.most == 3)
    }

    @Test("who is cancelled while waiting takes no place")
    func cancellation() async throws {
        let turnstile = Turnstile(places: 1)
        let isInside = Signal()
        let mayLeave = Signal()
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                try? await turnstile.pass {
                    isInside.set()
                    await mayLeave.wait()
                }
            }
            await isInside.wait()
            let passed = await withTaskGroup(of: Bool.self) { waiters in
                for _ in 0..<10 { waiters.addTask { (try? await turnstile.pass { true }) ?? false } }
                waiters.cancelAll()
                return await waiters.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(passed == 0)
            mayLeave.set()
        }
        let isFree = try await turnstile.pass { true }
        #expect(isFree)
    }
}

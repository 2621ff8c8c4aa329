/// Tests that start a container runtime or a whole cluster take turns: side by side they would slow each other, and everything that keeps time.
package actor MachineTurns {
    private static let shared = MachineTurns(limit: 2)

    private let limit: Int
    private var taken = 0
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(limit: Int) { self.limit = limit }

    /// Runs the body when a turn is free; first come, first served.
    package static func take<Result: Sendable>(_ body: () async throws -> Result) async throws -> Result {
        await shared.begin()
        do {
            let result = try await body()
            await shared.end()
            return result
        } catch {
            await shared.end()
            throw error
        }
    }

    private func begin() async {
        if taken < limit {
            taken += 1
        } else {
            await withCheckedContinuation { waiting.append($0) }
        }
    }

    /// The turn goes over to whoever waits longest.
    private func end() {
        if waiting.isEmpty { taken -= 1 } else { waiting.removeFirst().resume() }
    }
}

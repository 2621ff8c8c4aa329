import CMalloc
import Primitives

/// How the allocator of cloudcore is set, so that a session costs little more than what it uses (`docs/decisions/10-sessions.md`).
enum CloudMemory {
    /// Two arenas instead of one for each thread leave fewer holes.
    static func shape() { mallopt(M_ARENA_MAX, 2) }

    /// Gives back, once a minute, what a storm of connections has left behind.
    static func trim(clock: any MomentSource) async throws {
        while true {
            try await clock.wait(until: clock.now().uptime + .seconds(60))
            malloc_trim(0)
        }
    }
}

import CMalloc
import Primitives

/// How the allocator of cloudcore is set, so that a session costs little more than what it uses (`docs/decisions/10-sessions.md`).
enum CloudMemory {
    /// Two arenas instead of one for each thread leave fewer holes. The 48 KB that TLS keeps for a connection get pages of their own: what was never
    /// written to costs nothing there, while a place in an arena has most often been used before. So arenas have no room in advance either.
    static func shape() {
        mallopt(M_ARENA_MAX, 2)
        mallopt(M_MMAP_THRESHOLD, 16 * 1024)
        mallopt(M_TOP_PAD, 0)
    }

    /// Gives back what a storm of connections has left behind, before the next connections take it as it is.
    static func trim(clock: any MomentSource) async throws {
        while true {
            try await clock.wait(until: clock.now().uptime + .seconds(10))
            malloc_trim(0)
        }
    }
}

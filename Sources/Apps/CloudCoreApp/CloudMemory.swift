import CMalloc
import Primitives

/// How the allocator of cloudcore is set, so that a session costs what it uses (`docs/decisions/09-sessions.md`).
enum CloudMemory {
    /// TLS keeps 48 KB of buffers for each connection and uses the first page of them: with mappings of their own the rest is never there.
    /// Two arenas instead of one for each thread leave fewer holes.
    static func shape() {
        mallopt(M_ARENA_MAX, 2)
        mallopt(M_MMAP_THRESHOLD, 16 << 10)
        mallopt(M_MMAP_MAX, 40_000)
        mallopt(M_TRIM_THRESHOLD, 256 << 10)
    }

    /// Gives back, once a minute, what a storm of connections has left behind.
    static func trim(clock: any MomentSource) async throws {
        while true {
            try await clock.wait(until: clock.now().uptime + .seconds(60))
            malloc_trim(0)
        }
    }
}

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The machine's own clocks.
package struct SystemClock: MomentSource {
    package init() {}

    package func now() -> Moment {
        var wall = timespec()
        var uptime = timespec()
        clock_gettime(CLOCK_REALTIME, &wall)
        clock_gettime(CLOCK_BOOTTIME, &uptime)
        return Moment(
            wall: Timestamp(seconds: Int64(wall.tv_sec), nanoseconds: Int32(wall.tv_nsec)),
            uptime: .seconds(Int64(uptime.tv_sec)) + .nanoseconds(Int64(uptime.tv_nsec)))
    }

    package func wait(until deadline: Duration) async throws {
        let remaining = deadline - now().uptime
        if remaining > .zero { try await Task.sleep(for: remaining) }
    }
}

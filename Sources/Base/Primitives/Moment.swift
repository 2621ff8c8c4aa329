/// "Now", handed into every core: civil time for what users read, monotonic time for every timer.
///
/// A clock that is set changes `wall` alone, so no deadline moves with it.
package struct Moment: Sendable, Hashable {
    package var wall: Timestamp
    /// Time since an arbitrary start that never goes back.
    package var uptime: Duration

    package init(wall: Timestamp, uptime: Duration) {
        self.wall = wall
        self.uptime = uptime
    }
}

/// Where shells get the time from.
package protocol MomentSource: Sendable {
    func now() -> Moment
    /// Returns once `uptime` has reached `deadline`; throws `CancellationError` when the task is cancelled.
    func wait(until deadline: Duration) async throws
}

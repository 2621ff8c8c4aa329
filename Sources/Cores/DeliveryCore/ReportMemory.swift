/// Which reports of a node have been handled, beyond the sessions of the node: each is handled once, however often it comes.
///
/// It remembers the last `capacity` ids; an edge has far fewer under way without a confirmation. Reports of a lane are handled one after the
/// other, also where a session ends while one is being handled. What an older session has not begun by then is left: its edge sends it again.
package struct ReportMemory: Sendable {
    package enum Verdict: Sendable, Hashable {
        /// Handle it, then call `finish`.
        case handle
        /// Another report of the lane is being handled, or this one is: ask again when that is finished.
        case wait
        /// It has been handled: only answer it.
        case handled
        /// A newer session has begun: the edge sends it there.
        case outdated
    }

    private var handled: RecentSet<String>
    private var running: Set<String> = []
    private var epoch: UInt64 = 0

    package init(capacity: Int = 512) { handled = RecentSet(capacity: capacity) }

    /// A session of the node begins.
    package mutating func begin(epoch: UInt64) { self.epoch = max(self.epoch, epoch) }

    /// What is to be done with a report that came over the session of this epoch.
    package mutating func take(_ id: String, lane: String, epoch: UInt64) -> Verdict {
        guard epoch == self.epoch else { return .outdated }
        if running.contains(lane) { return .wait }
        if handled.contains(id) { return .handled }
        running.insert(lane)
        return .handle
    }

    /// Says that handling has ended; a report that was not taken is handled when it comes again.
    package mutating func finish(_ id: String, lane: String, isTaken: Bool) {
        precondition(running.remove(lane) != nil, "a report was finished that was not being handled")
        if isTaken { handled.insert(id) }
    }

    /// Whether something is being handled.
    package var isBusy: Bool { !running.isEmpty }
}

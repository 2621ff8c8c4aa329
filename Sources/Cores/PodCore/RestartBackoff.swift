import Primitives

/// The back-off between restarts of one container: the first restart is immediate, then 10 s, 20 s, … 5 min (`spec/05 §13.7`).
///
/// Counted from the end of the last run and in uptime, so that a clock that is set changes nothing. A run of more than
/// ten minutes starts the row anew. Asking twice about the same exit gives the same answer.
struct RestartBackoff: Sendable, Hashable {
    static let initial = Duration.seconds(10)
    static let limit = Duration.seconds(300)

    enum Verdict: Hashable {
        case restart
        /// `delay` is the whole back-off, `until` the uptime of its end.
        case wait(delay: Duration, until: Duration)
    }

    private var delay: Duration?
    private var lastRestart = Duration.zero
    private var grantedExit = ""
    private var seenExit = ""
    private var exitSeenAt = Duration.zero

    /// What to do about the container `exit` that ended at `finishedAt`.
    mutating func verdict(exit: String, finishedAt: Timestamp?, now: Moment) -> Verdict {
        if seenExit != exit {
            seenExit = exit
            exitSeenAt = now.uptime
        }
        if grantedExit == exit { return .restart }
        if let delay, exitSeenAt - lastRestart <= Self.limit * 2 {
            let elapsed = elapsed(since: finishedAt, now: now)
            if elapsed < delay { return .wait(delay: delay, until: now.uptime + delay - elapsed) }
            self.delay = min(delay * 2, Self.limit)
        } else {
            delay = Self.initial
        }
        lastRestart = now.uptime
        grantedExit = exit
        return .restart
    }

    /// What to do about a container that a probe has stopped: `exit` is the one to be killed.
    ///
    /// The first such restart of a container is free, later ones count from the restart before: a container that ran longer than its back-off
    /// starts again at once (as the Go kubelet has it).
    mutating func verdict(killing exit: String, isFirstRun: Bool, now: Moment) -> Verdict {
        if grantedExit == exit { return .restart }
        if let delay, !isFirstRun, now.uptime - lastRestart <= Self.limit * 2 {
            if now.uptime - lastRestart < delay { return .wait(delay: delay, until: lastRestart + delay) }
            self.delay = min(delay * 2, Self.limit)
        } else if !isFirstRun {
            delay = Self.initial
        }
        lastRestart = now.uptime
        grantedExit = exit
        return .restart
    }

    /// Civil time tells it best, but only within what uptime allows.
    private func elapsed(since finishedAt: Timestamp?, now: Moment) -> Duration {
        let seen = now.uptime - exitSeenAt
        guard let finishedAt else { return seen }
        return min(max(now.wall - finishedAt, seen), seen + .seconds(5))
    }
}

extension Duration {
    /// Go's way to write a whole number of seconds: `10s`, `1m20s`, `5m0s`.
    package var goText: String {
        let seconds = components.seconds
        if seconds < 60 { return "\(seconds)s" }
        if seconds < 3600 { return "\(seconds / 60)m\(seconds % 60)s" }
        return "\(seconds / 3600)h\(seconds % 3600 / 60)m\(seconds % 60)s"
    }
}

package import Primitives

/// Durations as kubectl shows them.
package enum AgeText {
    /// The time since `start`, `<unknown>` where there is none.
    package static func since(_ start: Timestamp?, now: Timestamp) -> String {
        start.map { text(now - $0) } ?? "<unknown>"
    }

    /// Two units at most: `45s`, `5m32s`, `119m`, `7h5m`, `47h`, `3d4h`, `400d`, `3y12d`.
    package static func text(_ duration: Duration) -> String {
        let seconds = duration.components.seconds
        if seconds < -1 { return "<invalid>" }
        if seconds < 0 { return "0s" }
        if seconds < 120 { return "\(seconds)s" }
        let minutes = seconds / 60
        if minutes < 10 { return pair(minutes, "m", seconds % 60, "s") }
        if minutes < 180 { return "\(minutes)m" }
        let hours = minutes / 60
        if hours < 8 { return pair(hours, "h", minutes % 60, "m") }
        if hours < 48 { return "\(hours)h" }
        let days = hours / 24
        if hours < 192 { return pair(days, "d", hours % 24, "h") }
        if days < 730 { return "\(days)d" }
        if days < 2920 { return pair(days / 365, "y", days % 365, "d") }
        return "\(days / 365)y"
    }

    private static func pair(_ whole: Int64, _ unit: String, _ rest: Int64, _ restUnit: String) -> String {
        rest == 0 ? "\(whole)\(unit)" : "\(whole)\(unit)\(rest)\(restUnit)"
    }
}

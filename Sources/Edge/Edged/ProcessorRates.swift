/// Turns processor times into rates, from two samples of each.
struct ProcessorRates: Sendable {
    private struct Sample {
        var nanoseconds: UInt64
        var at: Duration
        var measuredAt: Duration?
        var rate: UInt64?
    }

    /// Samples nearer than this tell nothing.
    private static let shortest = Duration.milliseconds(100)
    /// Older samples tell of another time.
    private static let longest = Duration.seconds(120)

    private var samples: [String: Sample] = [:]
    private var sampledAt: Duration?

    /// Whether the last round is recent enough for this one to build on.
    func hasRecent(_ uptime: Duration) -> Bool { sampledAt.map { uptime - $0 < Self.longest } ?? false }

    /// Nanoseconds of processor time a second since the last sample; nil at the first one.
    ///
    /// Where it is known when a sample was measured, that counts: what a runtime answers may be late.
    mutating func rate(_ name: String, _ nanoseconds: UInt64?, measuredAt: Duration? = nil, at uptime: Duration) -> UInt64? {
        guard let nanoseconds else { return nil }
        guard let last = samples[name], last.nanoseconds <= nanoseconds, uptime - last.at < Self.longest else {
            samples[name] = Sample(nanoseconds: nanoseconds, at: uptime, measuredAt: measuredAt, rate: nil)
            return nil
        }
        var passed = uptime - last.at
        // A clock that was set says nothing.
        if let measuredAt, let before = last.measuredAt, measuredAt - before > .zero, measuredAt - before < Self.longest {
            passed = measuredAt - before
        }
        guard passed >= Self.shortest else { return last.rate }
        let rate = UInt64(min(Double(nanoseconds - last.nanoseconds) / (passed / .seconds(1)), 1e18))
        samples[name] = Sample(nanoseconds: nanoseconds, at: uptime, measuredAt: measuredAt, rate: rate)
        return rate
    }

    /// Ends a round: what has not been sampled for long is gone.
    mutating func endRound(at uptime: Duration) {
        samples = samples.filter { uptime - $0.value.at < Self.longest }
        sampledAt = uptime
    }
}

/// Turns processor times into rates, from two samples of each.
struct ProcessorRates: Sendable {
    private struct Sample {
        var nanoseconds: UInt64
        var at: Duration
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
    mutating func rate(_ name: String, _ nanoseconds: UInt64?, at uptime: Duration) -> UInt64? {
        guard let nanoseconds else { return nil }
        guard let last = samples[name], last.nanoseconds <= nanoseconds, uptime - last.at < Self.longest else {
            samples[name] = Sample(nanoseconds: nanoseconds, at: uptime, rate: nil)
            return nil
        }
        let passed = uptime - last.at
        guard passed >= Self.shortest else { return last.rate }
        let rate = UInt64(min(Double(nanoseconds - last.nanoseconds) / (passed / .seconds(1)), 1e18))
        samples[name] = Sample(nanoseconds: nanoseconds, at: uptime, rate: rate)
        return rate
    }

    /// Ends a round: what has not been sampled for long is gone.
    mutating func endRound(at uptime: Duration) {
        samples = samples.filter { uptime - $0.value.at < Self.longest }
        sampledAt = uptime
    }
}

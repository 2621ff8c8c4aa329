/// Delays that grow by a factor up to a limit, with a share of chance in them.
package struct Backoff: Sendable {
    package let initial: Duration
    package let limit: Duration
    package let factor: Double
    /// The share of the delay that chance may add or take away, 0 to 1.
    package let jitter: Double
    package private(set) var attempts = 0

    package init(initial: Duration, limit: Duration, factor: Double = 2, jitter: Double = 0) {
        self.initial = initial
        self.limit = limit
        self.factor = factor
        self.jitter = jitter
    }

    /// The delay before the next attempt.
    package mutating func next(using generator: inout some RandomNumberGenerator) -> Duration {
        var delay = initial
        for _ in 0..<min(attempts, 64) where delay < limit { delay = min(delay * factor, limit) }
        attempts += 1
        guard jitter > 0 else { return delay }
        return delay * Double.random(in: (1 - jitter)...(1 + jitter), using: &generator)
    }

    package mutating func next() -> Duration {
        var generator = SystemRandomNumberGenerator()
        return next(using: &generator)
    }

    package mutating func reset() { attempts = 0 }
}

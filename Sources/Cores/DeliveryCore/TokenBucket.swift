/// Allows `rate` events a second, and `burst` at once after a pause.
package struct TokenBucket: Sendable {
    package let rate: Double
    package let burst: Double
    private var tokens: Double
    private var updated: Duration

    package init(rate: Double, burst: Double, now: Duration) {
        self.rate = rate
        self.burst = burst
        tokens = burst
        updated = now
    }

    /// Takes a token where there is one, besides those that are to be left to others.
    package mutating func take(leaving rest: Double = 0, now: Duration) -> Bool {
        refill(now: now)
        guard tokens >= 1 + rest else { return false }
        tokens -= 1
        return true
    }

    /// When the next token is there; `now` where one is there already.
    package func nextToken(leaving rest: Double = 0, now: Duration) -> Duration {
        var later = self
        later.refill(now: now)
        guard later.tokens < 1 + rest else { return now }
        return now + .seconds((1 + rest - later.tokens) / rate) + .microseconds(1)
    }

    private mutating func refill(now: Duration) {
        guard now > updated else { return }
        tokens = min(burst, tokens + (now - updated) / .seconds(1) * rate)
        updated = now
    }
}

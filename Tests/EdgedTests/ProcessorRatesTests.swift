import Primitives
import Testing

@testable import Edged

struct ProcessorRatesTests {
    private static let second: UInt64 = 1_000_000_000

    @Test func `a rate comes from two samples, by the time at which they were measured`() {
        var rates = ProcessorRates()
        #expect(rates.rate("a", 0, measuredAt: .seconds(1000), at: .seconds(10)) == nil)
        // The answer of the runtime came a second late: two seconds of half a core had passed.
        #expect(rates.rate("a", Self.second, measuredAt: .seconds(1002), at: .seconds(11)) == Self.second / 2)
        // Nearer than a tenth of a second tells nothing new.
        #expect(rates.rate("a", Self.second + 1, measuredAt: .seconds(1002) + .milliseconds(50), at: .seconds(12)) == Self.second / 2)
    }

    @Test func `a clock that was set, and one that is not known, leave the time of asking`() {
        var rates = ProcessorRates()
        _ = rates.rate("set", 0, measuredAt: .seconds(1000), at: .seconds(10))
        #expect(rates.rate("set", Self.second, measuredAt: .seconds(500), at: .seconds(12)) == Self.second / 2)
        _ = rates.rate("unknown", 0, at: .seconds(10))
        #expect(rates.rate("unknown", Self.second, at: .seconds(14)) == Self.second / 4)
        #expect(rates.rate("unknown", 5, at: .seconds(15)) == nil, "a counter that went back has begun anew")
    }
}

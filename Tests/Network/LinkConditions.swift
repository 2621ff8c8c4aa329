import Primitives

/// What a link does to the packets of one direction.
struct LinkConditions: Sendable {
    /// Nothing passes and nobody is told, as behind a cable that was pulled.
    var isCut = false
    /// The share of packets that vanish.
    var loss = 0.0
    /// The share of packets that come twice.
    var duplicates = 0.0
    /// The share of packets that are overtaken by those of the next 30 ms.
    var overtaken = 0.0
    var delay = Duration.zero
    /// Bytes a second; nil for as many as come.
    var rate: Double?
    /// How long a packet may wait for its turn; what would wait longer is dropped, as a full queue does.
    var queue = Duration.milliseconds(500)
}

/// One direction of a link: decides when each packet arrives, and counts what it did.
struct LinkDirection: Sendable {
    struct Counts: Sendable {
        var passed = 0
        var lost = 0
        var doubled = 0
        var overtaken = 0
        /// Dropped because the queue was full.
        var refused = 0
        var bytes = 0
    }

    var conditions = LinkConditions()
    private(set) var counts = Counts()
    /// When the last packet of the queue has gone.
    private var freeAt = Duration.zero

    /// When a packet arrives: never, once or twice.
    mutating func arrivals(bytes: Int, now: Duration, using generator: inout SeededGenerator) -> [Duration] {
        guard !conditions.isCut, Double.random(in: 0..<1, using: &generator) >= conditions.loss else {
            counts.lost += 1
            return []
        }
        var time = now
        if let rate = conditions.rate {
            time = max(now, freeAt) + .seconds(Double(bytes) / rate)
            guard time - now <= conditions.queue else {
                counts.refused += 1
                return []
            }
            freeAt = time
        }
        time += conditions.delay
        counts.passed += 1
        counts.bytes += bytes
        if Double.random(in: 0..<1, using: &generator) < conditions.overtaken {
            counts.overtaken += 1
            time += .milliseconds(30)
        }
        guard Double.random(in: 0..<1, using: &generator) < conditions.duplicates else { return [time] }
        counts.doubled += 1
        return [time, time + .milliseconds(1)]
    }
}

/// How often the runtime's lists are read: every interval while something happens, every second one once nothing has for half a minute.
///
/// A container that ends on a node at rest is so seen within two intervals, for half of what looking costs.
struct RelistPace {
    static let calm = Duration.seconds(30)

    let interval: Duration
    private var lastNews = Duration.zero
    private var lastRead: Duration?

    init(interval: Duration) { self.interval = interval }

    /// Something was found or asked for: the lists are read at the full pace again.
    mutating func noteNews(_ now: Duration) { lastNews = max(lastNews, now) }

    /// Whether the lists are to be read now; to be asked once an interval.
    mutating func isDue(_ now: Duration) -> Bool {
        if let lastRead, now - lastNews > Self.calm, now - lastRead < interval * 1.5 { return false }
        lastRead = now
        return true
    }
}

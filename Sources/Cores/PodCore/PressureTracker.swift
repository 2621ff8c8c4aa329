/// What a look at the signals has found.
package struct PressureAssessment: Sendable, Hashable {
    /// The conditions that the node shows, also for a while after the shortage.
    package var pressures: [NodePressure] = []
    /// The thresholds that are met for as long as their grace allows, the one to act on first at the front.
    package var thresholds: [EvictionThreshold] = []
}

/// Remembers since when the node is short of what (`spec/05 §25.1–25.3`).
package struct PressureTracker: Sendable {
    package let settings: EvictionSettings
    private var metSince: [EvictionThreshold: Duration] = [:]
    /// Acted on, and not yet relieved with the minimum to reclaim.
    private var unresolved: [EvictionThreshold] = []
    private var seenAt: [NodePressure: Duration] = [:]

    package init(_ settings: EvictionSettings) { self.settings = settings }

    /// Takes a measurement at an uptime.
    package mutating func observe(_ observations: EvictionObservations, uptime: Duration) -> PressureAssessment {
        let met = settings.thresholds.filter { threshold in
            threshold.isMet(observations, withReclaim: false)
                || unresolved.contains(threshold) && threshold.isMet(observations, withReclaim: true)
        }
        metSince = Dictionary(met.map { ($0, metSince[$0] ?? uptime) }, uniquingKeysWith: min)
        for threshold in met { seenAt[threshold.signal.pressure] = uptime }
        seenAt = seenAt.filter { uptime - $0.value < settings.transition || $0.value == uptime }
        unresolved = met.filter { uptime - (metSince[$0] ?? uptime) >= $0.grace }
        return PressureAssessment(
            pressures: NodePressure.allCases.filter { seenAt[$0] != nil },
            thresholds: unresolved.filter(\.signal.isMemory) + unresolved.filter { !$0.signal.isMemory })
    }

    /// Whether nothing is short any more, with the minimum to reclaim on top, after something was freed.
    package func isRelieved(_ observations: EvictionObservations) -> Bool {
        !settings.thresholds.contains { $0.isMet(observations, withReclaim: true) }
    }
}

package import KubeMachinery

/// How much of something has to stay free, or is to be freed.
package enum EvictionAmount: Sendable, Hashable {
    case quantity(Quantity)
    /// Of the capacity, 0 to 1.
    case share(Float)

    /// The amount of a capacity; a share is rounded down.
    package func quantity(of capacity: Int64) -> Quantity {
        switch self {
        case .quantity(let quantity): quantity
        case .share(let share): Quantity(Int64(exactly: (Double(capacity) * Double(share)).rounded(.down)) ?? capacity, format: .binary)
        }
    }

    package func value(of capacity: Int64) -> Int64 { quantity(of: capacity).value }
}

/// A limit below which a signal must not fall (`spec/05 §25.1`).
package struct EvictionThreshold: Sendable, Hashable {
    package var signal: EvictionSignal
    package var amount: EvictionAmount
    /// How long the limit may be passed before a pod has to go; zero for a hard one.
    package var grace = Duration.zero
    /// How far beyond the limit the signal has to come back once pods had to go.
    package var reclaim: EvictionAmount?

    package var isHard: Bool { grace == .zero }

    package init(_ signal: EvictionSignal, _ amount: EvictionAmount) {
        self.signal = signal
        self.amount = amount
    }

    /// Whether the signal is below the limit. A signal that was not measured meets nothing.
    func isMet(_ observations: EvictionObservations, withReclaim: Bool) -> Bool {
        guard let observed = observations[signal] else { return false }
        var limit = Int128(amount.value(of: observed.capacity))
        if withReclaim, let reclaim { limit += Int128(reclaim.value(of: observed.capacity)) }
        return limit > Int128(observed.available)
    }
}

/// When the node counts as short of something and what follows, from the configuration (`spec/05 §2.2, §25`).
package struct EvictionSettings: Sendable, Hashable {
    /// Hard ones first; in each half memory first.
    package var thresholds: [EvictionThreshold]
    /// The grace of pods that go for a soft threshold.
    package var maximumPodGrace = Duration.zero
    /// How long a condition stays after the shortage was last seen.
    package var transition = Duration.seconds(300)
    /// Whether pods that take more local storage than they may are ended.
    package var limitsLocalStorage = true

    /// The defaults of a KubeEdge node.
    package init() {
        thresholds = [
            EvictionThreshold(.memoryAvailable, .quantity(Quantity(100 << 20, format: .binary))),
            EvictionThreshold(.allocatableMemoryAvailable, .quantity(Quantity(100 << 20, format: .binary))),
            EvictionThreshold(.nodeSpace, .share(0.10)), EvictionThreshold(.nodeInodes, .share(0.05)),
            EvictionThreshold(.imageSpace, .share(0.15)),
        ]
    }

    /// Reads the maps of the configuration, signal to amount; throws the first thing that is wrong.
    ///
    /// - Parameter enforcesAllocatable: Pods are held together to what the node has for them, so that limit is watched too.
    package init(
        hard: [String: String], soft: [String: String], softGrace: [String: Duration], minimumReclaim: [String: String], enforcesAllocatable: Bool
    ) throws(EvictionSettingsFailure) {
        var reclaims: [EvictionSignal: EvictionAmount] = [:]
        for (name, text) in minimumReclaim { reclaims[try Self.signal(name)] = try Self.amount(name, text, isThreshold: false) }
        for name in softGrace.keys { _ = try Self.signal(name) }
        func read(_ map: [String: String]) throws(EvictionSettingsFailure) -> [EvictionThreshold] {
            var found: [EvictionSignal: EvictionThreshold] = [:]
            for (name, text) in map {
                // Nothing and everything switch a threshold off.
                if text == "0%" || text == "100%" { continue }
                let signal = try Self.signal(name)
                found[signal] = EvictionThreshold(signal, try Self.amount(name, text, isThreshold: true))
                found[signal]?.reclaim = reclaims[signal]
            }
            return EvictionSignal.allCases.compactMap { found[$0] }
        }
        var hardOnes = try read(hard)
        var softOnes = try read(soft)
        for index in softOnes.indices {
            let name = softOnes[index].signal.rawValue
            guard let grace = softGrace[name] else {
                throw EvictionSettingsFailure("grace period must be specified for the soft eviction threshold \(name)")
            }
            guard grace >= .zero else { throw EvictionSettingsFailure("eviction grace period for \(name) must not be negative") }
            softOnes[index].grace = grace
        }
        if enforcesAllocatable, let index = hardOnes.firstIndex(where: { $0.signal == .memoryAvailable }) {
            var together = hardOnes[index]
            together.signal = .allocatableMemoryAvailable
            hardOnes.removeAll { $0.signal == .allocatableMemoryAvailable }
            hardOnes.insert(together, at: index + 1)
        }
        thresholds = hardOnes + softOnes
    }

    /// What a hard threshold of the signal keeps back of a capacity; 0 without one (`spec/05 §5.8`).
    package func keptBack(_ signal: EvictionSignal, of capacity: Int64) -> Int64 {
        thresholds.first { $0.signal == signal && $0.isHard }.map { $0.amount.value(of: capacity) } ?? 0
    }

    private static func signal(_ name: String) throws(EvictionSettingsFailure) -> EvictionSignal {
        guard let signal = EvictionSignal(rawValue: name) else {
            let known = EvictionSignal.allCases.map(\.rawValue).joined(separator: ", ")
            throw EvictionSettingsFailure("unsupported eviction signal \(name): use one of \(known)")
        }
        return signal
    }

    private static func amount(_ name: String, _ text: String, isThreshold: Bool) throws(EvictionSettingsFailure) -> EvictionAmount {
        if text.hasSuffix("%") {
            guard let percentage = Float(text.dropLast()), percentage.isFinite else {
                throw EvictionSettingsFailure("eviction threshold \(name) is no percentage: \(text)")
            }
            guard percentage >= 0 else { throw EvictionSettingsFailure("eviction percentage threshold \(name) must be >= 0%: \(text)") }
            guard percentage <= 100 else { throw EvictionSettingsFailure("eviction percentage threshold \(name) must be <= 100%: \(text)") }
            return .share(percentage / 100)
        }
        guard let quantity = Quantity(text) else { throw EvictionSettingsFailure("eviction threshold \(name) is no quantity: \(text)") }
        guard !quantity.isNegative, !(isThreshold && quantity.isZero) else {
            throw EvictionSettingsFailure("eviction threshold \(name) must be positive: \(text)")
        }
        return .quantity(quantity)
    }
}

/// What is wrong with the thresholds of a configuration.
package struct EvictionSettingsFailure: Error, Sendable, Hashable, CustomStringConvertible {
    package var message: String

    package init(_ message: String) { self.message = message }
    package var description: String { message }
}

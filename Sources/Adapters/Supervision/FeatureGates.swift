/// Feature gates of both programs (`spec/01 §11`).
package struct FeatureGates: Sendable, Hashable {
    /// A gate of this version; all of them are alpha and off.
    package enum Gate: String, CaseIterable, Sendable {
        /// Token authentication and RBAC on MetaServer, and the cloud's part in it.
        case requireAuthorization
        /// Modules that end are started again.
        case moduleRestart
    }

    private static let allAlpha = "AllAlpha"
    private static let allBeta = "AllBeta"

    private var enabled: Set<Gate> = []

    /// All gates at their defaults.
    package init() {}

    /// Gates as a configuration names them; a gate that is named wins over `AllAlpha`. Throws for an unknown name.
    package init(_ settings: [String: Bool]) throws(FeatureGateError) {
        if settings[Self.allAlpha] == true { enabled = Set(Gate.allCases) }
        for (name, isOn) in settings.sorted(by: { $0.key < $1.key }) where name != Self.allAlpha && name != Self.allBeta {
            guard let gate = Gate(rawValue: name) else { throw FeatureGateError(name: name) }
            if isOn { enabled.insert(gate) } else { enabled.remove(gate) }
        }
    }

    /// Whether a gate is on.
    package func isEnabled(_ gate: Gate) -> Bool { enabled.contains(gate) }
}

/// A gate that nobody knows.
package struct FeatureGateError: Error, Sendable, Hashable, CustomStringConvertible {
    package let name: String

    package var description: String { "unrecognized feature gate: \(name)" }
}

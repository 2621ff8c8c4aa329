import Synchronization

/// What a module says of itself.
package enum ModuleHealth: Sendable, Hashable {
    case ready
    /// It works, but cannot serve yet; the text says what it waits for.
    case starting(String)
    /// It cannot work; the text says why.
    case failing(String)
}

/// The health of every module, for `/healthz` and `/readyz`.
package final class HealthRegistry: Sendable {
    private let states = Mutex<[String: ModuleHealth]>([:])

    package init() {}

    /// States what holds for a module from now on.
    package func set(_ module: String, _ health: ModuleHealth) { states.withLock { $0[module] = health } }

    /// No module is failing.
    package var isHealthy: Bool {
        states.withLock { states in !states.values.contains { if case .failing = $0 { true } else { false } } }
    }

    /// Every module that reports is ready.
    package var isReady: Bool { states.withLock { states in states.values.allSatisfy { $0 == .ready } } }

    /// One line a module, in order of the names: `[+]name ok`, `[-]name starting: …`, `[-]name failed: …`.
    package var report: String {
        states.withLock { states in
            states.sorted { $0.key < $1.key }.map { name, health in
                switch health {
                case .ready: "[+]\(name) ok\n"
                case .starting(let reason): "[-]\(name) starting: \(reason)\n"
                case .failing(let reason): "[-]\(name) failed: \(reason)\n"
                }
            }.joined()
        }
    }
}

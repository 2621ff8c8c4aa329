import Primitives

/// A part of a program that runs until it is cancelled.
package struct Module: Sendable {
    package let name: String
    /// Runs the module. Returning means that it has nothing more to do; an error that it cannot go on.
    package let run: @Sendable () async throws -> Void

    /// A module of a name that log lines carry.
    package init(_ name: String, run: @escaping @Sendable () async throws -> Void) {
        self.name = name
        self.run = run
    }
}

/// What happens to a module that ends by itself (`spec/02 §4.7`, gate `moduleRestart`).
package enum RestartPolicy: Sendable {
    /// An error ends the program; a plain return is the module's own affair.
    case never
    /// The module starts again after 1 s, doubling to 30 s, from 1 s again once it has run for a minute.
    case always

    static let initialDelay: Duration = .seconds(1)
    static let delayLimit: Duration = .seconds(30)
    static let stablePeriod: Duration = .seconds(60)
}

/// Why supervised modules are no longer running.
package struct SupervisionError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable { case moduleFailed, stopTookTooLong }

    package let code: Code
    package let message: String
    package let cause: (any Error)?

    package var description: String { message }
    package var isRetryable: Bool { false }
}

/// The delay before a module's next start.
struct RestartSchedule: Sendable {
    private var backoff = Backoff(initial: RestartPolicy.initialDelay, limit: RestartPolicy.delayLimit)

    /// The delay after a run that lasted `duration`.
    mutating func delay(afterRunOf duration: Duration) -> Duration {
        if duration >= RestartPolicy.stablePeriod { backoff.reset() }
        return backoff.next()
    }
}

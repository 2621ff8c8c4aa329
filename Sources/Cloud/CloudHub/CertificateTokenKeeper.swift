package import KubeMachinery
package import Logging
package import Primitives
package import Trust

/// Keeps a join token in the secret `tokensecret` that is good for at least one more interval (`spec/01 §2.4`).
package struct CertificateTokenKeeper: Sendable {
    private let secrets: CertificateSecrets
    private let authority: CertificateAuthority
    private let interval: Duration
    private let clock: any MomentSource
    private let logger: Logger

    /// A token lives for twice the interval (12 h by default) and is replaced after one.
    package init(
        api: any KubeAPI, authority: CertificateAuthority, interval: Duration, clock: any MomentSource = SystemClock(), logger: Logger
    ) {
        secrets = CertificateSecrets(api: api)
        self.authority = authority
        self.interval = max(interval, .seconds(60))
        self.clock = clock
        self.logger = logger
    }

    /// Writes a new token.
    package func refresh() async throws {
        let token = JoinToken(authority: authority, expiry: clock.now().wall + interval * 2)
        try await secrets.write(.token, [.token: Array(token.text.exposed.utf8)])
    }

    /// Refreshes at once and after every interval until cancelled. A failure is logged and tried again within a minute at the latest; the token that
    /// stands is good for another interval meanwhile.
    package func run() async throws {
        var backoff = Backoff(initial: .seconds(1), limit: .seconds(60), jitter: 0.2)
        while true {
            do {
                try await refresh()
                backoff.reset()
                try await waitForInterval()
            } catch let error as CancellationError {
                throw error
            } catch {
                let delay = backoff.next()
                logger.error("join token could not be refreshed", metadata: ["error": "\(error)", "retry": "\(delay)"])
                try await clock.wait(until: clock.now().uptime + delay)
            }
        }
    }

    /// Waits by the wall clock, as the token expires by it; in pieces, as it may be set.
    private func waitForInterval() async throws {
        let due = clock.now().wall + interval
        while true {
            let rest = due - clock.now().wall
            if rest <= .zero { return }
            try await clock.wait(until: clock.now().uptime + min(rest, .seconds(600)))
        }
    }
}

package import KubeMachinery
package import Logging
package import Primitives
package import Trust

/// Keeps a join token in the secret `tokensecret` that is good for at least one more interval (`spec/01 §2.4`).
///
/// The secret lists the numbers of those that are good. Who deletes it revokes them all; a new one is made at once.
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

    /// Writes a new token; the one before it stays good until it expires.
    package func refresh() async throws {
        let now = clock.now().wall
        let (number, expiry) = (UniqueID.next(), now + interval * 2)
        let token = JoinToken(authority: authority, expiry: expiry, claims: JoinToken.Claims(identifier: number))
        try await secrets.edit(.token) { secret in
            var numbers = secret.map(SharedTokenNumbers.init) ?? SharedTokenNumbers()
            numbers.expiries = numbers.expiries.filter { $0.value > now }
            numbers.expiries[number] = expiry
            return [.token: Array(token.text.exposed.utf8), .tokenNumbers: Array(numbers.text.utf8)]
        }
    }

    /// Refreshes at once, after every interval and when `revoked` is told, until cancelled. A failure is logged and tried again within a minute at the latest; the token that
    /// stands is good for another interval meanwhile.
    package func run(revoked: Signal = Signal()) async throws {
        var backoff = Backoff(initial: .seconds(1), limit: .seconds(60), jitter: 0.2)
        while true {
            do {
                try await refresh()
                backoff.reset()
                try await waitForInterval(revoked)
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
    private func waitForInterval(_ revoked: Signal) async throws {
        let due = clock.now().wall + interval
        while true {
            let rest = due - clock.now().wall
            if rest <= .zero { return }
            let end = clock.now().uptime + min(rest, .seconds(600))
            await revoked.wait(until: end, clock: clock)
            try Task.checkCancellation()
            if clock.now().uptime < end { return }
        }
    }
}

/// The numbers of the tokens in `tokensecret` that are good.
struct SharedTokenNumbers: Sendable, Equatable {
    var expiries: [String: Timestamp] = [:]

    init() {}

    /// Lines that are not understood do not count.
    init(_ secret: KubeObject) {
        let text = String(decoding: CertificateSecrets.bytes(secret, .tokenNumbers) ?? [], as: UTF8.self)
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 2, let second = Int64(words[1]) else { continue }
            expiries[String(words[0])] = Timestamp(seconds: second)
        }
    }

    var text: String { expiries.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.seconds)\n" }.joined() }
}

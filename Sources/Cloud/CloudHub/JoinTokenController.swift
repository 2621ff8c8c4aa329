import KubeClient
import KubeMachinery
import KubeResources
import Logging
import Primitives

/// Follows the secrets of the namespace `kubeedge`, so that requests for join tokens are answered and revocations noticed.
struct JoinTokenController: Sendable {
    private let tokens: JoinTokens
    private let informer: Informer
    private let clock: any MomentSource
    private let logger: Logger

    init(tokens: JoinTokens, api: any KubeAPI, clock: any MomentSource, logger: Logger) {
        self.tokens = tokens
        self.clock = clock
        self.logger = logger
        informer = Informer(
            api: api, resource: Resources.secrets, query: ListQuery(namespace: CertificateSecrets.namespace), clock: clock, logger: logger)
    }

    /// Runs until cancelled. What the API does not take is tried again after ten seconds.
    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await informer.run() }
            group.addTask {
                try await withThrowingDiscardingTaskGroup { answers in
                    for await change in await informer.changes() {
                        switch change {
                        case .added(let secret), .updated(_, let secret): answers.addTask { try await answer(secret) }
                        case .deleted(let secret): tokens.takeRemoved(secret)
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private func answer(_ secret: KubeObject) async throws {
        while true {
            do { return try await tokens.take(secret) } catch let error as CancellationError {
                throw error
            } catch {
                logger.warning("a request for a join token waits", metadata: ["secret": "\(secret.name)", "error": "\(error)", "retry": "10s"])
                try await clock.wait(until: clock.now().uptime + .seconds(10))
                guard await informer.object(secret.key)?.uid == secret.uid else { return }
            }
        }
    }
}

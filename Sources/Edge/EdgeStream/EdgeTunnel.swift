import EdgeMessages
package import EdgeTransport
package import Logging
package import Primitives

/// The edge's end of the tunnel for logs, commands and metrics: connects to CloudStream, and again whenever the tunnel ends (`spec/01 §9`).
///
///     wait for certificates ──▶ connect ──▶ serve streams ──(broke, refused, cancelled)──▶ wait 2 s to 30 s ──▶ connect
package struct EdgeTunnel: Sendable {
    package struct Configuration: Sendable {
        /// Where the kubelet of this node serves.
        package var kubeletHost = "127.0.0.1"
        package var kubeletPort = 10350
        /// Shortest and longest wait between two tries.
        package var shortestWait = Duration.seconds(2)
        package var longestWait = Duration.seconds(30)

        package init() {}
    }

    /// Opens the tunnel's connection with the headers of this node. Throws `TransportError`.
    package typealias Connect = @Sendable () async throws -> any MessageChannel

    private let configuration: Configuration
    private let connect: Connect
    private let clock: any MomentSource
    private let logger: Logger

    package init(configuration: Configuration = Configuration(), clock: any MomentSource = SystemClock(), logger: Logger, connect: @escaping Connect)
    {
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
        self.connect = connect
    }

    /// Runs until it is cancelled.
    package func run() async throws {
        var backoff = Backoff(initial: configuration.shortestWait, limit: configuration.longestWait, jitter: 0.3)
        while true {
            let start = clock.now().uptime
            do {
                let channel = try await connect()
                logger.info("tunnel is open")
                try await serve(channel)
                logger.info("tunnel was closed")
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                logger.info("tunnel is not open: logs and commands of this node cannot be had through the cloud", metadata: ["error": "\(error)"])
            }
            try Task.checkCancellation()
            if clock.now().uptime - start > .seconds(60) { backoff.reset() }
            try await clock.wait(until: clock.now().uptime + backoff.next())
        }
    }

    private func serve(_ channel: any MessageChannel) async throws {
        let relay = KubeletRelay(host: configuration.kubeletHost, port: configuration.kubeletPort, logger: logger)
        // Whether the cloud reads credit is known once it has sent some.
        let session = TunnelSession(channel: channel, usesCredit: false, clock: clock, logger: logger)
        do {
            try await session.run { kind, connector, stream in await relay.serve(kind, connector, stream) }
        } catch {
            await session.close("the edge has ended the tunnel")
            throw error
        }
        await session.close("the edge has ended the tunnel")
    }
}

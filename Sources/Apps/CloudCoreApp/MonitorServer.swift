import HTTPServing
import Logging
import Supervision

/// `/metrics`, `/healthz` and `/readyz` of cloudcore, plain HTTP (`spec/01 §1.2`).
struct MonitorServer: Sendable {
    private let address: NetworkAddress
    private let health: HealthRegistry
    private let metrics: MetricsRegistry
    private let nodes: Metric
    private let connectedNodes: @Sendable () async -> Int
    private let measure: @Sendable () async -> Void
    private let logger: Logger

    /// `connectedNodes` is asked at every scrape, and `measure` brings up to date what is not counted where it happens.
    init(
        address: NetworkAddress, health: HealthRegistry, metrics: MetricsRegistry, connectedNodes: @escaping @Sendable () async -> Int,
        measure: @escaping @Sendable () async -> Void = {}, logger: Logger
    ) {
        self.address = address
        self.health = health
        self.metrics = metrics
        nodes = metrics.gauge("KubeEdge_CloudHub_connected_nodes", help: "Number of nodes that connected to the cloudHub instance")
        self.connectedNodes = connectedNodes
        self.measure = measure
        self.logger = logger
    }

    func run() async throws {
        let server = HTTPServer(HTTPServerConfiguration(host: address.host, port: address.port), logger: logger) { await answer($0) }
        try await server.run()
    }

    func answer(_ request: HTTPRequest) async -> HTTPResponse {
        guard ["GET", "HEAD"].contains(request.method) else { return .text(405, "only GET and HEAD are answered here") }
        switch request.path {
        case "/metrics":
            nodes.set(Double(await connectedNodes()))
            await measure()
            let type = "text/plain; version=0.0.4; charset=utf-8"
            return HTTPResponse(status: 200, headers: ["Content-Type": type], body: Array(metrics.text.utf8))
        case "/healthz", "/livez": return state(health.isHealthy)
        case "/readyz": return state(health.isReady)
        default: return .text(404, "there are /metrics, /healthz and /readyz here")
        }
    }

    private func state(_ isRight: Bool) -> HTTPResponse { .text(isRight ? 200 : 503, isRight ? "ok" : health.report) }
}

package import ContainerRuntime
package import HTTPServing
import KubeMachinery
package import Logging
package import PodCore
package import Primitives

/// The kubelet's HTTP surface: logs, exec, attach, port-forward, pods, health, figures (`spec/05 §26–27`).
///
/// Plain HTTP for the tunnel from the cloud, for scrapers and for tools on the node. It reads; it changes nothing but what a command
/// that somebody runs in a container changes.
package struct KubeletHTTPService: Sendable {
    let configuration: KubeletServerConfiguration
    let view: any KubeletView
    let runtime: any RuntimeInterface
    let usage: (any UsageSource)?
    let metrics: KubeletMetrics
    let delivery: (@Sendable () async -> JSONValue)?
    let clock: any MomentSource
    let logger: Logger

    /// - Parameters:
    ///   - usage: nil where nobody measures: `/stats/summary` then says so.
    ///   - metrics: Should be the meter of kubelet and runtime, so that their numbers show.
    ///   - delivery: What `/delivery` shows: where the line to the cloud stands and what waits for it.
    package init(
        _ configuration: KubeletServerConfiguration, view: any KubeletView, runtime: any RuntimeInterface, usage: (any UsageSource)?,
        metrics: KubeletMetrics, delivery: (@Sendable () async -> JSONValue)? = nil, clock: any MomentSource = SystemClock(), logger: Logger
    ) {
        self.configuration = configuration
        self.view = view
        self.runtime = runtime
        self.usage = usage
        self.metrics = metrics
        self.delivery = delivery
        self.clock = clock
        self.logger = logger
    }

    /// Listens and serves until the task is cancelled. Throws one sentence where the address cannot be used.
    package func run() async throws { try await makeServer().run() }

    /// A server that is not listening yet.
    package func makeServer() -> HTTPServer {
        var limits = HTTPServerLimits()
        limits.connections = 1024
        // Who reads a log page by page keeps it waiting for as long as a stream may rest.
        limits.writeTime = configuration.streamIdleLimit
        return HTTPServer(HTTPServerConfiguration(host: configuration.host, port: configuration.port, limits: limits), logger: logger) {
            await answer($0)
        }
    }

    /// Answers one request.
    package func answer(_ request: HTTPRequest) async -> HTTPResponse {
        guard let served = ServedRequest(request) else { return .plain(400, "the path has a broken percent escape") }
        let route = Route(served.segments.first ?? "")
        metrics.countRequest(method: request.method, path: route?.rawValue ?? "Invalid path", isLong: route?.isLongRunning ?? false)
        guard let route else { return .text(404, "404 page not found") }
        guard route.methods.contains(request.method) else { return .plain(405, "405: Method Not Allowed") }
        if route.isAboutContainers, !configuration.servesContainers { return .text(405, "Debug endpoints are disabled.") }
        do {
            return try await answer(served, route)
        } catch let failure as ServedFailure {
            return failure.response
        } catch let failure as RuntimeFailure {
            return ServedFailure(failure).response
        } catch is CancellationError {
            return .plain(503, "the server is stopping")
        } catch {
            logger.error("kubelet request failed", metadata: ["path": "\(request.path)", "error": "\(error)"])
            return .plain(500, "\(error)")
        }
    }

    private func answer(_ request: ServedRequest, _ route: Route) async throws -> HTTPResponse {
        let rest = request.segments.dropFirst()
        switch route {
        case .healthz: return await health(rest.first, isVerbose: request["verbose"] != nil)
        case .pods: return try await podList()
        case .runningPods: return try await runningPodList()
        case .stats: return try await statistics(request, rest)
        case .metrics: return try await figures(rest.first)
        case .containerLogs: return try await containerLogs(request, rest)
        case .exec: return try await execute(request, rest)
        case .attach: return try await attach(request, rest)
        case .portForward: return try await forwardPorts(request, rest)
        case .run: return try await runCommand(request, rest)
        case .logs: return try systemLogs(request, rest)
        case .delivery:
            guard let delivery else { return .text(404, "nobody here knows of a line to the cloud") }
            return .json(await delivery())
        case .configz:
            return .json(["kubeletconfig": configuration.kubeletConfiguration])
        }
    }
}

/// What the first segment of a path asks for.
enum Route: String, Sendable, CaseIterable {
    case healthz, pods, stats, metrics, containerLogs, exec, attach, portForward, run, logs, configz, delivery
    case runningPods = "runningpods"

    init?(_ segment: String) { self.init(rawValue: segment) }

    var methods: Set<String> {
        switch self {
        case .exec, .attach, .portForward: ["GET", "POST"]
        case .stats: ["GET", "POST", "HEAD"]
        case .run: ["POST"]
        default: ["GET", "HEAD"]
        }
    }

    var isLongRunning: Bool {
        switch self {
        case .containerLogs, .exec, .attach, .portForward: true
        default: false
        }
    }

    var isAboutContainers: Bool {
        switch self {
        case .containerLogs, .exec, .attach, .portForward, .run, .logs, .runningPods: true
        default: false
        }
    }
}

extension HTTPResponse {
    static func json(_ value: JSONValue) -> HTTPResponse {
        HTTPResponse(status: 200, headers: ["Content-Type": "application/json"], body: value.encoded())
    }
}

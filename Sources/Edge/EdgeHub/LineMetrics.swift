import DeliveryCore
import EdgeMessages
import Primitives
package import Supervision

/// What the edge's end of the line counts, as series of a registry.
package struct LineMetrics: Sendable {
    private let isConnected: Metric
    private let connections: Metric
    private let failures: Metric
    private let keepalives: Metric
    private let acknowledgements: Metric
    private let others: Metric
    private let received: Metric
    private let applied: Metric
    private let notApplied: Metric
    private let dropped: Metric
    private let waiting: [Metric]

    package init(registry: MetricsRegistry = MetricsRegistry()) {
        isConnected = registry.gauge("kubeedge_edgehub_connected", help: "Whether the cloud is connected.")
        connections = registry.counter("kubeedge_edgehub_connections_total", help: "Connections to the cloud that were made.")
        failures = registry.counter("kubeedge_edgehub_connection_failures_total", help: "Connections to the cloud that could not be made.")
        let sent = { (kind: String) in
            registry.counter("kubeedge_edgehub_messages_sent_total", help: "Messages sent to the cloud, by kind.", labels: ["kind": kind])
        }
        (keepalives, acknowledgements, others) = (sent("keepalive"), sent("acknowledgement"), sent("other"))
        received = registry.counter("kubeedge_edgehub_messages_received_total", help: "Messages of the cloud.")
        applied = registry.histogram("kubeedge_edgehub_apply_seconds", help: "From a message of the cloud until its content is kept.")
        notApplied = registry.counter("kubeedge_edgehub_apply_failures_total", help: "Messages of the cloud whose content could not be kept.")
        dropped = registry.counter("kubeedge_edgehub_posts_dropped_total", help: "Reports that were dropped because too many waited.")
        waiting = ["requests", "posts", "acknowledgements", "applying"].map {
            registry.gauge("kubeedge_edgehub_waiting", help: "What waits at the edge's end of the line.", labels: ["kind": $0])
        }
    }

    func connected() {
        connections.add()
        isConnected.set(1)
    }

    func disconnected() { isConnected.set(0) }

    func connectionFailed() { failures.add() }

    func sent(_ message: EdgeMessage) {
        switch message.route.operation {
        case EdgeOperation.keepalive: keepalives.add()
        case EdgeOperation.response: acknowledgements.add()
        default: others.add()
        }
    }

    func messageReceived() { received.add() }

    func applied(after time: Duration, failed: Bool) {
        applied.observe(time / .seconds(1))
        if failed { notApplied.add() }
    }

    func postDropped() { dropped.add() }

    func set(_ backlog: (requests: Int, posts: Int, acknowledgements: Int, applying: Int)) {
        let counts = [backlog.requests, backlog.posts, backlog.acknowledgements, backlog.applying]
        for (metric, count) in zip(waiting, counts) { metric.set(Double(count)) }
    }
}

import DeliveryCore
import EdgeMessages
import Primitives
package import Supervision

/// What CloudHub counts, as series of a registry. None has the name of a node: their number does not grow with the fleet.
package struct HubMetrics: Sendable {
    private let registry: MetricsRegistry
    private let connections: Metric
    private let objects: Metric
    private let repeats: Metric
    private let others: Metric
    private let acknowledgements: Metric
    private let received: [UpstreamRoute: Metric]
    private let requests: [String: Metric]
    private let otherRequests: Metric
    private let waiting: [(keyPath: any KeyPath<Backlog, Int> & Sendable, metric: Metric)]

    /// What waits in all sessions together.
    struct Backlog: Sendable {
        var once = 0
        var objects = 0
        var inFlight = 0
        var records = 0
    }

    package init(registry: MetricsRegistry = MetricsRegistry()) {
        self.registry = registry
        connections = registry.counter("kubeedge_cloudhub_connections_total", help: "Sessions of nodes that have begun.")
        let sent = { (kind: String) in
            registry.counter("kubeedge_cloudhub_messages_sent_total", help: "Messages sent to nodes, by kind.", labels: ["kind": kind])
        }
        (objects, repeats, others) = (sent("object"), sent("repeated_object"), sent("other"))
        acknowledgements = registry.histogram(
            "kubeedge_cloudhub_acknowledgement_seconds", help: "From the sending of an object to its acknowledgement by the node.",
            buckets: Self.buckets)
        let routes: [(UpstreamRoute, String)] = [
            (.keepalive, "keepalive"), (.acknowledgement, "acknowledgement"), (.failure, "failure"), (.edgeController, "edgecontroller"),
            (.deviceController, "devicecontroller"), (.dynamicController, "dynamiccontroller"), (.router, "router"), (.taskManager, "taskmanager"),
            (.volumeAnswer, "volume"), (.kubernetesCA, "kubernetes_ca"), (.empty, "empty"), (.forged, "forged"),
        ]
        received = Dictionary(
            uniqueKeysWithValues: routes.map { route, name in
                (
                    route,
                    registry.counter(
                        "kubeedge_cloudhub_messages_received_total", help: "Messages of nodes, by where they go.", labels: ["route": name])
                )
            })
        let timed = { (type: String) in
            registry.histogram(
                "kubeedge_cloudhub_request_seconds", help: "From a request of a node to its answer, by the type of the resource.",
                buckets: Self.buckets, labels: ["type": type])
        }
        let types = [
            EdgeType.node, EdgeType.nodePatch, EdgeType.nodeStatus, EdgeType.lease, EdgeType.pod, EdgeType.podPatch, EdgeType.podStatus,
            EdgeType.configMap, EdgeType.secret, EdgeType.serviceAccountToken, EdgeType.event,
        ]
        requests = Dictionary(uniqueKeysWithValues: types.map { ($0, timed($0)) })
        otherRequests = timed("other")
        waiting = [
            (\.objects, registry.gauge("kubeedge_cloudhub_objects_waiting", help: "Objects that nodes have not acknowledged yet.")),
            (\.inFlight, registry.gauge("kubeedge_cloudhub_objects_in_flight", help: "Objects that are sent and not acknowledged yet.")),
            (\.once, registry.gauge("kubeedge_cloudhub_messages_waiting", help: "Messages that are sent once and wait for it.")),
            (\.records, registry.gauge("kubeedge_cloudhub_sync_records_waiting", help: "Sync records that are not written yet.")),
        ]
    }

    private static let buckets: [Double] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

    func connected() { connections.add() }

    func disconnected(_ reason: NodeSessionEnd) {
        registry.counter(
            "kubeedge_cloudhub_disconnections_total", help: "Sessions of nodes that have ended, by reason.", labels: ["reason": reason.rawValue]
        ).add()
    }

    /// A connection was not let in; `status` is one of a handful.
    func refused(_ status: Int) {
        registry.counter(
            "kubeedge_cloudhub_refused_connections_total", help: "Connections of nodes that were refused, by HTTP status.",
            labels: ["status": "\(status)"]
        ).add()
    }

    func sent(_ message: EdgeMessage, isRepeat: Bool) {
        (isRepeat ? repeats : message.deliveryClass == .acknowledged ? objects : others).add()
    }

    func received(_ message: EdgeMessage, acknowledgedAfter: Duration?) {
        received[UpstreamRoute(message)]?.add()
        if let acknowledgedAfter { acknowledgements.observe(acknowledgedAfter / .seconds(1)) }
    }

    func answered(_ message: EdgeMessage, after time: Duration) {
        (message.resource.path.flatMap { requests[$0.type] } ?? otherRequests).observe(time / .seconds(1))
    }

    func recorded(_ command: SyncRecordCommand, _ outcome: SyncRecordOutcome) {
        let name =
            switch command {
            case .open: "open"
            case .write: "write"
            case .remove: "remove"
            }
        registry.counter(
            "kubeedge_cloudhub_sync_records_total", help: "Commands on sync records, by how they ended.",
            labels: ["command": name, "result": outcome == .failed ? "failed" : "done"]
        ).add()
    }

    func set(_ backlog: Backlog) { for (keyPath, metric) in waiting { metric.set(Double(backlog[keyPath: keyPath])) } }
}

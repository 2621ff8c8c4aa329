package import DeliveryCore
package import EdgeMessages
package import EdgeTransport
package import KubeMachinery
package import Logging
package import Primitives

/// The cloud's end of the line: one session for each connected node.
package actor CloudHub: NodeDownlink {
    package struct Configuration: Sendable {
        package var session = NodeSession.Configuration()
        /// Nodes that may be connected at once (`modules.cloudHub.nodeLimit`).
        package var nodeLimit = 500
        /// What a node that asks for the CA of the Kubernetes API gets, as PEM (`spec/01 §5.8`).
        package var kubernetesCA = ""

        package init() {}
    }

    private let configuration: Configuration
    private let api: any KubeAPI
    /// Sync records that are written at once, for all nodes together.
    private let recordWrites = Turnstile(places: 8)
    /// Leases that are renewed at once: those who wait for an answer go first.
    private let leaseRenewals = Turnstile(places: 4)
    private let clock: any MomentSource
    private let alarms: AlarmClock
    private let metrics: HubMetrics
    private let logger: Logger
    private var uplinks: [UpstreamRoute: any NodeUplink]
    private var copies: RecordCopies = { _, _ in nil }
    private var table: SessionTable
    private var connections: [String: NodeConnection] = [:]
    /// What has been handled of each node that is connected, and of the last so many that were: an edge comes back with the same reports.
    private var reports: [String: NodeReports] = [:]
    /// Nodes that have left, the last one at the end.
    private var departed: [String] = []

    /// `api` keeps the sync records; `uplinks` are the controllers that handle what nodes say; `metrics` shows what is counted.
    package init(
        api: any KubeAPI, uplinks: [UpstreamRoute: any NodeUplink] = [:], clock: any MomentSource = SystemClock(),
        configuration: Configuration = Configuration(), metrics: HubMetrics = HubMetrics(), logger: Logger
    ) {
        self.configuration = configuration
        self.clock = clock
        alarms = AlarmClock(clock: clock)
        self.metrics = metrics
        self.logger = logger
        self.uplinks = uplinks
        self.api = api
        table = SessionTable(limit: configuration.nodeLimit)
    }

    /// Sends what nodes say on a route to a controller; to be called before the first session.
    package func route(_ route: UpstreamRoute, to uplink: any NodeUplink) { uplinks[route] = uplink }

    /// Where sync records are looked up before the API is asked; to be called before the first session.
    package func lookUpRecords(in copies: @escaping RecordCopies) { self.copies = copies }

    /// Whether a session of the node would be served now: the listener asks before it upgrades (`spec/01` D-16, D-63).
    package func admits(_ node: String) -> Bool { table.admits(node) }

    /// Runs the session of a node until its connection ends or a newer one takes its place.
    package func serve(_ channel: any MessageChannel, node: String, project: String, remote: String) async {
        guard let (connection, epoch, replaced) = open(channel, node: node, project: project, remote: remote) else {
            await channel.close("too many nodes")
            return
        }
        await replaced?.finish(.replaced)
        await connection.run { reason in await self.leave(node, epoch: epoch, reason) }
    }

    /// Not within `serve`: what a session is made of would stay on the stack of its task. nil where the node is one too many.
    private func open(
        _ channel: any MessageChannel, node: String, project: String, remote: String
    ) -> (NodeConnection, epoch: UInt64, replaced: NodeConnection?)? {
        guard case .admitted(let epoch, _) = table.open(node) else {
            logger.warning(
                "node refused, the limit of connected nodes is reached",
                metadata: ["node": "\(node)", "remote": "\(remote)", "limit": "\(configuration.nodeLimit)"])
            return nil
        }
        var logger = logger
        logger[metadataKey: "node"] = "\(node)"
        logger[metadataKey: "remote"] = "\(remote)"
        let reports = reports[node] ?? NodeReports()
        self.reports[node] = reports
        let connection = NodeConnection(
            core: NodeSession(node: node, epoch: epoch, configuration: configuration.session, now: clock.now()), channel: channel,
            uplinks: uplinks, kubernetesCA: configuration.kubernetesCA, renewals: leaseRenewals,
            records: SyncRecordKeeper(api: api, store: StoreIdentity(announcement: channel.capabilities), copies: copies, writes: recordWrites),
            reports: reports, clock: clock, alarms: alarms,
            metrics: metrics, logger: logger)
        let replaced = connections.updateValue(connection, forKey: node)
        logger.info("node connected", metadata: ["project": "\(project)", "epoch": "\(epoch)", "nodes": "\(connections.count)"])
        metrics.connected()
        return (connection, epoch, replaced)
    }

    private func leave(_ node: String, epoch: UInt64, _ reason: NodeSessionEnd) async {
        metrics.disconnected(reason)
        logger.info("node disconnected", metadata: ["node": "\(node)", "epoch": "\(epoch)", "reason": "\(reason.rawValue)"])
        guard table.close(node, epoch: epoch) else { return }
        connections[node] = nil
        departed.removeAll { $0 == node }
        departed.append(node)
        if departed.count > configuration.nodeLimit {
            let forgotten = departed.removeFirst()
            if connections[forgotten] == nil { reports[forgotten] = nil }
        }
        for uplink in Array(uplinks.values) { await uplink.disconnected(node) }
    }

    package func deliver(_ message: EdgeMessage, to node: String) async { await connections[node]?.deliver(message) }

    package func connectedNodes() -> [String] { table.nodes }

    package func stores() -> [String: StoreIdentity] { connections.compactMapValues(\.store) }

    /// Brings the numbers of what waits up to date: for whoever is about to read the metrics.
    package func measure() async {
        var sum = HubMetrics.Backlog()
        for connection in Array(connections.values) {
            let backlog = await connection.backlog
            sum.once += backlog.once
            sum.objects += backlog.objects
            sum.inFlight += backlog.inFlight
            sum.records += backlog.records
        }
        metrics.set(sum)
    }

    package func disconnect(_ node: String) async { await connections[node]?.finish(.nodeDeleted) }

    /// Ends all sessions: their `serve` calls return.
    package func stop() async {
        for connection in Array(connections.values) { await connection.finish(.stopped) }
    }
}

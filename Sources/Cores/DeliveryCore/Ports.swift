package import EdgeMessages

/// The way down as cloud controllers see it: CloudHub implements it.
package protocol NodeDownlink: Sendable {
    /// Hands a message (resource in wire form) to the session of a node.
    ///
    /// Object messages (`DeliveryClass.acknowledged`) are retried until the edge has acknowledged them; the newest version of
    /// an object replaces an older one that waits. For a node without a session here nothing is kept: what the
    /// node missed is worked out from its sync records when it connects.
    func deliver(_ message: EdgeMessage, to node: String) async

    /// The nodes with a live session here.
    func connectedNodes() async -> [String]

    /// The stores of those of them that announce one (`StoreIdentity`).
    func stores() async -> [String: StoreIdentity]

    /// Ends the session of a node, for one that was deleted.
    func disconnect(_ node: String) async
}

/// The way up as CloudHub sees it: cloud controllers implement it.
package protocol NodeUplink: Sendable {
    /// Handles a request or report of a node and returns the answer, where the wire has one.
    ///
    /// A report that wants an answer (`EdgeMessage.wantsAnswer`) is confirmed where there is none: what could not be taken is answered with a failure.
    /// Called concurrently for different resources, one after the other for the same resource of a node.
    func handle(_ message: EdgeMessage, from node: String) async -> EdgeMessage?

    /// A session of the node has begun.
    func connected(_ node: String) async

    /// A node that leaves its lease to the cloud (`PeerCapability.leases`) has shown that it lives.
    func alive(_ node: String) async

    func disconnected(_ node: String) async
}

extension NodeUplink {
    package func alive(_ node: String) async {}
}

/// The way up as the modules of the edge see it: EdgeHub implements it.
package protocol CloudUplink: Sendable {
    /// Sends a request and waits for the message with its id as parent. Throws `UplinkError`.
    func request(_ message: EdgeMessage, timeout: Duration) async throws -> EdgeMessage

    /// Sends a report. While the cloud is away the newest report for a resource waits, older ones are dropped.
    func post(_ message: EdgeMessage) async

    func isConnected() async -> Bool

    /// The state now, then every change.
    func connectivity() async -> AsyncStream<Bool>

    /// Whether the cloud that is connected has announced that it can do something that a v1.17 cloud cannot.
    func offers(_ capability: PeerCapability) async -> Bool
}

/// The way up for reports that have to arrive: EdgeHub implements it, the outbox is its only user.
package protocol ReportUplink: CloudUplink {
    /// Sends a report once, as far as the allowance for background traffic goes, and returns when its proof is there: the answer, or the report
    /// itself where the proof is that it was read. Throws `UplinkError`: then it may have arrived all the same.
    func report(_ message: EdgeMessage, proof: ReportProof, timeout: Duration) async throws -> EdgeMessage
}

/// The way up as modules see it that may not lose a report: the outbox implements it.
package protocol DurableUplink: Sendable {
    /// Returns once the report is on the disk; from then on it reaches the cloud, whatever breaks meanwhile.
    ///
    /// The cloud may get it more than once, always with the same id. Only an event that waits may be dropped, for want of room (`OutboxCore`).
    func report(_ message: EdgeMessage, as kind: ReportKind) async throws(OutboxError)
}

extension CloudUplink {
    package func offers(_ capability: PeerCapability) async -> Bool { false }
}

/// What a peer announces beyond v1.17, as a word of the header `Kubeedge-Capabilities` of the upgrade: a cloud in its answer, an edge in its
/// request. Go peers ignore it.
package enum PeerCapability: String, Sendable, CaseIterable {
    /// Takes the events of kubelets (`EdgeType.event`) and answers those that want it.
    case events
    /// Tells nodes the services of the namespaces of their pods (`EdgeType.serviceList`).
    case services
    /// Answers every report that wants it (`header.sync`), once it has been handled, and handles one that comes again only once.
    case confirmations
    /// The cloud renews the node's lease with every keepalive of the node, so that the node need not: where both announce it.
    case leases
}

/// The way down as EdgeHub sees it: MetaManager implements it.
package protocol CloudDownlink: Sendable {
    /// Makes a message of the cloud durable. EdgeHub acknowledges it after this returns, and never when it throws.
    ///
    /// Objects that answer a query (ConfigMaps, Secrets, volumes and claims) come here too, as an `update`, before the request returns.
    /// Such an answer may overtake a change: of two versions of the same UID the newer stays.
    func apply(_ message: EdgeMessage) async throws
}

/// Why a request had no answer.
package enum UplinkError: Error, Sendable, Hashable {
    case notConnected
    case timedOut
    /// The connection broke before the answer came.
    case connectionLost
}

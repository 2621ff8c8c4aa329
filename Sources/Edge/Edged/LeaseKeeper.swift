import KubeMachinery
import Logging
import PodCore
import Primitives

/// Keeps the node's lease fresh, so that the cluster knows the node lives (`spec/05 §5.4`).
///
/// Nothing is sent before the node's UID is known. A lease that is gone is made again, and may mean that the node is gone too.
/// Where the cloud renews it with the keepalives of the line, the node only looks now and then whether it is there and has been renewed.
actor LeaseKeeper {
    private let name: String
    private let duration: Duration
    private let backend: any KubeletBackend
    private let clock: any MomentSource
    private let logger: Logger
    private var lease: KubeObject?
    private let connected = Signal()
    /// When the lease was last seen to be there, where the cloud renews it.
    private var lookedAt: Duration?

    init(_ configuration: EdgedConfiguration, backend: any KubeletBackend, clock: any MomentSource, logger: Logger) {
        name = configuration.nodeName
        duration = configuration.leaseDuration
        self.backend = backend
        self.clock = clock
        self.logger = logger
    }

    /// Renews the lease every quarter of its duration, and as soon as the cloud is there again.
    func run(_ node: NodeKeeper) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            // The first element is how things stand.
            group.addTask { [backend, connected] in
                for await isConnected in await backend.connectivity().dropFirst() where isConnected {
                    connected.set()
                    // The cloud ends the line of a node that was deleted.
                    await node.suspectLoss()
                }
            }
            defer { group.cancelAll() }
            try await keepRenewing(node)
        }
    }

    private func keepRenewing(_ node: NodeKeeper) async throws {
        var retry = Backoff(initial: .milliseconds(100), limit: .seconds(7))
        while true {
            guard let uid = await node.uid else {
                try await clock.wait(until: clock.now().uptime + .milliseconds(250))
                continue
            }
            do {
                if await backend.renewsLease() {
                    try await look(owner: uid, node)
                } else {
                    // What the cloud has written meanwhile is not known here.
                    if lookedAt != nil { lease = nil }
                    lookedAt = nil
                    try await renew(owner: uid)
                }
                retry.reset()
                await node.leased(duration: duration)
                try await pause(duration * 0.25 * Double.random(in: 1...1.04))
            } catch let error as CancellationError {
                throw error
            } catch {
                logger.debug("lease not renewed", metadata: ["error": "\(error)"])
                if (error as? KubeStatus)?.isNotFound == true { await node.suspectLoss() }
                lease = nil
                try await pause(retry.next())
            }
        }
    }

    private func pause(_ time: Duration) async throws {
        await connected.wait(until: clock.now().uptime + time, clock: clock)
        try Task.checkCancellation()
    }

    /// Where the cloud renews the lease, sees that it is there and that it really is renewed.
    private func look(owner uid: String, _ node: NodeKeeper) async throws {
        let now = clock.now().uptime
        if lease != nil, let lookedAt, now - lookedAt < duration * 0.7 { return }
        let isFirst = lookedAt == nil
        let known = isFirst ? nil : lease
        lease = nil
        // The look after the first one comes with the next round.
        lookedAt = isFirst ? now - duration * 0.5 : now
        do { lease = try await backend.lease() } catch let status as KubeStatus where status.isNotFound {
            // One that was there before has gone with its node.
            if !isFirst { await node.suspectLoss() }
            return try await renew(owner: uid)
        }
        if let known, known.spec["renewTime"] == lease?.spec["renewTime"] { try await renew(owner: uid) }
    }

    private func renew(owner uid: String) async throws {
        let seconds = duration.components.seconds
        if lease == nil {
            do { lease = try await backend.lease() } catch let status as KubeStatus where status.isNotFound {
                logger.debug("lease is made", metadata: ["node": "\(name)"])
            }
        }
        if let known = lease {
            lease = try await backend.updateLease(
                NodeLease.renewed(known, node: name, nodeUID: uid, durationSeconds: seconds, now: clock.now().wall))
        } else if let fresh = NodeLease.new(node: name, nodeUID: uid, durationSeconds: seconds, now: clock.now().wall) {
            lease = try await backend.createLease(fresh)
        }
    }
}

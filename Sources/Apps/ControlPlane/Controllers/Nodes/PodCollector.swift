import KubeClient
import KubeMachinery
import KubeResources
import Logging
import Primitives

/// Removes pods that no node will ever report about again.
actor PodCollector {
    /// How long a node has to be missing: it may just be joining anew.
    static let quarantine = Duration.seconds(40)
    private static let interval = Duration.seconds(20)

    private let api: any KubeAPI
    private let informers: InformerSet
    private let clock: any MomentSource
    private let logger: Logger
    private var missing: [String: Duration] = [:]

    init(api: any KubeAPI, informers: InformerSet, clock: any MomentSource, logger: Logger) {
        self.api = api
        self.informers = informers
        self.clock = clock
        self.logger = logger
    }

    /// Looks every 20 s until cancelled.
    func run() async throws {
        await informers.nodes.synced()
        await informers.pods.synced()
        while true {
            try Task.checkCancellation()
            do { try await collect() } catch {
                try Task.checkCancellation()
                logger.warning("collecting pods failed, trying again", metadata: ["error": "\(error)"])
            }
            try await clock.wait(until: clock.now().uptime + Self.interval)
        }
    }

    /// One round.
    func collect() async throws {
        let nodes = Set(await informers.nodes.objects().map(\.name))
        let pods = await informers.pods.objects()
        let now = clock.now().uptime
        let gone = Set(pods.map(\.nodeName)).subtracting(nodes).subtracting([""])
        missing = Dictionary(uniqueKeysWithValues: gone.map { ($0, missing[$0] ?? now) })
        var expired: Set<String> = []
        for (node, since) in missing where now - since >= Self.quarantine {
            // The informer may be behind: ask before anything is deleted.
            do { _ = try await api.get(Resources.nodes, ObjectKey(name: node)) } catch let status as KubeStatus where status.isNotFound {
                expired.insert(node)
            }
        }
        for pod in Self.orphans(pods, goneNodes: expired) {
            do {
                let options: JSONValue = ["gracePeriodSeconds": 0, "preconditions": ["uid": .string(pod.uid)]]
                _ = try await api.delete(Resources.pods, pod.key, options: options)
                logger.info("orphaned pod removed", metadata: ["pod": "\(pod.key)", "node": "\(pod.nodeName)"])
            } catch let status as KubeStatus where status.isNotFound || status.isConflict {
                continue
            }
        }
    }

    /// Pods of nodes that are gone, and terminating pods that never had one.
    static func orphans(_ pods: [KubeObject], goneNodes: Set<String>) -> [KubeObject] {
        pods.filter { $0.nodeName.isEmpty ? $0.isTerminating : goneNodes.contains($0.nodeName) }
    }
}

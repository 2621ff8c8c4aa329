package import DeliveryCore
internal import EdgeMessages
internal import KubeMachinery
package import Logging
package import ObjectStore
internal import PodCore
package import Primitives

/// The memory of the edge node: writes down what the cloud says, answers the kubelet from it, and passes on what the cloud has to hear.
///
/// It is the only writer of the edge's store. A message of the cloud only changes the store; whoever lives on the store reconciles.
package actor MetaManager {
    package struct Configuration: Sendable {
        /// The name of this node.
        package var nodeName: String
        /// How long a question to the cloud may take before the local copy answers.
        package var queryTimeout = Duration.seconds(10)
        /// How long a write to the cloud may take.
        package var writeTimeout = Duration.seconds(60)
        /// How long to wait before a report that the cloud could not take is sent again.
        package var retryDelay = Duration.seconds(5)
        /// How long the line has to have stood before a new store counts as filled: then what is not in it is not the node's.
        package var fillingTime = Duration.seconds(60)
        /// How often copies that no pod refers to are looked for; they go the second time.
        package var sweepInterval = Duration.seconds(3600)

        package init(nodeName: String) { self.nodeName = nodeName }
    }

    let configuration: Configuration
    let store: ObjectStore
    let uplink: any CloudUplink
    let clock: any MomentSource
    let logger: Logger

    var podFollowers: [AsyncStream<PodChange>.Continuation] = []
    /// Whether the store is known to have been filled by the cloud.
    var isFilled = false
    /// Uptime since when the line stands; nil while it does not.
    var lineStandsSince: Duration?
    let lineChanged = Signal()
    /// How many changes have been told, to see that none came while the whole set was read.
    var toldPodChanges = 0
    var configurationFollowers: [AsyncStream<ConfigurationChange>.Continuation] = []
    /// Told when something waits for the cloud although the connection stands.
    let retries: AsyncStream<Void>
    let retrySignal: AsyncStream<Void>.Continuation
    /// Keys of pods whose pending status is on its way now.
    var flushing: Set<ObjectKey> = []

    package init(
        configuration: Configuration, store: ObjectStore, uplink: any CloudUplink, clock: any MomentSource, logger: Logger
    ) {
        self.configuration = configuration
        self.store = store
        self.uplink = uplink
        self.clock = clock
        self.logger = logger
        (retries, retrySignal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Sends what waits whenever the cloud comes back, and again after a while where the cloud could not take it.
    package func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await isConnected in await self.uplink.connectivity() {
                    await self.noteLine(isConnected)
                    if isConnected { await self.flush() }
                }
            }
            group.addTask {
                for await _ in self.retries {
                    try await self.clock.wait(until: self.clock.now().uptime + self.configuration.retryDelay)
                    if await self.uplink.isConnected() { await self.flush() }
                }
            }
            group.addTask {
                // Whose copies these are is known once all pods are.
                await self.fill()
                var unused: Set<UnusedCopy> = []
                while true {
                    try await self.clock.wait(until: self.clock.now().uptime + self.configuration.sweepInterval)
                    do { unused = try await self.sweep(unusedBefore: unused) } catch {
                        self.logger.warning("copies that no pod refers to stay for now", metadata: ["error": "\(error)"])
                    }
                }
            }
            _ = try await group.next()
            group.cancelAll()
        }
    }
}

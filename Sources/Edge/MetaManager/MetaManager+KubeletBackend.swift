internal import KubeMachinery
internal import ObjectStore
package import PodCore

extension MetaManager: KubeletBackend {
    /// Pods of this node: the stored set first, then changes. The stream ends when its reader falls 1,024 changes behind, and when a new store has been
    /// filled; ask again then.
    package func pods() async -> AsyncStream<PodChange> {
        let (stream, continuation) = AsyncStream.makeStream(of: PodChange.self, bufferingPolicy: .bufferingOldest(1024))
        while !Task.isCancelled {
            do {
                let told = toldPodChanges
                let stored = try await store.list(EdgeRecords.pods, namespace: nil, limit: nil, after: nil).objects
                if told != toldPodChanges { continue }
                let pods = stored.filter { $0.spec["nodeName"].string == configuration.nodeName }
                continuation.yield(try await wasFilled() ? .set(pods) : .known(pods))
                podFollowers.append(continuation)
                return stream
            } catch {
                // A read that fails says nothing about the pods: no set is told, and the disk may recover.
                logger.error("stored pods cannot be read", metadata: ["error": "\(error)"])
                try? await clock.wait(until: clock.now().uptime + .seconds(5))
            }
        }
        continuation.finish()
        return stream
    }

    /// Names of configMaps and secrets whose content changed; ends when its reader falls 1,024 changes behind.
    package func configurationChanges() -> AsyncStream<ConfigurationChange> {
        let (stream, continuation) = AsyncStream.makeStream(of: ConfigurationChange.self, bufferingPolicy: .bufferingOldest(1024))
        configurationFollowers.append(continuation)
        return stream
    }
}

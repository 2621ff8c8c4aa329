internal import KubeMachinery
internal import ObjectStore
internal import PodCore
internal import Primitives

/// A store that is new, or lost something, holds fewer pods than the node may run. Nothing on the wire says when the cloud has told all of them, so the
/// store counts as filled once the line has stood for a while; until then no pod that runs here is taken for one that nobody wants.
extension MetaManager {
    /// Whether the store was filled since it was made. Throws `StoreError`.
    func wasFilled() async throws -> Bool {
        guard !isFilled else { return true }
        // A store that was made of what could be read of a damaged one is another one, whatever it took over.
        isFilled = try await store.object(EdgeRecords.fillings, EdgeRecords.filling)?.json["store"].string == String(store.identity)
        return isFilled
    }

    func noteLine(_ stands: Bool) {
        lineStandsSince = stands ? lineStandsSince ?? clock.now().uptime : nil
        lineChanged.set()
    }

    /// Returns once the store is filled, or when cancelled.
    func fill() async {
        while !Task.isCancelled {
            let due = lineStandsSince.map { $0 + configuration.fillingTime }
            do {
                if try await wasFilled() { return }
                if let due, due <= clock.now().uptime {
                    var filling = KubeObject(apiVersion: "v1", kind: "Filling", name: EdgeRecords.filling.name)
                    filling.json["store"] = .string(String(store.identity))
                    try await store.apply([.put(EdgeRecords.fillings, filling)])
                    isFilled = true
                    // Whoever follows the pods reads the set anew, and takes it for whole.
                    for follower in podFollowers { follower.finish() }
                    podFollowers = []
                    return
                }
            } catch {
                logger.warning("not known whether the store was filled; tried again in 5 s", metadata: ["error": "\(error)"])
                try? await clock.wait(until: clock.now().uptime + .seconds(5))
                continue
            }
            await lineChanged.wait(until: due, clock: clock)
        }
    }
}

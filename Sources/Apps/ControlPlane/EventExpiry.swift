import KubeMachinery
import KubeResources
import Logging
import Primitives

/// Removes events an hour after they were last seen, so that the store does not grow with them.
struct EventExpiry: Sendable {
    static let lifetime: Duration = .seconds(3600)
    static let interval: Duration = .seconds(300)

    let storage: any ResourceStorage
    let clock: any MomentSource
    let logger: Logger

    func run() async throws {
        while true {
            do { try await sweep() } catch let failure as KubeStatus {
                logger.warning("old events could not be removed", metadata: ["error": "\(failure)"])
            }
            try await clock.wait(until: clock.now().uptime + Self.interval)
        }
    }

    func sweep() async throws {
        let now = clock.now().wall
        var after: ObjectKey?
        repeat {
            let page = try await storage.list(Resources.events.groupResource, namespace: nil, limit: 500, after: after)
            for event in page.objects where Self.isOver(event, now: now) {
                do {
                    _ = try await storage.remove(Resources.events.groupResource, event.key, expecting: event.resourceVersion)
                } catch let failure as KubeStatus where failure.isNotFound || failure.isConflict {
                    continue
                }
            }
            after = page.next
        } while after != nil
    }

    static func isOver(_ event: KubeObject, now: Timestamp) -> Bool {
        let times = [event.json["lastTimestamp"], event.json.at("series", "lastObservedTime"), event.json["eventTime"]]
        let seen = times.compactMap { $0.string.flatMap(Timestamp.init(rfc3339:)) } + [event.creationTimestamp].compactMap { $0 }
        guard let last = seen.max() else { return true }
        return now - last > lifetime
    }
}

import DeliveryCore
import KubeMachinery
import Primitives

/// Remembers at which version each object last changed in a way that edges care about.
///
/// A record that is behind by changes of status alone is not behind: the edge made them itself.
struct ChangeTracker {
    private struct Seen {
        var digest: Int
        var version: UInt64
        var changedAt: UInt64
    }

    private var seen: [String: Seen] = [:]

    /// The version of an object's last change; of one that was not seen before its own version.
    mutating func changedAt(_ object: KubeObject, isPod: Bool) -> UInt64 {
        let version = object.version
        if let known = seen[object.uid], known.version == version { return known.changedAt }
        let digest = EdgeRelevance.content(of: object, isPod: isPod).hashValue
        var changedAt = version
        if let known = seen[object.uid], known.digest == digest { changedAt = known.changedAt }
        seen[object.uid] = Seen(digest: digest, version: version, changedAt: changedAt)
        return changedAt
    }

    /// Forgets an object that no record names any more.
    mutating func forget(_ uid: String) { seen[uid] = nil }
}

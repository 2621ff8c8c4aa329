import KubeMachinery
import Primitives

/// How much of the node's disk a pod may take (`spec/05 §25.9`).
package enum LocalStorageRule {
    /// Whether anything limits the local storage of the pod: only such pods are measured.
    package static func applies(to pod: PodView) -> Bool {
        pod.containers.contains { ($0.limits["ephemeral-storage"] ?? 0) > 0 }
            || pod.volumes.contains { sizeLimit($0) != nil && isOnDisk($0) }
    }

    /// The volumes that lie on the node's disk and go with the pod.
    package static func localVolumes(of pod: PodView) -> Set<String> {
        Set(pod.volumes.filter { isOnDisk($0) || $0["configMap"].object != nil }.compactMap { $0["name"].string })
    }

    /// Why the pod has to go, in the words of the kubelet; nil where it keeps within its limits.
    ///
    /// - Parameter hasImageFilesystem: Writable layers are not on the node's file system.
    package static func violation(_ pod: PodView, _ usage: PodUsage, hasImageFilesystem: Bool) -> String? {
        for volume in pod.volumes {
            guard let name = volume["name"].string, let limit = sizeLimit(volume),
                let used = usage.volumes.first(where: { $0.name == name })?.filesystem.used, Int128(used) > Int128(limit.value)
            else { continue }
            return "Usage of EmptyDir volume \"\(name)\" exceeds the limit \"\(limit.canonical)\". "
        }
        let limits = pod.containers.map { quantity($0.resources["limits"]["ephemeral-storage"]) }
        let total = limits.compactMap { $0 }.reduce(nil as Quantity?) { sum, limit in sum.map { $0 + limit } ?? limit }
        if let total, let used = usage.ephemeralStorage?.used, Int128(used) > Int128(total.value) {
            return "Pod ephemeral local storage usage exceeds the total limit of containers \(total.canonical). "
        }
        for (container, limit) in zip(pod.containers, limits) {
            guard let limit, !limit.isZero, let measured = usage.containers.first(where: { $0.name == container.name }) else { continue }
            let used = Int128(measured.logs?.used ?? 0) + (hasImageFilesystem ? 0 : Int128(measured.layer?.used ?? 0))
            if used > Int128(limit.value) {
                return "Container \(container.name) exceeded its local ephemeral storage limit \"\(limit.canonical)\". "
            }
        }
        return nil
    }

    private static func isOnDisk(_ volume: JSONValue) -> Bool {
        guard let source = volume.given("emptyDir") else { return false }
        return (source["medium"].string ?? "").isEmpty
    }

    private static func sizeLimit(_ volume: JSONValue) -> Quantity? {
        guard let source = volume.given("emptyDir"), let limit = quantity(source["sizeLimit"]), !limit.isZero, !limit.isNegative else { return nil }
        return limit
    }

    private static func quantity(_ value: JSONValue) -> Quantity? { (value.string ?? value.int.map(String.init)).flatMap { Quantity($0) } }
}

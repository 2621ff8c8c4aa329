import ContainerRuntime
import KubeMachinery
import PodCore
import Primitives

/// The file systems that pods take from.
struct DiskUsage: Sendable {
    var node: FilesystemUsage?
    var images: FilesystemUsage?
}

/// What walks through directories have found, kept for a while.
struct WalkCache: Sendable {
    struct Found: Sendable {
        var bytes: UInt64
        var inodes: UInt64
        var at: Duration
        var cost: Duration
    }

    static let lifetime = Duration.seconds(60)
    private var found: [String: Found] = [:]

    /// What was found at most `maximumAge` ago; a walk that cost much is good for longer, up to a minute.
    func recent(_ path: String, uptime: Duration, maximumAge: Duration) -> Found? {
        guard let known = found[path] else { return nil }
        return uptime - known.at < min(max(maximumAge, known.cost * 200), Self.lifetime) ? known : nil
    }

    mutating func keep(_ path: String, _ walk: Found) { found[path] = walk }
    mutating func endRound(at uptime: Duration) { found = found.filter { uptime - $0.value.at < Self.lifetime * 2 } }
}

extension UsageReader {
    func disks() async -> DiskUsage {
        var disks = DiskUsage(node: DirectoryUsage.filesystem(context.root.path))
        if let images = try? await context.runtime.imageFilesystems().first {
            disks.images = DirectoryUsage.filesystem(images.mountPoint)?.taken(bytes: images.usedBytes, inodes: images.usedInodes)
        }
        return disks
    }

    /// The local storage of one pod, for its limits.
    func storage(of subject: PodSubject, maximumAge: Duration) async -> PodUsage {
        let pod = subject.pod
        let asksRuntime = pod.containers.contains { $0.limits["ephemeral-storage"] != nil }
        let statistics = asksRuntime ? await containerStatistics(ofPod: pod.uid) : []
        var usage = PodUsage(key: pod.object.key, uid: pod.uid)
        usage.containers = statistics.map { ContainerUsage(name: $0.name, id: $0.id) }
        await measureStorage(
            &usage, subject, statistics, DiskUsage(node: DirectoryUsage.filesystem(context.root.path)), await context.node.facts,
            maximumAge: maximumAge)
        return usage
    }

    /// Adds writable layers, logs, volumes and their sum.
    func measureStorage(
        _ usage: inout PodUsage, _ subject: PodSubject, _ statistics: [ContainerStatistics], _ disks: DiskUsage, _ node: NodeFacts,
        maximumAge: Duration
    ) async {
        let pod = subject.pod
        var (bytes, inodes): (UInt64, UInt64) = (0, 0)
        func count(_ part: FilesystemUsage?) {
            bytes &+= part?.used ?? 0
            inodes &+= part?.inodesUsed ?? 0
        }
        let logs = node.logDirectory(pod)
        for index in usage.containers.indices {
            let container = usage.containers[index]
            if let told = statistics.first(where: { $0.id == container.id }), told.layerBytes != nil {
                usage.containers[index].layer = (disks.images ?? FilesystemUsage()).taken(bytes: told.layerBytes, inodes: told.layerInodes)
            }
            let walk = await walk("\(logs)/\(container.name)", maximumAge: maximumAge)
            usage.containers[index].logs = disks.node?.taken(bytes: walk?.bytes ?? 0, inodes: walk?.inodes ?? 0)
            count(usage.containers[index].layer)
            count(usage.containers[index].logs)
        }
        let local = LocalStorageRule.localVolumes(of: pod)
        for volume in pod.volumes {
            guard let measured = await measure(volume, subject, maximumAge: maximumAge) else { continue }
            usage.volumes.append(measured)
            if local.contains(measured.name) { count(measured.filesystem) }
        }
        usage.ephemeralStorage = disks.node?.taken(bytes: bytes, inodes: inodes)
    }

    /// One volume that is kept for the pod; nil for a path of the host and for what is not there.
    private func measure(_ volume: JSONValue, _ subject: PodSubject, maximumAge: Duration) async -> VolumeUsage? {
        guard let name = volume["name"].string, let path = subject.volumePaths[name], volume["hostPath"].object == nil,
            let whole = DirectoryUsage.filesystem(path)
        else { return nil }
        let claim = volume["persistentVolumeClaim"]["claimName"].string.map { ObjectKey(namespace: subject.pod.namespace, name: $0) }
        // A file system of its own knows what it holds.
        if Mounts.isMountPoint(path) { return VolumeUsage(name: name, filesystem: whole, claim: claim) }
        guard let walk = await walk(path, maximumAge: maximumAge) else { return nil }
        return VolumeUsage(name: name, filesystem: whole.taken(bytes: walk.bytes, inodes: walk.inodes), claim: claim)
    }

    private func walk(_ path: String, maximumAge: Duration) async -> WalkCache.Found? {
        let start = context.clock.now().uptime
        if let known = walks.recent(path, uptime: start, maximumAge: maximumAge) { return known }
        guard let (bytes, inodes) = await DirectoryUsage.measure(path) else { return nil }
        let end = context.clock.now().uptime
        let found = WalkCache.Found(bytes: bytes, inodes: inodes, at: end, cost: end - start)
        walks.keep(path, found)
        return found
    }
}

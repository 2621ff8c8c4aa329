import PodCore

/// Reads the signals of eviction: a dozen small files and two file systems (`spec/05 §25.1`).
struct SignalReader: Sendable {
    private let groups: CgroupReader
    private let processes: ProcessReader
    private let rootDirectory: String

    init(_ context: PodContext, processes: ProcessReader) {
        groups = CgroupReader(context.cgroups, proc: processes.proc)
        self.processes = processes
        rootDirectory = context.root.path
    }

    /// - Parameter imageMountPoint: Where images are stored; nil while the runtime has not told.
    func read(_ node: NodeFacts, imageMountPoint: String?) -> EvictionObservations {
        var observations: EvictionObservations = [:]
        observations[.memoryAvailable] = Self.observation(groups.memory("/"))
        if var pods = groups.memory(node.path(node.podsCgroup)) {
            if pods.available == nil, node.memoryCapacity > 0, let working = pods.workingSet {
                pods.available = UInt64(node.memoryCapacity) - min(UInt64(node.memoryCapacity), working)
            }
            observations[.allocatableMemoryAvailable] = Self.observation(pods)
        }
        (observations[.nodeSpace], observations[.nodeInodes]) = Self.observations(rootDirectory)
        if let imageMountPoint { (observations[.imageSpace], observations[.imageInodes]) = Self.observations(imageMountPoint) }
        if case (let maximum?, let running?) = processes.processes() {
            let most = Int64(clamping: maximum)
            observations[.processesAvailable] = EvictionObservation(available: most - min(most, Int64(clamping: running)), capacity: most)
        }
        return observations
    }

    private static func observation(_ memory: MemoryUsage?) -> EvictionObservation? {
        guard let memory, let available = memory.available, let working = memory.workingSet else { return nil }
        return EvictionObservation(available: Int64(clamping: available), capacity: Int64(clamping: available &+ working))
    }

    private static func observations(_ path: String) -> (EvictionObservation?, EvictionObservation?) {
        guard let disk = DirectoryUsage.filesystem(path), let capacity = disk.capacity, capacity > 0 else { return (nil, nil) }
        let space = EvictionObservation(available: Int64(clamping: disk.available ?? 0), capacity: Int64(clamping: capacity))
        // Some file systems have no fixed number of inodes.
        guard let inodes = disk.inodes, inodes > 0 else { return (space, nil) }
        return (space, EvictionObservation(available: Int64(clamping: disk.inodesFree ?? 0), capacity: Int64(clamping: inodes)))
    }
}

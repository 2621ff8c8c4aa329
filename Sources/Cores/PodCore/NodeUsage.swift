package import KubeMachinery
package import Primitives

/// What the node and its pods use at one moment (`spec/05 §27`): the source of `/stats/summary`, of the resource metrics and of eviction.
/// Figures that cannot be had are nil. Bytes and nanoseconds throughout.
package struct NodeUsage: Sendable, Hashable {
    package var nodeName: String
    package var time: Timestamp
    package var startTime: Timestamp?
    package var processor = ProcessorUsage()
    package var memory = MemoryUsage()
    package var network: NetworkUsage?
    package var filesystem: FilesystemUsage?
    package var imageFilesystem: FilesystemUsage?
    package var maximumProcesses: UInt64?
    package var processes: UInt64?
    /// `kubelet`, `runtime`, `pods`.
    package var systemContainers: [ContainerUsage] = []
    package var pods: [PodUsage] = []

    package init(nodeName: String, time: Timestamp) {
        self.nodeName = nodeName
        self.time = time
    }
}

/// Processor time of a node, pod or container.
package struct ProcessorUsage: Sendable, Hashable {
    /// Nanoseconds of processor time a second, over the last samples.
    package var nanoCores: UInt64?
    /// Nanoseconds of processor time since the start.
    package var nanoseconds: UInt64?
    /// When that was so, by the clock of whoever measured it; nil where nobody says.
    package var measuredAt: Duration?

    package init(nanoCores: UInt64? = nil, nanoseconds: UInt64? = nil, measuredAt: Duration? = nil) {
        self.nanoCores = nanoCores
        self.nanoseconds = nanoseconds
        self.measuredAt = measuredAt
    }
}

/// Memory of a node, pod or container, bytes.
package struct MemoryUsage: Sendable, Hashable {
    /// Of the limit, or of the node; nil for a container without a limit.
    package var available: UInt64?
    package var usage: UInt64?
    /// Usage without inactive pages of files.
    package var workingSet: UInt64?
    package var resident: UInt64?
    package var pageFaults: UInt64?
    package var majorPageFaults: UInt64?
    package var swapUsage: UInt64?
    package var swapAvailable: UInt64?

    package init() {}
}

/// A file system, or what one part of it takes there: bytes and inodes.
package struct FilesystemUsage: Sendable, Hashable {
    package var available: UInt64?
    package var capacity: UInt64?
    package var used: UInt64?
    package var inodesFree: UInt64?
    package var inodes: UInt64?
    package var inodesUsed: UInt64?

    package init() {}
}

/// What the network interfaces of a node or pod have carried.
package struct NetworkUsage: Sendable, Hashable {
    package struct Interface: Sendable, Hashable {
        package var name: String
        package var receivedBytes: UInt64 = 0
        package var receiveErrors: UInt64 = 0
        package var sentBytes: UInt64 = 0
        package var sendErrors: UInt64 = 0

        package init(name: String) { self.name = name }
    }

    /// The default interface first.
    package var interfaces: [Interface]

    package init(interfaces: [Interface]) { self.interfaces = interfaces }
}

/// What one container uses, or one of the node's own groups of processes.
package struct ContainerUsage: Sendable, Hashable {
    package var name: String
    /// Empty for a system container.
    package var id: String
    package var startTime: Timestamp?
    package var processor = ProcessorUsage()
    package var memory = MemoryUsage()
    /// The writable layer.
    package var layer: FilesystemUsage?
    package var logs: FilesystemUsage?

    package init(name: String, id: String = "") {
        self.name = name
        self.id = id
    }
}

/// What one volume of a pod takes.
package struct VolumeUsage: Sendable, Hashable {
    package var name: String
    package var filesystem: FilesystemUsage
    /// The claim the volume stands for.
    package var claim: ObjectKey?

    package init(name: String, filesystem: FilesystemUsage, claim: ObjectKey? = nil) {
        self.name = name
        self.filesystem = filesystem
        self.claim = claim
    }
}

/// What one pod uses.
package struct PodUsage: Sendable, Hashable {
    package var key: ObjectKey
    package var uid: String
    package var startTime: Timestamp?
    package var containers: [ContainerUsage] = []
    package var processor = ProcessorUsage()
    package var memory = MemoryUsage()
    package var network: NetworkUsage?
    package var volumes: [VolumeUsage] = []
    /// Writable layers, logs and volumes on the disk of the node.
    package var ephemeralStorage: FilesystemUsage?
    package var processes: UInt64?

    package init(key: ObjectKey, uid: String) {
        self.key = key
        self.uid = uid
    }
}

/// Measures the node and its pods.
package protocol UsageSource: Sendable {
    /// `onlyProcessorAndMemory` leaves out what takes a walk through directories.
    func usage(onlyProcessorAndMemory: Bool) async throws -> NodeUsage
}

import KubeMachinery

/// A shortage of the node that its conditions tell of and that keeps pods away (`spec/05 §5.10, §10.4`).
package enum NodePressure: String, Sendable, Hashable, CaseIterable {
    case memory = "MemoryPressure"
    case disk = "DiskPressure"
    case processes = "PIDPressure"
}

/// What is watched to find the node short of something (`spec/05 §25.1`).
package enum EvictionSignal: String, Sendable, Hashable, CaseIterable {
    case memoryAvailable = "memory.available"
    /// What the pods together may still take of their common limit.
    case allocatableMemoryAvailable = "allocatableMemory.available"
    case nodeSpace = "nodefs.available"
    case nodeInodes = "nodefs.inodesFree"
    case imageSpace = "imagefs.available"
    case imageInodes = "imagefs.inodesFree"
    case processesAvailable = "pid.available"

    /// What there is too little of, as messages name it.
    package var resource: String {
        switch self {
        case .memoryAvailable, .allocatableMemoryAvailable: "memory"
        case .nodeSpace, .imageSpace: "ephemeral-storage"
        case .nodeInodes, .imageInodes: "inodes"
        case .processesAvailable: "pids"
        }
    }

    package var pressure: NodePressure {
        switch self {
        case .memoryAvailable, .allocatableMemoryAvailable: .memory
        case .nodeSpace, .nodeInodes, .imageSpace, .imageInodes: .disk
        case .processesAvailable: .processes
        }
    }

    var isMemory: Bool { pressure == .memory }

    /// How its amounts are written in messages.
    var format: Quantity.Format {
        switch self {
        case .memoryAvailable, .allocatableMemoryAvailable, .nodeSpace, .imageSpace: .binary
        case .nodeInodes, .imageInodes, .processesAvailable: .decimal
        }
    }
}

/// A signal as measured: bytes, inodes or processes.
package struct EvictionObservation: Sendable, Hashable {
    package var available: Int64
    package var capacity: Int64

    package init(available: Int64, capacity: Int64) {
        self.available = available
        self.capacity = capacity
    }
}

package typealias EvictionObservations = [EvictionSignal: EvictionObservation]

package import PodCore
import Primitives

/// What one running container uses, as the runtime tells it; what it does not tell is nil.
package struct ContainerStatistics: Sendable, Hashable {
    package var id: String
    package var name: String
    package var labels: [String: String]
    package var processor = ProcessorUsage()
    package var memory = MemoryUsage()
    /// Bytes of the writable layer.
    package var layerBytes: UInt64?
    package var layerInodes: UInt64?

    package init(id: String, name: String, labels: [String: String] = [:]) {
        self.id = id
        self.name = name
        self.labels = labels
    }
}

extension ContainerStatistics {
    init(_ stats: Runtime_V1_ContainerStats) {
        self.init(id: stats.attributes.id, name: stats.attributes.metadata.name, labels: stats.attributes.labels)
        if stats.hasCpu {
            if stats.cpu.hasUsageCoreNanoSeconds { processor.nanoseconds = stats.cpu.usageCoreNanoSeconds.value }
            if stats.cpu.timestamp > 0 { processor.measuredAt = .nanoseconds(stats.cpu.timestamp) }
            if stats.cpu.hasUsageNanoCores { processor.nanoCores = stats.cpu.usageNanoCores.value }
        }
        if stats.hasMemory {
            func value(_ has: Bool, _ value: Runtime_V1_UInt64Value) -> UInt64? { has ? value.value : nil }
            memory.workingSet = value(stats.memory.hasWorkingSetBytes, stats.memory.workingSetBytes)
            memory.available = value(stats.memory.hasAvailableBytes, stats.memory.availableBytes)
            memory.usage = value(stats.memory.hasUsageBytes, stats.memory.usageBytes)
            memory.resident = value(stats.memory.hasRssBytes, stats.memory.rssBytes)
            memory.pageFaults = value(stats.memory.hasPageFaults, stats.memory.pageFaults)
            memory.majorPageFaults = value(stats.memory.hasMajorPageFaults, stats.memory.majorPageFaults)
            // Runtimes tell no limit as 0, and some as a number beyond any memory.
            if let available = memory.available, available == 0 || available > 1 << 60 { memory.available = nil }
        }
        if stats.hasSwap {
            if stats.swap.hasSwapUsageBytes { memory.swapUsage = stats.swap.swapUsageBytes.value }
            if stats.swap.hasSwapAvailableBytes { memory.swapAvailable = stats.swap.swapAvailableBytes.value }
        }
        if stats.hasWritableLayer {
            if stats.writableLayer.hasUsedBytes { layerBytes = stats.writableLayer.usedBytes.value }
            if stats.writableLayer.hasInodesUsed { layerInodes = stats.writableLayer.inodesUsed.value }
        }
    }
}

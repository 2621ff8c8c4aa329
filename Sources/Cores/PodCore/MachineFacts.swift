package import Primitives

/// What was measured of the machine and its runtime, and what the configuration adds: all that a node object shows.
package struct MachineFacts: Sendable, Hashable {
    package var nodeName = ""
    package var addresses: [String] = []
    package var cpuCount: Int64 = 0
    /// Bytes.
    package var memory: Int64 = 0
    /// Bytes of the file system that holds the root directory.
    package var storage: Int64 = 0
    /// Page size (`2Mi`) to the bytes of all its pages.
    package var hugepages: [String: Int64] = [:]
    /// Other resources (device plugins), whole units: all of them and those that work.
    package var devices: [String: (capacity: Int64, allocatable: Int64)] = [:]
    package var maximumPods: Int64 = 110
    /// 0 for no limit.
    package var podsPerCore: Int64 = 0
    /// What is kept back: cpu in thousandths, `memory` and `ephemeral-storage` in bytes.
    package var reserved = ResourceAmounts()
    package var eviction = EvictionSettings()

    package var machineID = ""
    package var systemUUID = ""
    package var bootID = ""
    package var kernelVersion = ""
    package var osImage = ""
    package var architecture = ""
    /// `containerd://1.6.20`.
    package var runtimeVersion = ""
    package var kubeletVersion = "v1.28.6-kubeedge-v1.17.0"
    package var kubeProxyVersion = "v1.28.6-kubeedge-v1.17.0"
    package var kubeletPort: Int64 = 10350

    package var hasMemoryPressure = false
    package var hasDiskPressure = false
    package var hasPIDPressure = false
    package var enforcesAppArmor = false
    /// Why the node is not ready (`spec/05 §5.10`); none where it is.
    package var problems: [String] = []
    /// `{names, sizeBytes}`; nil where the node shows no images.
    package var images: [JSONValue]?
    package var volumesInUse: [String] = []

    package init() {}

    package static func == (left: MachineFacts, right: MachineFacts) -> Bool { left.comparable == right.comparable }
    package func hash(into hasher: inout Hasher) { hasher.combine(comparable) }
    private var comparable: [AnyHashable] { [NodeStatus.make(self, now: Timestamp(seconds: 0)), nodeName] }
}

extension MachineFacts {
    /// The amounts of `capacity` and `allocatable`: cpu in thousandths, everything else in bytes or whole units.
    package var capacity: ResourceAmounts {
        var amounts = ResourceAmounts(["cpu": cpuCount * 1000, "memory": memory, "ephemeral-storage": storage])
        amounts["pods"] = podsPerCore > 0 ? min(podsPerCore * cpuCount, maximumPods) : maximumPods
        for size in ["1Gi", "2Mi"] { amounts["hugepages-\(size)"] = 0 }
        for (size, bytes) in hugepages { amounts["hugepages-\(size)"] = bytes }
        for (name, device) in devices { amounts[name] = device.capacity }
        return amounts
    }

    /// What all pods together may take: the capacity without what is reserved (`spec/05 §21.7`).
    package var podsShare: ResourceAmounts {
        var amounts = capacity
        for (name, amount) in reserved.amounts where amounts[name] != nil { amounts[name] = max((amounts[name] ?? 0) - amount, 0) }
        return amounts
    }

    package var allocatable: ResourceAmounts {
        var amounts = capacity
        for (name, device) in devices { amounts[name] = device.allocatable }
        func reduce(_ name: String, _ amount: Int64) { amounts[name] = max((amounts[name] ?? 0) - amount, 0) }
        for (name, amount) in reserved.amounts where amounts[name] != nil { reduce(name, amount) }
        reduce("memory", eviction.keptBack(.memoryAvailable, of: memory))
        reduce("ephemeral-storage", eviction.keptBack(.nodeSpace, of: storage))
        for bytes in hugepages.values { reduce("memory", bytes) }
        return amounts
    }
}

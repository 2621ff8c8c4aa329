import PodCore

/// Which devices there are, how they are, and which container holds them (`spec/05 §29.3`). No effects: plugins are asked by the shell.
struct DeviceLedger: Sendable {
    struct Device: Sendable, Hashable {
        var isHealthy: Bool
        /// NUMA nodes; none where the plugin does not say.
        var nodes: [Int64] = []
    }

    struct Resource: Sendable, Hashable {
        var devices: [String: Device] = [:]
        var needsPreStart = false
        var hasPreference = false
        /// Uptime since which the plugin is away; nil while it is there.
        var stoppedAt: Duration?

        /// Devices that can be handed out: none while the plugin is away.
        var healthy: Set<String> { stoppedAt == nil ? Set(devices.filter(\.value.isHealthy).keys) : [] }
    }

    /// One resource of one container.
    struct Claim: Sendable, Hashable {
        var podUID: String
        var container: String
        var resource: String
    }

    struct Assignment: Sendable, Hashable {
        /// Device IDs by NUMA node; -1 for devices without one.
        var devices: [Int64: [String]]
        /// The plugin's answer as it came, a `ContainerAllocateResponse`.
        var response: [UInt8]

        var ids: Set<String> { Set(devices.values.joined()) }
    }

    /// How long a plugin may be away before its resource is dropped.
    static let absence = Duration.seconds(300)

    private(set) var resources: [String: Resource] = [:]
    private(set) var assignments: [Claim: Assignment] = [:]
    /// Picked for a claim whose plugin has not answered yet.
    private(set) var reserved: [Claim: [String]] = [:]
    /// Resources whose plugin stayed away: shown as 0 from then on.
    private var dropped: Set<String> = []

    // MARK: - Plugins

    /// A plugin brings the resource; its devices stay unknown, or as they were, until its first list.
    mutating func registered(_ name: String, needsPreStart: Bool, hasPreference: Bool) {
        var resource = resources[name] ?? Resource()
        if resource.stoppedAt != nil { for id in resource.devices.keys { resource.devices[id]?.isHealthy = false } }
        resource.stoppedAt = nil
        resource.needsPreStart = needsPreStart
        resource.hasPreference = hasPreference
        resources[name] = resource
        dropped.remove(name)
    }

    /// The plugin's newest list replaces the former one.
    mutating func listed(_ name: String, _ devices: [String: Device]) { resources[name]?.devices = devices }

    /// The plugin is away.
    mutating func stopped(_ name: String, now: Duration) {
        if resources[name]?.stoppedAt == nil { resources[name]?.stoppedAt = now }
    }

    /// What the node shows. Drops resources whose plugin has been away too long; true in `hasDropped` where there were any.
    mutating func amounts(now: Duration) -> (amounts: [String: DeviceAmount], hasDropped: Bool) {
        let gone = resources.filter { _, resource in resource.stoppedAt.map { now - $0 > Self.absence } ?? false }.keys
        for name in gone {
            resources[name] = nil
            dropped.insert(name)
        }
        var amounts: [String: DeviceAmount] = [:]
        for name in dropped { amounts[name] = DeviceAmount(capacity: 0, allocatable: 0, held: 0) }
        for (name, resource) in resources {
            amounts[name] = DeviceAmount(
                capacity: Int64(resource.devices.count), allocatable: Int64(resource.healthy.count), held: Int64(inUse(name).count))
        }
        return (amounts, !gone.isEmpty)
    }

    // MARK: - Claims

    /// Devices that containers hold or are about to.
    func inUse(_ resource: String) -> Set<String> {
        var ids: Set<String> = []
        for (claim, assignment) in assignments where claim.resource == resource { ids.formUnion(assignment.ids) }
        for (claim, picked) in reserved where claim.resource == resource { ids.formUnion(picked) }
        return ids
    }

    mutating func reserve(_ claim: Claim, _ ids: [String]) { reserved[claim] = ids }

    /// The plugin has answered for what was reserved.
    mutating func assign(_ claim: Claim, _ response: [UInt8]) {
        guard let ids = reserved.removeValue(forKey: claim) else { return }
        var devices: [Int64: [String]] = [:]
        for id in ids {
            let nodes = resources[claim.resource]?.devices[id]?.nodes ?? []
            for node in nodes.isEmpty ? [-1] : nodes { devices[node, default: []].append(id) }
        }
        assignments[claim] = Assignment(devices: devices, response: response)
    }

    /// The plugin refused.
    mutating func giveUp(_ claim: Claim) { reserved[claim] = nil }

    /// Takes devices back from pods that hold none any more; true where there were any.
    mutating func retain(_ pods: Set<String>) -> Bool {
        let count = assignments.count
        assignments = assignments.filter { pods.contains($0.key.podUID) }
        return assignments.count != count
    }

    /// As it was before the agent was started anew: plugins have to register again.
    mutating func restore(_ assignments: [Claim: Assignment], resources names: [String], now: Duration) {
        self.assignments = assignments
        for name in names where resources[name] == nil { resources[name] = Resource(stoppedAt: now) }
    }
}

/// The devices that plugins bring to the node, as the kubelet asks for them (`spec/05 §29`): room `DevicePlugins` implements it.
package protocol DeviceAllocator: Sendable {
    /// Every resource that a plugin brings or brought, by name (`example.com/camera`).
    func resources() async -> [String: DeviceAmount]
    /// Whether a container of the pod asks for devices of a plugin, so that `admit` has something to do.
    func concerns(_ pod: PodView) async -> Bool
    /// Assigns devices to every container of a pod that is new on the node. `active` are the UIDs of the pods that may hold devices, nil
    /// while not all pods are known: what others hold is free.
    ///
    /// Plugins are asked, so this may take as long as a plugin does.
    func admit(_ pod: PodView, active: Set<String>?) async throws(AdmissionRefusal)
    /// What a container gets for its devices, right before it is made.
    func grant(_ container: ContainerView, of pod: PodView) async throws(StartFailure) -> DeviceGrant
}

/// How many devices of one resource there are.
package struct DeviceAmount: Sendable, Hashable {
    /// All of them; 0 once the plugin has been gone for five minutes.
    package var capacity: Int64
    /// The healthy ones; 0 while the plugin is away.
    package var allocatable: Int64
    /// Those that containers hold.
    package var held: Int64

    package init(capacity: Int64, allocatable: Int64, held: Int64) {
        self.capacity = capacity
        self.allocatable = allocatable
        self.held = held
    }
}

/// What a container is made with for the sake of its devices.
package struct DeviceGrant: Sendable, Hashable {
    package var environment: [String: String] = [:]
    package var mounts: [MountPlan] = []
    package var devices: [DevicePlan] = []
    package var annotations: [String: String] = [:]
    /// Names of the Container Device Interface, `vendor.com/class=name`.
    package var cdiDevices: [String] = []

    package init() {}

    /// Adds what another resource brings; what is there already stays.
    package mutating func add(_ other: DeviceGrant) {
        environment.merge(other.environment) { own, _ in own }
        annotations.merge(other.annotations) { own, _ in own }
        for mount in other.mounts where !mounts.contains(where: { $0.containerPath == mount.containerPath }) { mounts.append(mount) }
        for device in other.devices where !devices.contains(where: { $0.containerPath == device.containerPath }) { devices.append(device) }
        for device in other.cdiDevices where !cdiDevices.contains(device) { cdiDevices.append(device) }
    }
}

extension ContainerPlan {
    /// Takes a grant in. The container's own variables and the kubelet's annotations win over those of plugins.
    package mutating func add(_ grant: DeviceGrant) {
        environment = grant.environment.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) } + environment
        mounts = grant.mounts + mounts
        devices = grant.devices + devices
        annotations.merge(grant.annotations) { own, _ in own }
        cdiDevices += grant.cdiDevices
    }
}

/// For a kubelet without device plugins.
package struct NoDevices: DeviceAllocator {
    package init() {}
    package func resources() async -> [String: DeviceAmount] { [:] }
    package func concerns(_ pod: PodView) async -> Bool { false }
    package func admit(_ pod: PodView, active: Set<String>?) async throws(AdmissionRefusal) {}
    package func grant(_ container: ContainerView, of pod: PodView) async throws(StartFailure) -> DeviceGrant { DeviceGrant() }
}

package import Primitives

/// What the plans of a pod need to know of the node.
package struct NodeFacts: Sendable, Hashable {
    package var name = ""
    /// Empty while the node is not registered.
    package var uid = ""
    /// The node's addresses, the primary one first; `status.hostIP` is the first.
    package var addresses: [String] = []
    package var labels: [String: String] = [:]
    package var taints: [JSONValue] = []
    /// The directory of everything below, `/var/lib/edged` by default.
    package var rootDirectory = "/var/lib/edged"
    package var podLogDirectory = "/var/log/pods"
    package var clusterDomain = "cluster.local"
    package var clusterDNS: [String] = []
    /// The text of the host's resolv.conf, nil where the setting is empty.
    package var resolverConfiguration: String?
    /// The text of the host's /etc/hosts.
    package var hostsFile = ""
    /// Bytes.
    package var memoryCapacity: Int64 = 0
    /// Thousandths of a core.
    package var allocatableCPU: Int64 = 0
    /// Bytes.
    package var allocatableMemory: Int64 = 0
    /// Bytes.
    package var allocatableStorage: Int64 = 0
    package var maximumPods: Int64 = 110
    /// Other allocatable resources by name (`hugepages-2Mi`, device plugins), in whole units.
    package var allocatableOther: [String: Int64] = [:]
    package var enforcesCPUQuota = true
    /// `2MB`, `1GB`: the page sizes that the host has.
    package var hugepageSizes: [String] = []
    package var usesCgroupV2 = false
    package var usesSystemdCgroups = false
    /// The cgroup above `kubepods`, `/` by default.
    package var cgroupRoot = "/"
    /// Whether memory and swap of a group can be limited together.
    package var hasSwapController = false
    /// What the node is short of.
    package var pressures: [NodePressure] = []
    package var usesDefaultSeccompProfile = false
    /// Address and port of MetaServer's dummy interface, put into every container's environment (`spec/05 §18.8`).
    package var kubernetesServiceHost: String?
    package var kubernetesServicePort: String?
    /// `containerd` in `containerd://<id>`.
    package var runtimeName = "containerd"
    package var allowedUnsafeSysctls: [String] = []
    /// The feature gate `SidecarContainers`: init containers may go on running beside the others.
    package var allowsSidecarContainers = false
    package var enforcesAppArmor = false

    package init() {}

    package var hostIP: String { addresses.first ?? "" }
}

extension NodeFacts {
    /// Everything of one pod on the disk.
    package func podDirectory(_ uid: String) -> String { "\(rootDirectory)/pods/\(uid)" }
    /// The directory of one volume; `plugin` as in `kubernetes.io~secret`.
    package func volumeDirectory(_ uid: String, plugin: String, volume: String) -> String {
        "\(podDirectory(uid))/volumes/\(plugin)/\(volume)"
    }
    /// The file that containers see as `/etc/hosts`.
    package func hostsFilePath(_ uid: String) -> String { "\(podDirectory(uid))/etc-hosts" }
    /// The directory of a container's termination logs.
    package func containerDirectory(_ uid: String, _ container: String) -> String { "\(podDirectory(uid))/containers/\(container)" }
    /// `/var/log/pods/<namespace>_<name>_<uid>` (`spec/05 §8.6`).
    package func logDirectory(_ pod: PodView) -> String { "\(podLogDirectory)/\(pod.namespace)_\(pod.name)_\(pod.uid)" }
}

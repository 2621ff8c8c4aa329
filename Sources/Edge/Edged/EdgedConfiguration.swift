package import PodCore
package import Primitives

/// The settings of `modules.edged` that the kubelet acts on (`spec/05 §2`).
package struct EdgedConfiguration: Sendable {
    package var nodeName: String
    /// What the node is registered with besides the usual labels.
    package var nodeLabels: [String: String] = [:]
    package var taints: [JSONValue] = []
    package var isSchedulable = true
    package var registersNode = true
    /// `nodeIP`; found out where it is empty.
    package var nodeAddress = ""
    package var rootDirectory = "/var/lib/edged"
    package var podLogDirectory = "/var/log/pods"
    /// `staticPodPath`: a directory of manifests, or one file; empty for no static pods.
    package var staticPodPath = ""
    /// How often it is read although nothing was noticed.
    package var fileCheckInterval = Duration.seconds(20)
    package var containerLogDirectory = "/var/log/containers"
    package var clusterDomain = "cluster.local"
    package var clusterDNS: [String] = []
    /// `resolvConf`; empty for none.
    package var resolverFile = "/etc/resolv.conf"
    package var maximumPods: Int64 = 110
    package var podRange = ""
    package var podProcessLimit: Int64 = -1
    package var cgroupRoot = "/"
    package var usesSystemdCgroups = false
    package var enforcesCPUQuota = true
    package var usesDefaultSeccompProfile = false
    package var allowedUnsafeSysctls: [String] = []
    /// The feature gate `SidecarContainers` (off in 1.28).
    package var allowsSidecarContainers = false
    package var keepsTerminatedPodVolumes = false
    /// The port of the node's HTTP server as the cloud is told.
    package var serverPort: Int64 = 10350
    package var statusInterval = Duration.seconds(10)
    package var statusReportInterval = Duration.seconds(300)
    package var leaseDuration = Duration.seconds(40)
    /// How often a pod is looked at although nothing happened.
    package var syncInterval = Duration.seconds(60)
    /// How often the runtime's lists are compared with what is known.
    package var relistInterval = Duration.seconds(1)
    package var garbage = GarbagePolicy()
    /// How often the logs of running containers are measured; containers are collected every sixth time, images every thirtieth.
    package var housekeepingInterval = Duration.seconds(10)
    /// `v1.28.6-kubeedge-v1.17.0`.
    package var kubeletVersion = "v1.28.6-kubeedge-v1.17.0"
    /// When pods have to go for the node's sake.
    package var eviction = EvictionSettings()
    /// How often the node's signals are read; zero: never.
    package var evictionInterval = Duration.seconds(10)
    /// `kubeReserved` and `systemReserved` together: cpu in thousandths, `memory` and `ephemeral-storage` in bytes, `pid`.
    package var reserved = ResourceAmounts()
    /// 0 for no limit.
    package var podsPerCore: Int64 = 0
    /// Whether pods are held together to what the node has for them (`enforceNodeAllocatable: [pods]`).
    package var enforcesAllocatable = true
    /// The agent's own kernel score; nil leaves it.
    package var oomScoreAdjust: Int64?
    /// Where containers find the Kubernetes API (`METASERVER_DUMMY_IP` and `…_PORT`).
    package var kubernetesServiceHost: String?
    package var kubernetesServicePort: String?

    package init(nodeName: String) { self.nodeName = nodeName }
}

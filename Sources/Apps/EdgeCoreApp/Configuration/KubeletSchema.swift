import Primitives
import Supervision

/// The keys of `modules.edged.tailoredKubeletConfig` (`spec/02 §4.4`).
enum KubeletSchema {
    static let fields: [ConfigurationField] = serving + node + images + cgroups + limits + eviction + reserved + rest

    private static let serving: [ConfigurationField] = [
        .text("staticPodPath", "/etc/kubeedge/manifests"), .text("podLogsDir", "/var/log/pods"), .duration("syncFrequency", "1m0s"),
        .duration("fileCheckFrequency", "20s"),
        .text("address", "127.0.0.1"), .int32("readOnlyPort", 10350), .int32("registryPullQPS", 5), .int32("registryBurst", 10),
        .int32("eventRecordQPS", 50), .int32("eventBurst", 100), .bool("enableDebuggingHandlers", true), .bool("enableContentionProfiling", nil),
        .int32("oomScoreAdj", -999), .text("clusterDomain", "cluster.local"), .texts("clusterDNS", nil),
        .duration("streamingConnectionIdleTimeout", "4h0m0s"),
    ]

    private static let node: [ConfigurationField] = [
        .duration("nodeStatusUpdateFrequency", "10s"), .duration("nodeStatusReportFrequency", "5m0s"), .int32("nodeLeaseDurationSeconds", 40),
        .int32("nodeStatusMaxImages", 0), .bool("registerNode", true), .objects("registerWithTaints", of: EdgeCoreSchema.taint),
    ]

    private static let images: [ConfigurationField] = [
        .duration("imageMinimumGCAge", "2m0s"), .int32("imageGCHighThresholdPercent", 85), .int32("imageGCLowThresholdPercent", 80),
        .duration("volumeStatsAggPeriod", "1m0s"), .bool("serializeImagePulls", true), .int32("maxParallelImagePulls", nil),
    ]

    private static let cgroups: [ConfigurationField] = [
        .text("kubeletCgroups", nil), .text("systemCgroups", nil), .text("cgroupRoot", nil), .bool("cgroupsPerQOS", true),
        .text("cgroupDriver", "cgroupfs"), .text("cpuManagerPolicy", "none"), .textMap("cpuManagerPolicyOptions", nil),
        .duration("cpuManagerReconcilePeriod", "10s"), .text("memoryManagerPolicy", "None"), .text("topologyManagerPolicy", "none"),
        .text("topologyManagerScope", "container"), .textMap("topologyManagerPolicyOptions", nil), .textMap("qosReserved", nil),
        .duration("runtimeRequestTimeout", "2m0s"), .text("hairpinMode", "promiscuous-bridge"),
    ]

    private static let limits: [ConfigurationField] = [
        .int32("maxPods", 110), .int32("podsPerCore", nil), .int("podPidsLimit", -1), .text("podCIDR", nil), .text("resolvConf", "/etc/resolv.conf"),
        .bool("cpuCFSQuota", true), .duration("cpuCFSQuotaPeriod", "100ms"), .int("maxOpenFiles", 1_000_000),
        .text("contentType", "application/json"),
    ]

    private static let eviction: [ConfigurationField] = [
        .textMap(
            "evictionHard", ["memory.available": "100Mi", "nodefs.available": "10%", "nodefs.inodesFree": "5%", "imagefs.available": "15%"]),
        .textMap("evictionSoft", nil), .textMap("evictionSoftGracePeriod", nil), .textMap("evictionMinimumReclaim", nil),
        .duration("evictionPressureTransitionPeriod", "5m0s"), .int32("evictionMaxPodGracePeriod", nil), .bool("enableControllerAttachDetach", true),
        .bool("protectKernelDefaults", nil), .bool("makeIPTablesUtilChains", true), .int32("iptablesMasqueradeBit", 14),
        .int32("iptablesDropBit", 15),
        .boolMap("featureGates"), .bool("failSwapOn", false), .object("memorySwap", [.text("swapBehavior", nil)]),
        .text("containerLogMaxSize", "10Mi"), .int32("containerLogMaxFiles", 5), .text("configMapAndSecretChangeDetectionStrategy", "Get"),
    ]

    private static let reserved: [ConfigurationField] = [
        .textMap("systemReserved", nil), .textMap("kubeReserved", nil), .text("reservedSystemCPUs", nil), .text("systemReservedCgroup", nil),
        .text("kubeReservedCgroup", nil), .text("showHiddenMetricsForVersion", nil), .texts("enforceNodeAllocatable", ["pods"]),
        .texts("allowedUnsafeSysctls", nil), .text("volumePluginDir", "/usr/libexec/kubernetes/kubelet-plugins/volume/exec/"),
        .bool("kernelMemcgNotification", nil),
    ]

    private static let rest: [ConfigurationField] = [
        .object(
            "logging",
            [
                .text("format", "text"), .duration("flushFrequency", "5s"), .uint32("verbosity", 0),
                .objects("vmodule", of: [.text("filePattern", nil)]),
                .object("options", [.object("json", [.bool("splitStream", nil), .text("infoBufferSize", "0")])]),
            ]),
        .bool("enableSystemLogHandler", true), .bool("enableSystemLogQuery", nil), .duration("shutdownGracePeriod", "0s"),
        .duration("shutdownGracePeriodCriticalPods", "0s"),
        .objects("shutdownGracePeriodByPodPriority", of: [.int32("priority", nil), .int("shutdownGracePeriodSeconds", nil)]),
        .objects("reservedMemory", of: [.int32("numaNode", nil), .textMap("limits", nil)]), .bool("enableProfilingHandler", true),
        .bool("enableDebugFlagsHandler", true), .bool("seccompDefault", false), .float("memoryThrottlingFactor", "0.9"),
        .bool("localStorageCapacityIsolation", true), .text("containerRuntimeEndpoint", "unix:///run/containerd/containerd.sock"),
        .text("imageServiceEndpoint", "unix:///run/containerd/containerd.sock"),
    ]
}

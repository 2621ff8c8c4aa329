import Edged
import KubeMachinery
import KubeletServer
import PodCore
import Primitives

extension EdgedConfiguration {
    /// The kubelet's settings from `modules.edged` of the file.
    init(_ edged: EdgeCoreConfiguration.Edged) {
        let kubelet = edged.kubelet
        self.init(nodeName: edged.nodeName)
        nodeLabels = edged.nodeLabels
        taints = edged.taints
        registersNode = edged.registersNode
        nodeAddress = edged.nodeIP
        rootDirectory = edged.rootDirectory
        podLogDirectory = kubelet.text("podLogsDir")
        staticPodPath = kubelet.text("staticPodPath")
        fileCheckInterval = kubelet.duration("fileCheckFrequency")
        clusterDomain = kubelet.text("clusterDomain")
        clusterDNS = kubelet.texts("clusterDNS")
        resolverFile = kubelet.text("resolvConf")
        maximumPods = Int64(kubelet.int("maxPods"))
        podRange = kubelet.text("podCIDR")
        podProcessLimit = Int64(kubelet.int("podPidsLimit"))
        cgroupRoot = kubelet.text("cgroupRoot").isEmpty ? "/" : kubelet.text("cgroupRoot")
        usesSystemdCgroups = kubelet.text("cgroupDriver") == "systemd"
        enforcesCPUQuota = kubelet.bool("cpuCFSQuota")
        usesDefaultSeccompProfile = kubelet.bool("seccompDefault")
        allowedUnsafeSysctls = kubelet.texts("allowedUnsafeSysctls")
        allowsSidecarContainers = kubelet.boolMap("featureGates")["SidecarContainers"] ?? false
        serverPort = Int64(kubelet.int("readOnlyPort"))
        statusInterval = kubelet.duration("nodeStatusUpdateFrequency")
        statusReportInterval = kubelet.duration("nodeStatusReportFrequency")
        leaseDuration = kubelet.seconds("nodeLeaseDurationSeconds")
        syncInterval = kubelet.duration("syncFrequency")
        oomScoreAdjust = Int64(kubelet.int("oomScoreAdj"))
        podsPerCore = Int64(kubelet.int("podsPerCore"))
        enforcesAllocatable = kubelet.texts("enforceNodeAllocatable").contains("pods")
        reserved = ResourceAmounts(reservedBy: kubelet)
        // The file was checked when it was read.
        eviction = (try? EvictionSettings(kubelet)) ?? eviction
        garbage = GarbagePolicy(edged)
        kubeletVersion = "v1.28.6-kubeedge-\(EdgeCoreConfiguration.version)"
    }
}

extension GarbagePolicy {
    /// What stays of logs, ended containers and unused images.
    init(_ edged: EdgeCoreConfiguration.Edged) {
        self.init()
        let kubelet = edged.kubelet
        minimumContainerAge = edged.minimumGCAge
        containersKept = edged.maxPerPodContainerCount
        containersKeptInAll = edged.maxContainerCount
        sandboxImage = edged.podSandboxImage
        minimumImageAge = kubelet.duration("imageMinimumGCAge")
        imageHighPercent = Int64(kubelet.int("imageGCHighThresholdPercent"))
        imageLowPercent = Int64(kubelet.int("imageGCLowThresholdPercent"))
        logSize = Quantity(kubelet.text("containerLogMaxSize"))?.value ?? logSize
        logFiles = max(2, kubelet.int("containerLogMaxFiles"))
    }
}

extension KubeletServerConfiguration {
    /// The kubelet's server from `modules.edged` of the file. Port 0: no server.
    init(_ edged: EdgeCoreConfiguration.Edged) {
        let kubelet = edged.kubelet
        self.init(nodeName: edged.nodeName)
        host = kubelet.text("address")
        port = kubelet.int("readOnlyPort")
        syncInterval = kubelet.duration("syncFrequency")
        streamIdleLimit = kubelet.duration("streamingConnectionIdleTimeout")
        servesContainers = kubelet.bool("enableDebuggingHandlers")
        servesSystemLogs = kubelet.bool("enableSystemLogHandler")
        kubeletConfiguration = kubelet.values
    }
}

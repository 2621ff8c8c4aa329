import Primitives
import Supervision

/// The keys of cloudcore.yaml (`spec/02 §4.2`).
enum CloudCoreSchema {
    static let identity: JSONObject = ["apiVersion": "cloudcore.config.kubeedge.io/v1alpha1", "kind": "CloudCore"]

    static let minimumPaths = [
        "modules.cloudHub.nodeLimit", "modules.cloudHub.tlsCAFile", "modules.cloudHub.tlsCAKeyFile", "modules.cloudHub.tlsCertFile",
        "modules.cloudHub.tlsPrivateKeyFile", "modules.cloudHub.advertiseAddress", "modules.cloudHub.unixsocket", "modules.cloudHub.websocket",
        "modules.cloudHub.https", "modules.cloudHub.enable", "modules.router", "modules.iptablesManager", "commonConfig.monitorServer",
        "kubeAPIConfig.master",
        "kubeAPIConfig.kubeConfig",
    ]
    /// The minimal file lists `enable` where upstream's types always print it, with upstream's values.
    static let minimumValues: [String: JSONValue] = ["modules.cloudHub.nodeLimit": 1000, "modules.cloudHub.enable": false]

    static func schema(host: HostFacts) -> ConfigurationSchema {
        ConfigurationSchema([
            .object(
                "commonConfig",
                [
                    .int("tunnelPort", 10350),
                    .object("monitorServer", [.text("bindAddress", "127.0.0.1:9091"), .bool("enableProfiling", nil)]),
                ]),
            .object(
                "kubeAPIConfig",
                [
                    .text("master", ""), .text("kubeConfig", ""), .text("contentType", "application/vnd.kubernetes.protobuf"), .int32("qps", 2500),
                    .int32("burst", 5000),
                ]),
            .boolMap("featureGates"),
            .object(
                "modules",
                [
                    .object("cloudHub", cloudHub(host)), .object("edgeController", edgeController), .object("deviceController", deviceController),
                    .object(
                        "taskManager",
                        [
                            .bool("enable", false), .object("buffer", [.int32("taskStatus", 1024), .int32("taskEvent", 1)]),
                            .object("load", [.int32("taskWorkers", 1)]),
                        ]),
                    .object("syncController", [.bool("enable", true)]), .object("dynamicController", [.bool("enable", false)]),
                    .object("cloudStream", cloudStream),
                    .object(
                        "router", [.bool("enable", false), .text("address", "0.0.0.0"), .uint32("port", 9443), .uint32("restTimeout", 60)]),
                    .object("iptablesManager", [.bool("enable", true), .text("mode", "internal")]),
                ]),
        ])
    }

    private static func cloudHub(_ host: HostFacts) -> [ConfigurationField] {
        [
            .bool("enable", true), .int32("keepaliveInterval", 30), .int32("nodeLimit", 500), .text("tlsCAFile", "/etc/kubeedge/ca/rootCA.crt"),
            .text("tlsCAKeyFile", "/etc/kubeedge/ca/rootCA.key"), .text("tlsCertFile", "/etc/kubeedge/certs/server.crt"),
            .text("tlsPrivateKeyFile", "/etc/kubeedge/certs/server.key"), .int32("writeTimeout", 30), .texts("advertiseAddress", [host.address]),
            .texts("dnsNames", [""]), .int32("edgeCertSigningDuration", 365), .int32("tokenRefreshDuration", 12),
            .object("quic", [.bool("enable", false), .text("address", "0.0.0.0"), .uint32("port", 10001), .int32("maxIncomingStreams", 10000)]),
            .object("unixsocket", [.bool("enable", true), .text("address", "unix:///var/lib/kubeedge/kubeedge.sock")]),
            .object("websocket", [.bool("enable", true), .text("address", "0.0.0.0"), .uint32("port", 10000)]),
            .object("https", [.bool("enable", true), .text("address", "0.0.0.0"), .uint32("port", 10002)]),
        ]
    }

    private static let edgeController: [ConfigurationField] = [
        .bool("enable", true), .int32("nodeUpdateFrequency", 10),
        // Ours alone: requests of nodes for what is not theirs are answered (`spec/01` D-08).
        .bool("allowAllNodeRequests", nil), .object("buffer", buffer), .object("load", load),
    ]

    private static let buffer: [ConfigurationField] =
        [
            "updatePodStatus", "updateNodeStatus", "queryConfigMap", "querySecret", "queryPersistentVolume", "queryPersistentVolumeClaim",
            "queryVolumeAttachment", "createNode", "updateNode", "patchPod", "deletePod", "queryLease", "serviceAccountToken", "createPod",
            "certificateSigningRequest",
        ].map { .int32($0, 1024) }
        + ["podEvent", "configMapEvent", "secretEvent", "rulesEvent", "ruleEndpointsEvent"].map { .int32($0, 1) }
        + [.int32("patchNode", 1274), .int32("queryNode", 1524), .int32("createLease", 1524)]

    private static let load: [ConfigurationField] = [
        .int32("updatePodStatusWorkers", 1), .int32("updateNodeStatusWorkers", 1), .int32("queryConfigMapWorkers", 100),
        .int32("querySecretWorkers", 100),
        .int32("queryPersistentVolumeWorkers", 4), .int32("queryPersistentVolumeClaimWorkers", 4), .int32("queryVolumeAttachmentWorkers", 4),
        .int32("createNodeWorkers", 100), .int32("updateNodeWorkers", 4), .int32("patchPodWorkers", 100), .int32("deletePodWorkers", 100),
        .int32("queryLeaseWorkers", 100), .int32("certificateSigningRequestWorkers", 4), .int32("UpdateRuleStatusWorkers", 4),
        .int32("ServiceAccountTokenWorkers", 100), .int32("CreatePodWorks", 4), .int32("queryNodeWorkers", 500), .int32("createLeaseWorkers", 500),
        .int32("patchNodeWorkers", 110),
    ]

    private static let deviceController: [ConfigurationField] = [
        .bool("enable", true), .object("buffer", [.int32("updateDeviceStatus", 1024), .int32("deviceEvent", 1), .int32("deviceModelEvent", 1)]),
        .object("load", [.int32("updateDeviceStatusWorkers", 1)]),
    ]

    private static let cloudStream: [ConfigurationField] = [
        .bool("enable", false), .text("tlsTunnelCAFile", "/etc/kubeedge/ca/rootCA.crt"), .text("tlsTunnelCertFile", "/etc/kubeedge/certs/server.crt"),
        .text("tlsTunnelPrivateKeyFile", "/etc/kubeedge/certs/server.key"), .text("tlsStreamCAFile", "/etc/kubeedge/ca/streamCA.crt"),
        .text("tlsStreamCertFile", "/etc/kubeedge/certs/stream.crt"), .text("tlsStreamPrivateKeyFile", "/etc/kubeedge/certs/stream.key"),
        .uint32("tunnelPort", 10004), .uint32("streamPort", 10003),
    ]
}

import KubeMachinery
import Primitives
import Supervision

/// The keys of edgecore.yaml (`spec/02 §4.3`).
enum EdgeCoreSchema {
    static let identity: JSONObject = ["apiVersion": "edgecore.config.kubeedge.io/v1alpha2", "kind": "EdgeCore"]

    static let authorityFile = "/etc/kubeedge/ca/rootCA.crt"
    static let certificateFile = "/etc/kubeedge/certs/server.crt"
    static let privateKeyFile = "/etc/kubeedge/certs/server.key"

    static let minimumPaths =
        ["database.dataSource", "modules.deviceTwin.dmiSockPath", "modules.deviceTwin.enable", "modules.edged"]
        + ["enable", "heartbeat", "httpServer", "tlsCaFile", "tlsCertFile", "tlsPrivateKeyFile", "token", "websocket"].map { "modules.edgeHub.\($0)" }
        + [
            "enable", "mqttQOS", "mqttRetain", "mqttServerInternal", "mqttServerExternal", "mqttSubClientID", "mqttPubClientID", "mqttUsername",
            "mqttPassword", "mqttMode",
        ].map { "modules.eventBus.\($0)" }
    static let minimumValues: [String: JSONValue] = [
        "modules.deviceTwin.enable": false, "modules.edgeHub.enable": false, "modules.eventBus.enable": false,
    ]

    static func schema(host: HostFacts) -> ConfigurationSchema {
        ConfigurationSchema([
            .object(
                "database", [.text("driverName", "sqlite3"), .text("aliasName", "default"), .text("dataSource", "/var/lib/kubeedge/edgecore.db")]),
            .boolMap("featureGates"),
            .object(
                "modules",
                [
                    .object("edged", edged(host)), .object("edgeHub", edgeHub(host)), .object("eventBus", eventBus),
                    .object("metaManager", metaManager),
                    .object("serviceBus", [.bool("enable", false), .text("server", "127.0.0.1"), .int("port", 9060), .int("timeout", 60)]),
                    .object("deviceTwin", [.bool("enable", true), .text("dmiSockPath", "/etc/kubeedge/dmi.sock")]),
                    .object("dbTest", [.bool("enable", false)]), .object("edgeStream", edgeStream),
                ]),
        ])
    }

    /// The host's name where it can name a node.
    static func nodeName(_ host: HostFacts) -> String { NameRule.dnsSubdomain.accepts(host.name) ? host.name : "default-edge-node" }

    private static func edged(_ host: HostFacts) -> [ConfigurationField] {
        [
            .bool("enable", true), .bool("reportEvent", nil), .text("hostnameOverride", nodeName(host)), .text("nodeIP", ""),
            .text("customInterfaceName", ""),
            .text("registerNodeNamespace", "default"), .text("containerRuntime", "remote"), .text("runtimeCgroups", ""),
            .text("podSandboxImage", "kubeedge/pause:3.6"), .text("rootDirectory", "/var/lib/edged"), .bool("registerNode", true),
            .objects("registerWithTaints", of: taint), .bool("windowsService", false), .text("windowsPriorityClass", ""),
            .text("remoteRuntimeEndpoint", "unix:///run/containerd/containerd.sock"),
            .text("remoteImageEndpoint", "unix:///run/containerd/containerd.sock"),
            .text("experimentalMounterPath", ""), .bool("experimentalNodeAllocatableIgnoreEvictionThreshold", false), .textMap("nodeLabels", [:]),
            .duration("minimumGCAge", "0s"), .int32("maxPerPodContainerCount", 1), .int32("maxContainerCount", -1),
            .text("masterServiceNamespace", "default"), .bool("registerSchedulable", true), .bool("keepTerminatedPodVolumes", false),
            .bool("seccompDefault", false), .object("tailoredKubeletConfig", KubeletSchema.fields),
        ]
    }

    static let taint: [ConfigurationField] = [.text("key", nil), .text("value", nil), .text("effect", nil), .text("timeAdded", nil)]

    private static func edgeHub(_ host: HostFacts) -> [ConfigurationField] {
        func channel(_ isOn: Bool, _ port: Int) -> [ConfigurationField] {
            [
                .bool("enable", isOn), .int32("handshakeTimeout", 30), .int32("readDeadline", 15),
                .text("server", NetworkAddress(host: host.address, port: port).description), .int32("writeDeadline", 15),
            ]
        }
        return [
            .bool("enable", true), .int32("heartbeat", 15), .int32("messageQPS", 30), .int32("messageBurst", 60),
            .text("projectID", "e632aba927ea4ac2b575ec1603d56f10"), .text("tlsCaFile", authorityFile), .text("tlsCertFile", certificateFile),
            .text("tlsPrivateKeyFile", privateKeyFile), .object("quic", channel(false, 10001)), .object("websocket", channel(true, 10000)),
            .text("token", ""), .text("httpServer", "https://\(NetworkAddress(host: host.address, port: 10002))"), .bool("rotateCertificates", true),
        ]
    }

    private static let eventBus: [ConfigurationField] = [
        .bool("enable", true), .uint8("mqttQOS", 0), .bool("mqttRetain", false), .int32("mqttSessionQueueSize", 100),
        .text("mqttServerInternal", "tcp://127.0.0.1:1884"), .text("mqttServerExternal", "tcp://127.0.0.1:1883"), .text("mqttSubClientID", ""),
        .text("mqttPubClientID", ""), .text("mqttUsername", ""), .text("mqttPassword", ""), .int("mqttMode", 2),
        .object(
            "eventBusTLS",
            [
                .bool("enable", false), .text("tlsMqttCAFile", authorityFile), .text("tlsMqttCertFile", certificateFile),
                .text("tlsMqttPrivateKeyFile", privateKeyFile),
            ]),
    ]

    private static let metaManager: [ConfigurationField] = [
        .bool("enable", true), .text("contextSendGroup", "hub"), .text("contextSendModule", "websocket"), .int32("remoteQueryTimeout", 60),
        .object(
            "metaServer",
            [
                .bool("enable", false), .text("server", "127.0.0.1:10550"), .text("tlsCaFile", authorityFile), .text("tlsCertFile", certificateFile),
                .text("tlsPrivateKeyFile", privateKeyFile), .texts("serviceAccountIssuers", ["https://kubernetes.default.svc.cluster.local"]),
                .texts("apiAudiences", nil), .texts("serviceAccountKeyFiles", nil), .text("dummyServer", "169.254.30.10:10550"),
            ]),
    ]

    private static let edgeStream: [ConfigurationField] = [
        .bool("enable", false), .text("tlsTunnelCAFile", authorityFile), .text("tlsTunnelCertFile", certificateFile),
        .text("tlsTunnelPrivateKeyFile", privateKeyFile), .int32("handshakeTimeout", 30), .int32("readDeadline", 15), .int32("writeDeadline", 15),
        .text("server", "127.0.0.1:10004"),
    ]
}

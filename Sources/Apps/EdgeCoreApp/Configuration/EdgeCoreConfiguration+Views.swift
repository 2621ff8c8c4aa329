package import Primitives
package import Supervision

extension EdgeCoreConfiguration {
    /// The line to the cloud.
    package struct EdgeHub: Sendable {
        package var isEnabled: Bool
        package var heartbeat: Duration
        package var messagesPerSecond: Int
        package var messageBurst: Int
        package var projectID: String
        package var authorityFile: String
        package var certificateFile: String
        package var privateKeyFile: String
        /// nil where the text of the file is no `host:port`.
        package var webSocketServer: NetworkAddress?
        package var handshakeTimeout: Duration
        package var writeDeadline: Duration
        /// `https://host:port` of the certificate service.
        package var httpServer: String
        package var token: Redacted<String>
        package var rotatesCertificates: Bool
    }

    /// The tunnel for logs, commands and metrics.
    package struct EdgeStream: Sendable {
        package var isEnabled: Bool
        /// nil where the text of the file is no `host:port`.
        package var server: NetworkAddress?
        package var handshakeTimeout: Duration
        package var writeDeadline: Duration
    }

    /// The kubelet's part.
    package struct Edged: Sendable {
        package var isEnabled: Bool
        /// Whether events go to every cloud (true) or to none; nil: to clouds that announce that they take them.
        package var reportsEvents: Bool?
        package var nodeName: String
        /// Empty where the address is to be found out.
        package var nodeIP: String
        package var interfaceName: String
        package var registerNodeNamespace: String
        package var podSandboxImage: String
        package var rootDirectory: String
        package var registersNode: Bool
        package var runtimeEndpoint: String
        package var imageEndpoint: String
        package var nodeLabels: [String: String]
        package var maxPerPodContainerCount: Int
        package var maxContainerCount: Int
        package var minimumGCAge: Duration
        /// The rest of `tailoredKubeletConfig`, read by key.
        package var kubelet: ConfigurationSection
        /// Each an object `key`, `value`, `effect`.
        package var taints: [JSONValue]
    }

    private var root: ConfigurationSection { ConfigurationSection(values) }

    /// The path of the store.
    package var databasePath: String { root["database"].text("dataSource") }
    /// How long a request to the cloud may take.
    package var remoteQueryTimeout: Duration { root["modules"]["metaManager"].seconds("remoteQueryTimeout") }
    package var isMetaServerEnabled: Bool { root["modules"]["metaManager"]["metaServer"].bool("enable") }

    package var edgeStream: EdgeStream {
        let stream = root["modules"]["edgeStream"]
        return EdgeStream(
            isEnabled: stream.bool("enable"), server: NetworkAddress(stream.text("server")), handshakeTimeout: stream.seconds("handshakeTimeout"),
            writeDeadline: stream.seconds("writeDeadline"))
    }

    package var edgeHub: EdgeHub {
        let hub = root["modules"]["edgeHub"]
        return EdgeHub(
            isEnabled: hub.bool("enable"), heartbeat: hub.seconds("heartbeat"), messagesPerSecond: hub.int("messageQPS"),
            messageBurst: hub.int("messageBurst"), projectID: hub.text("projectID"), authorityFile: hub.text("tlsCaFile"),
            certificateFile: hub.text("tlsCertFile"), privateKeyFile: hub.text("tlsPrivateKeyFile"),
            webSocketServer: NetworkAddress(hub["websocket"].text("server")), handshakeTimeout: hub["websocket"].seconds("handshakeTimeout"),
            writeDeadline: hub["websocket"].seconds("writeDeadline"), httpServer: hub.text("httpServer"), token: Redacted(hub.text("token")),
            rotatesCertificates: hub.bool("rotateCertificates"))
    }

    package var edged: Edged {
        let edged = root["modules"]["edged"]
        let kubelet = edged["tailoredKubeletConfig"]
        let runtime = kubelet.text("containerRuntimeEndpoint")
        let image = kubelet.text("imageServiceEndpoint")
        return Edged(
            isEnabled: edged.bool("enable"), reportsEvents: edged.values["reportEvent"].bool, nodeName: edged.text("hostnameOverride"),
            nodeIP: edged.text("nodeIP"),
            interfaceName: edged.text("customInterfaceName"), registerNodeNamespace: edged.text("registerNodeNamespace"),
            podSandboxImage: edged.text("podSandboxImage"), rootDirectory: edged.text("rootDirectory"),
            registersNode: edged.bool("registerNode") && kubelet.bool("registerNode"),
            runtimeEndpoint: runtime.isEmpty ? edged.text("remoteRuntimeEndpoint") : runtime,
            imageEndpoint: runtime.isEmpty ? edged.text("remoteImageEndpoint") : image.isEmpty ? runtime : image,
            nodeLabels: edged.textMap("nodeLabels"), maxPerPodContainerCount: edged.int("maxPerPodContainerCount"),
            maxContainerCount: edged.int("maxContainerCount"), minimumGCAge: edged.duration("minimumGCAge"), kubelet: kubelet,
            taints: kubelet.values["registerWithTaints"].elements)
    }
}

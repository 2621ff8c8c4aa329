package import Primitives
package import Supervision

/// The configuration of cloudcore, decoded, adjusted and validated (`spec/02 §4.2`).
package struct CloudCoreConfiguration: Sendable {
    /// The version this program stands for.
    package static let version = "v1.17.0"

    /// Every value that holds, under the keys of the file.
    package let values: JSONValue
    package let featureGates: FeatureGates

    /// Takes decoded values. Throws `ConfigurationError` with every rule that is broken, `FeatureGateError` for an unknown gate.
    package init(values: JSONValue, fileExists: (String) -> Bool = FileText.exists) throws {
        let adjusted = Self.fitted(values)
        try Self.validate(ConfigurationSection(adjusted), fileExists: fileExists)
        featureGates = try FeatureGates(ConfigurationSection(adjusted).boolMap("featureGates"))
        self.values = adjusted
    }

    /// Reads a file's text over the defaults of a machine.
    package init(document: JSONValue, host: HostFacts, fileExists: (String) -> Bool = FileText.exists) throws {
        try self.init(values: try CloudCoreSchema.schema(host: host).decode(document), fileExists: fileExists)
    }

    /// The command line of cloudcore.
    package static func command(host: HostFacts) -> ProgramCommand {
        let schema = CloudCoreSchema.schema(host: host)
        return ProgramCommand(
            name: "cloudcore", version: version,
            summary: "CloudCore is the core cloud part of KubeEdge: it connects edge nodes to a Kubernetes cluster.",
            schema: schema, minimum: schema.excerpt(CloudCoreSchema.minimumPaths, replacing: CloudCoreSchema.minimumValues),
            identity: CloudCoreSchema.identity)
    }

    /// Rates, buffers and workers are raised to what `nodeLimit` needs (`spec/01 §1.3`).
    private static func fitted(_ values: JSONValue) -> JSONValue {
        var values = values
        let limit = values["modules"]["cloudHub"]["nodeLimit"].int ?? 0
        values["kubeAPIConfig"]["qps"] = .integer(limit * 5)
        values["kubeAPIConfig"]["burst"] = .integer(limit * 10)
        let floors: [(String, String, Int64)] = [
            ("load", "queryNodeWorkers", limit), ("load", "patchNodeWorkers", 100 + limit / 50), ("load", "createLeaseWorkers", limit),
            ("buffer", "patchNode", 1024 + limit / 2), ("buffer", "queryNode", 1024 + limit), ("buffer", "createLease", 1024 + limit),
        ]
        for (group, key, floor) in floors {
            let value = values["modules"]["edgeController"][group][key].int ?? 0
            values["modules"]["edgeController"][group][key] = .integer(max(value, floor))
        }
        return values
    }
}

extension CloudCoreConfiguration {
    /// Where the Kubernetes API is.
    package struct KubernetesAPI: Sendable, Hashable {
        /// Overrides the kubeconfig's server where it is not empty.
        package var master: String
        /// Empty for the service account of the pod that this runs in.
        package var kubeconfigPath: String
    }

    /// The endpoint that edges reach.
    package struct CloudHub: Sendable {
        package var isEnabled: Bool
        /// How long a node may go without a keepalive.
        package var keepaliveInterval: Duration
        package var nodeLimit: Int
        package var authorityFile: String
        package var authorityKeyFile: String
        package var certificateFile: String
        package var privateKeyFile: String
        package var writeTimeout: Duration
        package var advertiseAddresses: [String]
        package var dnsNames: [String]
        /// Validity of the certificates that edges get.
        package var edgeCertificateLifetime: Duration
        package var tokenRefreshInterval: Duration
        package var webSocket: NetworkAddress
        package var isWebSocketEnabled: Bool
        package var https: NetworkAddress
    }

    /// The tunnels for logs, commands and metrics.
    package struct CloudStream: Sendable {
        package var isEnabled: Bool
        package var tunnelPort: Int
        package var streamPort: Int
        /// The ports that stand for kubelets lie above this one.
        package var kubeletPort: Int
        /// What edges see; where there are no such files, the certificate of the message port.
        package var tunnelCertificateFile: String
        package var tunnelPrivateKeyFile: String
        /// Who issues the API server's client certificate, besides the cluster's own authority.
        package var authorityFile: String
        package var certificateFile: String
        package var privateKeyFile: String
    }

    private var root: ConfigurationSection { ConfigurationSection(values) }

    package var kubernetesAPI: KubernetesAPI {
        KubernetesAPI(master: root["kubeAPIConfig"].text("master"), kubeconfigPath: root["kubeAPIConfig"].text("kubeConfig"))
    }

    package var monitorAddress: NetworkAddress {
        NetworkAddress(root["commonConfig"]["monitorServer"].text("bindAddress")) ?? NetworkAddress(host: "127.0.0.1", port: 9091)
    }

    package var cloudHub: CloudHub {
        let hub = root["modules"]["cloudHub"]
        return CloudHub(
            isEnabled: hub.bool("enable"), keepaliveInterval: hub.seconds("keepaliveInterval"), nodeLimit: hub.int("nodeLimit"),
            authorityFile: hub.text("tlsCAFile"), authorityKeyFile: hub.text("tlsCAKeyFile"), certificateFile: hub.text("tlsCertFile"),
            privateKeyFile: hub.text("tlsPrivateKeyFile"), writeTimeout: hub.seconds("writeTimeout"),
            advertiseAddresses: hub.texts("advertiseAddress").filter { !$0.isEmpty }, dnsNames: hub.texts("dnsNames").filter { !$0.isEmpty },
            edgeCertificateLifetime: .seconds(hub.int("edgeCertSigningDuration") * 86400),
            tokenRefreshInterval: .seconds(hub.int("tokenRefreshDuration") * 3600),
            webSocket: NetworkAddress(host: hub["websocket"].text("address"), port: hub["websocket"].int("port")),
            isWebSocketEnabled: hub["websocket"].bool("enable"),
            https: NetworkAddress(host: hub["https"].text("address"), port: hub["https"].int("port")))
    }

    package var cloudStream: CloudStream {
        let stream = root["modules"]["cloudStream"]
        return CloudStream(
            isEnabled: stream.bool("enable"), tunnelPort: stream.int("tunnelPort"), streamPort: stream.int("streamPort"),
            kubeletPort: root["commonConfig"].int("tunnelPort"), tunnelCertificateFile: stream.text("tlsTunnelCertFile"),
            tunnelPrivateKeyFile: stream.text("tlsTunnelPrivateKeyFile"), authorityFile: stream.text("tlsStreamCAFile"),
            certificateFile: stream.text("tlsStreamCertFile"),
            privateKeyFile: stream.text("tlsStreamPrivateKeyFile"))
    }

    /// Whether this instance keeps the redirection of the ports of kubelets on its machine; upstream does so too where the section is absent.
    package var redirectsKubeletPorts: Bool {
        let tables = root["modules"]["iptablesManager"]
        return tables.bool("enable") && tables.text("mode") != "external"
    }

    package var isEdgeControllerEnabled: Bool { root["modules"]["edgeController"].bool("enable") }
    package var isSyncControllerEnabled: Bool { root["modules"]["syncController"].bool("enable") }
    /// Whether nodes may ask for what is not theirs; off unless the file says so.
    package var allowsAllNodeRequests: Bool { root["modules"]["edgeController"].bool("allowAllNodeRequests") }
    /// How old a heartbeat of the deprecated node status may be before it is refreshed.
    package var nodeUpdateFrequency: Duration { root["modules"]["edgeController"].seconds("nodeUpdateFrequency") }
}

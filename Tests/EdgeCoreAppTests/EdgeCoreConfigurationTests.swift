import EdgeCoreApp
import Primitives
import Supervision
import Testing
import YAMLDocuments

@Suite("Configuration of edgecore")
struct EdgeCoreConfigurationTests {
    static let host = HostFacts(name: "edge-7", address: "192.0.2.8")

    static func values(_ yaml: String, host: HostFacts = host) throws -> EdgeCoreConfiguration {
        try EdgeCoreConfiguration(document: YAML.parse(yaml), host: host)
    }

    @Test("an empty file is the default configuration")
    func defaults() throws {
        let configuration = try Self.values("")
        #expect(configuration.databasePath == "/var/lib/kubeedge/edgecore.db")
        #expect(configuration.remoteQueryTimeout == .seconds(60))
        let hub = configuration.edgeHub
        #expect(hub.heartbeat == .seconds(15))
        #expect(hub.messagesPerSecond == 30 && hub.messageBurst == 60)
        #expect(hub.webSocketServer == NetworkAddress(host: "192.0.2.8", port: 10000))
        #expect(hub.httpServer == "https://192.0.2.8:10002")
        #expect(hub.rotatesCertificates && hub.token.exposed.isEmpty)
        let edged = configuration.edged
        #expect(edged.nodeName == "edge-7")
        #expect(edged.registersNode)
        #expect(edged.runtimeEndpoint == "unix:///run/containerd/containerd.sock")
        #expect(edged.kubelet.duration("nodeStatusUpdateFrequency") == .seconds(10))
        #expect(edged.kubelet.duration("nodeStatusReportFrequency") == .seconds(300))
        #expect(edged.kubelet.int("readOnlyPort") == 10350)
        #expect(edged.kubelet.int("maxPods") == 110)
        #expect(edged.kubelet.double("memoryThrottlingFactor") == 0.9)
        #expect(edged.kubelet.texts("enforceNodeAllocatable") == ["pods"])
    }

    @Test(
        "a host whose name cannot name a node gets the stand-in",
        arguments: [("Edge_7", "default-edge-node"), ("", "default-edge-node"), ("a.b", "a.b")])
    func nodeName(host: String, node: String) throws {
        #expect(try Self.values("", host: HostFacts(name: host, address: "::1")).edged.nodeName == node)
    }

    @Test("a file as joins write it is laid over the defaults")
    func joined() throws {
        let configuration = try Self.values(
            """
            apiVersion: edgecore.config.kubeedge.io/v1alpha2
            kind: EdgeCore
            modules:
              edgeHub: {token: abc, tlsCAFile: /x/ca.crt, websocket: {server: "10.0.0.1:30000"}, httpserver: https://10.0.0.1:30002}
              edged:
                hostnameOverride: edge-9
                nodeLabels: {zone: a, count: 2}
                registerNode: false
                tailoredKubeletConfig:
                  clusterDNS: [169.254.96.16]
                  evictionHard: {memory.available: 50Mi}
                  evictionSoft: null
                  registerWithTaints: [{key: k, effect: NoSchedule}]
                  containerRuntimeEndpoint: unix:///run/a.sock
                  imageServiceEndpoint: ""
            """)
        #expect(configuration.edgeHub.token.exposed == "abc")
        #expect("\(configuration.edgeHub.token)" == "<redacted>")
        #expect(configuration.edgeHub.authorityFile == "/x/ca.crt")
        #expect(configuration.edgeHub.webSocketServer?.port == 30000)
        #expect(configuration.edgeHub.httpServer == "https://10.0.0.1:30002")
        let edged = configuration.edged
        #expect(edged.nodeLabels == ["zone": "a", "count": "2"])
        #expect(!edged.registersNode)
        #expect(edged.imageEndpoint == "unix:///run/a.sock")
        #expect(edged.kubelet.textMap("evictionHard")["memory.available"] == "50Mi")
        #expect(edged.kubelet.textMap("evictionHard")["nodefs.available"] == "10%")
        #expect(edged.taints == [["key": "k", "effect": "NoSchedule"]])
    }

    @Test("every broken rule is named at once")
    func validation() throws {
        let error = try #require(throws: ConfigurationError.self) {
            try Self.values(
                """
                database: {dataSource: edge.db}
                modules:
                  edged: {hostnameOverride: Edge_1, tailoredKubeletConfig: {cgroupDriver: other}}
                  edgeHub: {messageQPS: -1, messageBurst: -2, heartbeat: 0, quic: {enable: true}}
                  eventBus: {mqttMode: 3}
                """)
        }
        #expect(
            error.problems.map(\.field) == [
                "DataSource", "HostnameOverride", "CGroupDriver", "enable", "messageQPS", "messageBurst", "heartbeat", "Mode",
            ])
    }

    @Test("modules that are off are not validated")
    func leniency() throws {
        #expect(
            try !Self.values(
                "modules: {edged: {enable: false, hostnameOverride: A}, edgeHub: {enable: false, messageQPS: -1}, eventBus: {enable: false, mqttMode: 9}}"
            )
            .edged.isEnabled)
    }

    @Test("the default file is read back to the defaults; the minimal one turns off what upstream's turns off")
    func files() throws {
        let command = EdgeCoreConfiguration.command(host: Self.host)
        guard case .show(let text) = command.evaluate(["--defaultconfig"], read: { _ in nil }) else { Issue.record("no defaults"); return }
        #expect(try Self.values(text).values == Self.values("").values)
        guard case .show(let minimum) = command.evaluate(["--minconfig"], read: { _ in nil }) else { Issue.record("no minimum"); return }
        let document = try YAML.parse(minimum)
        #expect(Set(document["modules"].members.keys) == ["deviceTwin", "edged", "edgeHub", "eventBus"])
        #expect(document["database"] == ["dataSource": "/var/lib/kubeedge/edgecore.db"])
        #expect(document.at("modules", "edgeHub", "enable") == false)
        #expect(try Self.values(minimum).edged.isEnabled)
    }

    @Test("a wrong type is an error that names the field")
    func wrongType() throws {
        let error = try #require(throws: ConfigurationError.self) {
            try Self.values("modules: {edgeHub: [1], edged: {tailoredKubeletConfig: {maxPods: many}}}")
        }
        #expect(
            error.problems.map(\.description) == [
                "modules.edgeHub: cannot use array as object", "modules.edged.tailoredKubeletConfig.maxPods: cannot use string \"many\" as int32",
            ])
    }
}

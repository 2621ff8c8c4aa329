import CloudCoreApp
import Primitives
import Supervision
import Testing
import YAMLDocuments

@Suite("Configuration of cloudcore")
struct CloudCoreConfigurationTests {
    static let host = HostFacts(name: "cloud", address: "192.0.2.7")

    static func values(_ yaml: String) throws -> CloudCoreConfiguration {
        try CloudCoreConfiguration(document: YAML.parse(yaml), host: host, fileExists: { $0 == "/root/.kube/config" })
    }

    @Test("an empty file is the default configuration")
    func defaults() throws {
        let configuration = try Self.values("")
        let hub = configuration.cloudHub
        #expect(hub.isEnabled && hub.isWebSocketEnabled)
        #expect(hub.keepaliveInterval == .seconds(30))
        #expect(hub.nodeLimit == 500)
        #expect(hub.advertiseAddresses == ["192.0.2.7"])
        #expect(hub.dnsNames == [])
        #expect(hub.edgeCertificateLifetime == .seconds(365 * 86400))
        #expect(hub.tokenRefreshInterval == .seconds(12 * 3600))
        #expect(hub.webSocket == NetworkAddress(host: "0.0.0.0", port: 10000))
        #expect(hub.https == NetworkAddress(host: "0.0.0.0", port: 10002))
        #expect(configuration.monitorAddress.description == "127.0.0.1:9091")
        #expect(configuration.isEdgeControllerEnabled && configuration.isSyncControllerEnabled && !configuration.allowsAllNodeRequests)
        #expect(configuration.values.at("modules", "iptablesManager", "mode") == "internal")
        #expect(configuration.values.at("modules", "edgeController", "buffer", "queryNode") == 1524)
    }

    @Test("sizes follow the node limit")
    func sizes() throws {
        let configuration = try Self.values("modules: {cloudHub: {nodelimit: 2000}, edgeController: {load: {patchNodeWorkers: 900}}}")
        let controller = configuration.values["modules"]["edgeController"]
        #expect(configuration.values["kubeAPIConfig"]["qps"] == 10000)
        #expect(configuration.values["kubeAPIConfig"]["burst"] == 20000)
        #expect(controller["load"]["queryNodeWorkers"] == 2000)
        #expect(controller["load"]["patchNodeWorkers"] == 900)
        #expect(controller["buffer"]["patchNode"] == 2024)
    }

    @Test("every broken rule is named at once")
    func validation() throws {
        let error = try #require(throws: ConfigurationError.self) {
            try Self.values(
                """
                commonConfig: {monitorServer: {bindAddress: "localhost:0"}}
                kubeAPIConfig: {kubeConfig: kube}
                modules:
                  cloudHub:
                    advertiseAddress: [""]
                    nodeLimit: 0
                    tokenRefreshDuration: 0
                    unixsocket: {address: /run/x}
                    https: {port: 70000}
                    websocket: {address: nowhere}
                  edgeController: {nodeUpdateFrequency: -1}
                  cloudStream: {enable: true}
                  iptablesManager: {mode: ""}
                """)
        }
        #expect(
            error.problems.map(\.field) == [
                "kubeconfig", "monitorServer.bindAddress", "monitorServer.bindAddress", "https.port", "websocket.address", "unixsocket.address",
                "tokenRefreshDuration", "nodeLimit", "advertiseAddress", "nodeUpdateFrequency", "mode",
            ])
        #expect(error.description.contains("  kubeconfig: Invalid value: kube: kubeconfig need abs path\n"))
    }

    @Test("the stream's certificate files are there together, or none of them is")
    func streamFiles() throws {
        let text = "modules: {cloudStream: {enable: true, tlsStreamCAFile: /ca, tlsStreamCertFile: /crt, tlsStreamPrivateKeyFile: /key}}"
        let document = try YAML.parse(text)
        #expect(try CloudCoreConfiguration(document: document, host: Self.host, fileExists: { _ in false }).cloudStream.isEnabled)
        let error = #expect(throws: ConfigurationError.self) {
            try CloudCoreConfiguration(document: document, host: Self.host, fileExists: { $0 == "/crt" })
        }
        #expect(error?.problems.map(\.field) == ["TLSStreamCAFile", "TLSStreamPrivateKeyFile"])
    }

    @Test("what is switched off is not validated, and null leaves the defaults")
    func leniency() throws {
        #expect(try !Self.values("modules: {cloudHub: {enable: false, nodeLimit: 0}}").cloudHub.isEnabled)
        #expect(try Self.values("modules: {cloudHub: {quic: null, websocket: }}").cloudHub.webSocket.port == 10000)
    }

    @Test("an unknown feature gate is refused")
    func gates() throws {
        #expect(try Self.values("featureGates: {moduleRestart: true}").featureGates.isEnabled(.moduleRestart))
        let error = #expect(throws: FeatureGateError.self) { try Self.values("featureGates: {nope: true}") }
        #expect(error?.description == "unrecognized feature gate: nope")
    }

    @Test("the default file is read back to the defaults, the minimal one turns CloudHub off as upstream's does")
    func files() throws {
        let command = CloudCoreConfiguration.command(host: Self.host)
        guard case .show(let text) = command.evaluate(["--defaultconfig"], read: { _ in nil }) else { Issue.record("no defaults"); return }
        #expect(try Self.values(text).values == Self.values("").values)
        #expect(text.contains("\napiVersion: cloudcore.config.kubeedge.io/v1alpha1\n"))
        guard case .show(let minimum) = command.evaluate(["--minconfig"], read: { _ in nil }) else { Issue.record("no minimum"); return }
        let reread = try Self.values(minimum)
        #expect(!reread.cloudHub.isEnabled)
        #expect(reread.cloudHub.nodeLimit == 1000)
    }
}

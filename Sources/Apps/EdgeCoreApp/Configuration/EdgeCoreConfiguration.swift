import KubeMachinery
import PodCore
package import Primitives
package import Supervision

/// The configuration of edgecore, decoded and validated (`spec/02 §4.3`).
package struct EdgeCoreConfiguration: Sendable {
    /// The version this program stands for.
    package static let version = "v1.17.0"

    /// Every value that holds, under the keys of the file.
    package let values: JSONValue
    package let featureGates: FeatureGates

    /// Takes decoded values. Throws `ConfigurationError` with every rule that is broken, `FeatureGateError` for an unknown gate.
    package init(values: JSONValue) throws {
        try Self.validate(ConfigurationSection(values))
        featureGates = try FeatureGates(ConfigurationSection(values).boolMap("featureGates"))
        self.values = values
    }

    /// Reads a file's text over the defaults of a machine.
    package init(document: JSONValue, host: HostFacts) throws {
        try self.init(values: try EdgeCoreSchema.schema(host: host).decode(document))
    }

    /// The command line of edgecore.
    package static func command(host: HostFacts) -> ProgramCommand {
        let schema = EdgeCoreSchema.schema(host: host)
        return ProgramCommand(
            name: "edgecore", version: version, summary: "EdgeCore runs pods on an edge node, with the cloud or without it.", schema: schema,
            minimum: schema.excerpt(EdgeCoreSchema.minimumPaths, replacing: EdgeCoreSchema.minimumValues), identity: EdgeCoreSchema.identity)
    }

    /// The rules of `spec/02 §4.6` and what this program needs besides.
    private static func validate(_ root: ConfigurationSection) throws(ConfigurationError) {
        var problems: [ConfigurationProblem] = []
        let modules = root["modules"]
        let edged = modules["edged"]
        if !root["database"].text("dataSource").hasPrefix("/") {
            problems.append(.invalid("DataSource", root["database"].text("dataSource"), "must be an absolute path"))
        }
        if edged.bool("enable") {
            for sentence in NameRule.dnsSubdomain.problems(with: edged.text("hostnameOverride")) {
                problems.append(.invalid("HostnameOverride", edged.text("hostnameOverride"), sentence))
            }
            let driver = edged["tailoredKubeletConfig"].text("cgroupDriver")
            if !["cgroupfs", "systemd"].contains(driver) { problems.append(.invalid("CGroupDriver", driver, "CGroupDriver value error")) }
            do { _ = try EvictionSettings(edged["tailoredKubeletConfig"]) } catch {
                problems.append(.invalid("eviction", "evictionHard, evictionSoft", error.message))
            }
        }
        let hub = modules["edgeHub"]
        if hub.bool("enable") {
            if hub["websocket"].bool("enable") == hub["quic"].bool("enable") {
                problems.append(
                    .invalid(
                        "enable", "\(hub["quic"].bool("enable"))", "websocket.enable and quic.enable cannot be true and false at the same time"))
            }
            if hub.int("messageQPS") < 0 {
                problems.append(.invalid("messageQPS", "\(hub.int("messageQPS"))", "MessageQPS must not be a negative number"))
            }
            if hub.int("messageBurst") < 0 {
                problems.append(.invalid("messageBurst", "\(hub.int("messageBurst"))", "MessageBurst must not be a negative number"))
            }
            if hub.int("heartbeat") <= 0 { problems.append(.invalid("heartbeat", "\(hub.int("heartbeat"))", "must be a positive number of seconds")) }
        }
        let eventBus = modules["eventBus"]
        if eventBus.bool("enable"), !(0...2).contains(eventBus.int("mqttMode")) {
            problems.append(.invalid("Mode", "\(eventBus.int("mqttMode"))", "Mode need in [0,2] range"))
        }
        guard problems.isEmpty else { throw ConfigurationError(problems: problems) }
    }
}

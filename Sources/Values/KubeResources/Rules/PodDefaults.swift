import KubeMachinery
import Primitives

/// What a pod specification gets where the user says nothing.
enum PodDefaults {
    /// Fills in a pod's specification or that of a template; `isPod` adds what only pods themselves get.
    static func apply(to spec: inout JSONValue, isPod: Bool) {
        if spec.object == nil { spec = [:] }
        spec.setDefault("dnsPolicy", "ClusterFirst")
        spec.setDefault("restartPolicy", "Always")
        spec.setDefault("terminationGracePeriodSeconds", 30)
        spec.setDefault("securityContext", [:])
        spec.setDefault("schedulerName", "default-scheduler")
        if isPod { spec.setDefault("enableServiceLinks", true) }
        if let account = spec["serviceAccountName"].string ?? spec["serviceAccount"].string, !account.isEmpty {
            spec["serviceAccountName"] = .string(account)
            spec["serviceAccount"] = .string(account)
        }
        let usesHostNetwork = spec["hostNetwork"].bool == true
        for list in ["initContainers", "containers", "ephemeralContainers"] {
            spec.editElements(list) { container(&$0, usesHostNetwork: usesHostNetwork, isPod: isPod) }
        }
        spec.canonicalizeQuantities("overhead")
        spec.editElements("volumes", volume)
    }

    private static func container(_ container: inout JSONValue, usesHostNetwork: Bool, isPod: Bool) {
        container.setDefault("terminationMessagePath", "/dev/termination-log")
        container.setDefault("terminationMessagePolicy", "File")
        container.setDefault("imagePullPolicy", .string(pullPolicy(container["image"].string ?? "")))
        container.setDefault("resources", [:])
        container.editElements("ports") { port in
            port.setDefault("protocol", "TCP")
            if usesHostNetwork { port.setDefault("hostPort", port["containerPort"]) }
        }
        container.editElements("env") { variable in
            variable.editMember("valueFrom") { source in
                source.editMember("fieldRef") { $0.setDefault("apiVersion", "v1") }
                source.editMember("resourceFieldRef") { $0.setDefault("divisor", "0") }
            }
        }
        for probe in ["livenessProbe", "readinessProbe", "startupProbe"] { container.editMember(probe, Self.probe) }
        container.editMember("lifecycle") { lifecycle in
            for hook in ["postStart", "preStop"] { lifecycle.editMember(hook, handler) }
        }
        container.editMember("resources") { resources in
            resources.canonicalizeQuantities("limits")
            resources.canonicalizeQuantities("requests")
            guard isPod, let limits = resources["limits"].object, !limits.isEmpty else { return }
            for (name, limit) in limits { resources["requests"].setDefault(name, limit) }
        }
    }

    /// `Always` for the tag `latest` and for none, `IfNotPresent` for any other tag or a digest.
    static func pullPolicy(_ image: String) -> String {
        if image.contains("@") { return "IfNotPresent" }
        let last = image.split(separator: "/", omittingEmptySubsequences: false).last ?? ""
        guard let colon = last.lastIndex(of: ":") else { return "Always" }
        return last[last.index(after: colon)...] == "latest" ? "Always" : "IfNotPresent"
    }

    private static func probe(_ probe: inout JSONValue) {
        for (field, value) in [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)] as [(String, Int64)]
        where (probe[field].int ?? 0) == 0 {
            probe[field] = .integer(value)
        }
        handler(&probe)
        probe.editMember("grpc") { $0.setDefault("service", "") }
    }

    private static func handler(_ handler: inout JSONValue) {
        handler.editMember("httpGet") { get in
            if (get["path"].string ?? "").isEmpty { get["path"] = "/" }
            if (get["scheme"].string ?? "").isEmpty { get["scheme"] = "HTTP" }
        }
    }

    private static func volume(_ volume: inout JSONValue) {
        if volume.members.count <= 1 { volume["emptyDir"] = [:] }
        for kind in ["secret", "configMap", "downwardAPI", "projected"] {
            volume.editMember(kind) { $0.setDefault("defaultMode", 420) }
        }
        volume.editMember("emptyDir") { directory in
            if !directory["sizeLimit"].isNull { directory["sizeLimit"] = directory["sizeLimit"].canonicalQuantity }
        }
        volume.editMember("hostPath") { $0.setDefault("type", "") }
        volume.editMember("downwardAPI", downwardItems)
        volume.editMember("projected") { projected in
            projected.editElements("sources") { source in
                source.editMember("serviceAccountToken") { $0.setDefault("expirationSeconds", 3600) }
                source.editMember("downwardAPI", downwardItems)
            }
        }
        volume.editMember("ephemeral") { ephemeral in
            ephemeral.editMember("volumeClaimTemplate") { template in
                template.editMember("spec") { $0.setDefault("volumeMode", "Filesystem") }
            }
        }
    }

    private static func downwardItems(_ source: inout JSONValue) {
        source.editElements("items") { item in
            item.editMember("fieldRef") { $0.setDefault("apiVersion", "v1") }
            item.editMember("resourceFieldRef") { $0.setDefault("divisor", "0") }
        }
    }
}

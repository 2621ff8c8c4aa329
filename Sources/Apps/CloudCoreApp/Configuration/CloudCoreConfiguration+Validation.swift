import Supervision

extension CloudCoreConfiguration {
    /// The rules of `spec/02 §4.2`, and what this program needs besides: every broken one is named.
    static func validate(_ root: ConfigurationSection, fileExists: (String) -> Bool) throws(ConfigurationError) {
        var problems = kubernetesAPI(root["kubeAPIConfig"], fileExists) + monitor(root["commonConfig"]["monitorServer"])
        let modules = root["modules"]
        if modules["cloudHub"].bool("enable") { problems += cloudHub(modules["cloudHub"]) }
        if modules["edgeController"].bool("enable"), modules["edgeController"].int("nodeUpdateFrequency") <= 0 {
            problems.append(
                .invalid("nodeUpdateFrequency", "\(modules["edgeController"].int("nodeUpdateFrequency"))", "NodeUpdateFrequency need > 0"))
        }
        if modules["cloudStream"].bool("enable") { problems += cloudStream(modules["cloudStream"], fileExists) }
        let tables = modules["iptablesManager"]
        if tables.bool("enable"), !["internal", "external"].contains(tables.text("mode")) {
            problems.append(.invalid("mode", tables.text("mode"), "invalid value for iptablesmgr mode"))
        }
        guard problems.isEmpty else { throw ConfigurationError(problems: problems) }
    }

    private static func kubernetesAPI(_ api: ConfigurationSection, _ fileExists: (String) -> Bool) -> [ConfigurationProblem] {
        let path = api.text("kubeConfig")
        if path.isEmpty { return [] }
        if !path.hasPrefix("/") { return [.invalid("kubeconfig", path, "kubeconfig need abs path")] }
        return fileExists(path) ? [] : [.invalid("kubeconfig", path, "kubeconfig not exist")]
    }

    private static func monitor(_ monitor: ConfigurationSection) -> [ConfigurationProblem] {
        let text = monitor.text("bindAddress")
        guard let colon = text.lastIndex(of: ":") else { return [.invalid("monitorServer.bindAddress", text, "must be IP:port")] }
        var problems: [ConfigurationProblem] = []
        let host = text[..<colon].drop { $0 == "[" }
        if !NetworkAddress.isIP(String(host.hasSuffix("]") ? host.dropLast() : host)) {
            problems.append(.invalid("monitorServer.bindAddress", text, "must be a valid IP"))
        }
        if Int(text[text.index(after: colon)...]).map({ (1...65535).contains($0) }) != true {
            problems.append(.invalid("monitorServer.bindAddress", text, "must be a valid port"))
        }
        return problems
    }

    private static func cloudHub(_ hub: ConfigurationSection) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        for name in ["https", "websocket", "quic"] {
            let listener = hub[name]
            if !(1...65535).contains(listener.int("port")) {
                problems.append(.invalid("\(name).port", "\(listener.int("port"))", "must be between 1 and 65535, inclusive"))
            }
            if !NetworkAddress.isIP(listener.text("address")) {
                problems.append(.invalid("\(name).address", listener.text("address"), "must be a valid IP address, (e.g. 10.9.8.7)"))
            }
        }
        if !hub["unixsocket"].text("address").hasPrefix("unix://") {
            problems.append(.invalid("unixsocket.address", hub["unixsocket"].text("address"), "unixSocketAddress must has prefix unix://"))
        }
        if hub.int("tokenRefreshDuration") <= 0 {
            problems.append(.invalid("tokenRefreshDuration", "\(hub.int("tokenRefreshDuration"))", "TokenRefreshDuration must be positive"))
        }
        if hub.int("edgeCertSigningDuration") <= 0 || hub.int("edgeCertSigningDuration") > 36500 {
            problems.append(
                .invalid("edgeCertSigningDuration", "\(hub.int("edgeCertSigningDuration"))", "must be a number of days between 1 and 36500"))
        }
        if hub.int("tokenRefreshDuration") > 24 * 365 {
            problems.append(.invalid("tokenRefreshDuration", "\(hub.int("tokenRefreshDuration"))", "must be at most 8760 hours"))
        }
        if hub.int("keepaliveInterval") <= 0 {
            problems.append(.invalid("keepaliveInterval", "\(hub.int("keepaliveInterval"))", "must be a positive number of seconds"))
        }
        if hub.int("nodeLimit") <= 0 { problems.append(.invalid("nodeLimit", "\(hub.int("nodeLimit"))", "must be positive")) }
        if hub.texts("advertiseAddress").allSatisfy(\.isEmpty) {
            problems.append(.required("advertiseAddress", "at least one address or name that edges reach this host at"))
        }
        return problems
    }

    private static func cloudStream(_ stream: ConfigurationSection, _ fileExists: (String) -> Bool) -> [ConfigurationProblem] {
        let files = [
            ("tlsStreamCAFile", "TLSStreamCAFile"), ("tlsStreamCertFile", "TLSStreamCertFile"),
            ("tlsStreamPrivateKeyFile", "TLSStreamPrivateKeyFile"),
        ]
        let missing = files.filter { !fileExists(stream.text($0.0)) }
        // Without any of them the certificate comes from the edges' authority, and the API server's own authority vouches for its client.
        guard missing.count < files.count else { return [] }
        return missing.map { key, name in .invalid(name, stream.text(key), "\(name) not exist") }
    }
}

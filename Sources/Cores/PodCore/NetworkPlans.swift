import KubeMachinery
import Primitives

/// The names of a pod inside its own network (`spec/05 §22.3`).
package enum HostnamePlan {
    /// The host name that the sandbox gets, at most 63 characters.
    package static func hostname(_ pod: PodView, node: NodeFacts) throws(StartFailure) -> String {
        let short = short(pod)
        guard pod.spec["setHostnameAsFQDN"].bool == true, let domain = domain(pod, node: node) else { return short }
        let full = "\(short).\(domain)"
        guard full.utf8.count <= 64 else {
            throw StartFailure(
                reason: "CreatePodSandboxError",
                message: "Failed to construct FQDN from pod hostname and cluster domain, FQDN \(full) is too long (64 characters is the max, "
                    + "\(full.utf8.count) characters requested)")
        }
        return full
    }

    static func short(_ pod: PodView) -> String {
        var name = pod.spec["hostname"].string.flatMap { $0.isEmpty ? nil : $0 } ?? pod.name
        name = String(name.prefix(63))
        while let last = name.last, last == "-" || last == "." { name.removeLast() }
        return name
    }

    /// `<subdomain>.<namespace>.svc.<cluster domain>`, nil without a subdomain.
    static func domain(_ pod: PodView, node: NodeFacts) -> String? {
        guard let subdomain = pod.spec["subdomain"].string, !subdomain.isEmpty else { return nil }
        return "\(subdomain).\(pod.namespace).svc.\(node.clusterDomain)"
    }
}

/// The text of a pod's `/etc/hosts` (`spec/05 §22.6`).
package enum HostsFile {
    /// The whole file, with the addresses of the sandbox and the host aliases of the pod.
    package static func text(_ pod: PodView, addresses: [String], node: NodeFacts) -> String {
        var text: String
        if pod.usesHostNetwork {
            text = "# Kubernetes-managed hosts file (host network).\n" + node.hostsFile
        } else {
            text = "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
            text += "fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n"
            let short = HostnamePlan.short(pod)
            let names = HostnamePlan.domain(pod, node: node).map { "\(short).\($0)\t\(short)" } ?? short
            for address in addresses { text += "\(address)\t\(names)\n" }
        }
        let aliases = pod.spec["hostAliases"].elements
        guard !aliases.isEmpty else { return text }
        text += "\n# Entries added by HostAliases.\n"
        for alias in aliases { text += "\(alias["ip"].string ?? "")\t\(alias["hostnames"].strings.joined(separator: "\t"))\n" }
        return text
    }
}

/// What stands in a pod's `/etc/resolv.conf` (`spec/05 §22.4`).
package struct ResolverPlan: Sendable, Hashable {
    package var servers: [String] = []
    package var searches: [String] = []
    package var options: [String] = []
    /// The policy could not be met: `ClusterFirst` without a cluster DNS server fell back to the host's.
    package var lacksClusterDNS = false
    /// Servers were dropped to keep within three.
    package var hasCutServers = false
    /// Searches were dropped to keep within 32 and 2,048 characters.
    package var hasCutSearches = false

    init() {}

    package init(_ pod: PodView, node: NodeFacts) {
        var policy = pod.spec["dnsPolicy"].string ?? "ClusterFirst"
        if policy == "ClusterFirst", pod.usesHostNetwork { policy = "Default" }
        if policy == "ClusterFirstWithHostNet" { policy = "ClusterFirst" }
        let host = ResolverPlan(host: node.resolverConfiguration)
        switch policy {
        case "None": break
        case "ClusterFirst" where !node.clusterDNS.isEmpty:
            servers = node.clusterDNS
            let domain = node.clusterDomain
            if !domain.isEmpty { searches = ["\(pod.namespace).svc.\(domain)", "svc.\(domain)", domain] }
            searches += host.searches.filter { !searches.contains($0) }
            options = ["ndots:5"]
        default:
            lacksClusterDNS = policy == "ClusterFirst"
            (servers, searches, options) = (host.servers, host.searches, host.options)
        }
        merge(pod.spec["dnsConfig"])
        limit()
    }

    /// Reads the host's resolv.conf; nil stands for no resolver at all.
    init(host text: String?) {
        guard let text else {
            servers = ["127.0.0.1"]
            searches = ["."]
            return
        }
        for line in text.split(separator: "\n") {
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
            guard let keyword = words.first, !keyword.hasPrefix("#"), !keyword.hasPrefix(";") else { continue }
            switch keyword {
            case "nameserver": if words.count > 1 { servers.append(words[1]) }
            case "search": searches = words.dropFirst().map { $0 == "." ? $0 : $0.hasSuffix(".") ? String($0.dropLast()) : $0 }
            case "options": options += words.dropFirst()
            default: break
            }
        }
    }

    private mutating func merge(_ configuration: JSONValue) {
        for server in configuration["nameservers"].strings where !servers.contains(server) { servers.append(server) }
        for search in configuration["searches"].strings where !searches.contains(search) { searches.append(search) }
        for option in configuration["options"].elements {
            guard let name = option["name"].string else { continue }
            options.removeAll { $0 == name || $0.hasPrefix(name + ":") }
            options.append(option["value"].string.map { $0.isEmpty ? name : "\(name):\($0)" } ?? name)
        }
    }

    private mutating func limit() {
        if servers.count > 3 {
            servers = Array(servers.prefix(3))
            hasCutServers = true
        }
        while searches.count > 32 || searches.joined(separator: " ").utf8.count > 2048 {
            searches.removeLast()
            hasCutSearches = true
        }
    }
}

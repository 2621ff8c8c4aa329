package import Primitives

/// Where a Kubernetes API is and how to be let in.
package struct ClusterAccess: Sendable {
    /// Which certificates a server may show.
    package enum Trust: Sendable {
        /// What the machine trusts.
        case system
        /// Leaves of these authorities only, PEM.
        case authorities(String)
        /// Any certificate: for trials, never for a product.
        case anything
    }

    /// What a request is signed with besides a client certificate.
    package enum Credential: Sendable {
        case none
        case token(Redacted<String>)
        /// A file that holds a token and may change at any time, as those of service accounts do.
        case tokenFile(String)
        case password(user: String, Redacted<String>)
    }

    /// `https://host:port`, with a path where the API is served below one; no slash at the end.
    package var server: String
    package var trust: Trust
    /// The client's certificate and those between it and its authority, PEM.
    package var certificate: String?
    /// The key of `certificate`, PEM.
    package var key: Redacted<String>?
    package var credential: Credential
    /// The namespace to use where none is named.
    package var namespace: String

    package init(
        server: String, trust: Trust = .system, certificate: String? = nil, key: Redacted<String>? = nil, credential: Credential = .none,
        namespace: String = "default"
    ) {
        var server = server
        while server.hasSuffix("/") { server.removeLast() }
        if !server.contains("://") { server = "http://\(server)" }
        self.server = server
        self.trust = trust
        self.certificate = certificate
        self.key = key
        self.credential = credential
        self.namespace = namespace
    }
}

extension ClusterAccess {
    /// What a program's settings `master` and `kubeConfig` mean: the kubeconfig (with its server overridden by `server` where that
    /// is given), else the server alone, else the pod the process runs in.
    package static func resolve(kubeconfig path: String, server: String, environment: [String: String]) throws(KubeClientError) -> ClusterAccess {
        if !path.isEmpty { return try kubeconfig(at: path, server: server.isEmpty ? nil : server) }
        if !server.isEmpty { return ClusterAccess(server: server) }
        return try inCluster(environment: environment)
    }
}

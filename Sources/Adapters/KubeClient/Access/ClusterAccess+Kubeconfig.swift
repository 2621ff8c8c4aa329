import Primitives
import YAMLDocuments

extension ClusterAccess {
    /// Reads a kubeconfig file; file names in it count from its directory.
    ///
    /// - Parameters:
    ///   - context: the context to use; nil for the current one.
    ///   - server: replaces the cluster's address where it is given.
    package static func kubeconfig(at path: String, context: String? = nil, server: String? = nil) throws(KubeClientError) -> ClusterAccess {
        let text = try AccessFile.text(path, for: "the kubeconfig")
        let directory = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        do {
            return try kubeconfig(text: text, directory: path.contains("/") ? directory : ".", context: context, server: server)
        } catch {
            throw KubeClientError(code: error.code, message: "kubeconfig \(path): \(error.message)")
        }
    }

    /// Reads a kubeconfig, YAML or JSON.
    package static func kubeconfig(text: String, directory: String, context: String? = nil, server: String? = nil) throws(KubeClientError)
        -> ClusterAccess
    {
        let document: JSONValue
        do { document = try YAML.parse(text) } catch { throw KubeClientError(code: .kubeconfig, message: "\(error)") }
        guard document.object != nil else { throw KubeClientError(code: .kubeconfig, message: "it is empty or no YAML object") }
        let reader = KubeconfigReader(document: document, directory: directory)
        return try reader.access(context: context, server: server)
    }
}

/// Follows context, cluster and user of a kubeconfig.
private struct KubeconfigReader {
    let document: JSONValue
    let directory: String

    func access(context wanted: String?, server: String?) throws(KubeClientError) -> ClusterAccess {
        let contextName = wanted ?? document["current-context"].string ?? ""
        guard !contextName.isEmpty else {
            throw failure("current-context is not set: set it with 'kubectl config use-context NAME'")
        }
        let context = try entry("contexts", contextName, member: "context")
        let cluster = try entry("clusters", context["cluster"].string ?? "", member: "cluster")
        let userName = context["user"].string ?? ""
        let user = userName.isEmpty ? JSONValue.null : try entry("users", userName, member: "user")
        guard let address = server ?? cluster["server"].string, !address.isEmpty else {
            throw failure("cluster \"\(context["cluster"].string ?? "")\" has no server")
        }
        for unsupported in ["proxy-url", "tls-server-name"] where cluster[unsupported].string ?? "" != "" {
            throw KubeClientError(code: .unsupported, message: "\(unsupported) of a cluster is not supported: remove it")
        }
        var access = ClusterAccess(server: address, trust: try trust(cluster), credential: try credential(user, named: userName))
        access.certificate = try pem(user, "client-certificate")
        access.key = try pem(user, "client-key").map { Redacted($0) }
        guard (access.certificate == nil) == (access.key == nil) else {
            throw failure("user \"\(userName)\" has only one of client-certificate and client-key: both or none are needed")
        }
        if let namespace = context["namespace"].string, !namespace.isEmpty { access.namespace = namespace }
        return access
    }

    private func entry(_ list: String, _ name: String, member: String) throws(KubeClientError) -> JSONValue {
        guard let found = document[list].elements.first(where: { $0["name"].string == name }) else {
            let names = document[list].elements.compactMap(\.["name"].string).joined(separator: ", ")
            throw failure("\(member) \"\(name)\" is not there (\(list): \(names.isEmpty ? "none" : names))")
        }
        return found[member]
    }

    private func trust(_ cluster: JSONValue) throws(KubeClientError) -> ClusterAccess.Trust {
        let authority = try pem(cluster, "certificate-authority")
        if cluster["insecure-skip-tls-verify"].bool == true {
            guard authority == nil else { throw failure("certificate-authority and insecure-skip-tls-verify exclude each other: remove one") }
            return .anything
        }
        return authority.map(ClusterAccess.Trust.authorities) ?? .system
    }

    private func credential(_ user: JSONValue, named name: String) throws(KubeClientError) -> ClusterAccess.Credential {
        for plugin in ["exec", "auth-provider"] where !user[plugin].isNull {
            throw KubeClientError(
                code: .unsupported,
                message: "user \"\(name)\" gets its credentials from a plugin (\(plugin)), which is not supported: "
                    + "use a client certificate or the token of a service account")
        }
        for member in ["as", "as-uid"] where user[member].string ?? "" != "" {
            throw KubeClientError(code: .unsupported, message: "user \"\(name)\" impersonates another (\(member)), which is not supported: remove it")
        }
        // As in kubectl the text wins over the file.
        if let token = user["token"].string, !token.isEmpty { return .token(Redacted(token)) }
        if let file = user["tokenFile"].string, !file.isEmpty {
            let path = absolute(file)
            _ = try AccessFile.text(path, for: "the token of user \"\(name)\"")
            return .tokenFile(path)
        }
        if let account = user["username"].string, !account.isEmpty {
            return .password(user: account, Redacted(user["password"].string ?? ""))
        }
        return .none
    }

    /// `<member>-data`, else the file that `<member>` names; nil where neither is set.
    private func pem(_ holder: JSONValue, _ member: String) throws(KubeClientError) -> String? {
        if let data = holder["\(member)-data"].string, !data.isEmpty { return try AccessFile.decoded(data, member: "\(member)-data") }
        guard let file = holder[member].string, !file.isEmpty else { return nil }
        return try AccessFile.text(absolute(file), for: member)
    }

    private func absolute(_ path: String) -> String { path.hasPrefix("/") ? path : "\(directory)/\(path)" }

    private func failure(_ message: String) -> KubeClientError { KubeClientError(code: .kubeconfig, message: message) }
}

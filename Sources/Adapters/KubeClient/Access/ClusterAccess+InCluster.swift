import Primitives

extension ClusterAccess {
    /// Access as a pod has it: the addresses in its environment, its service account's files in `directory`.
    ///
    /// The token is read again for later requests: it is replaced about every hour.
    package static func inCluster(
        environment: [String: String], directory: String = "/var/run/secrets/kubernetes.io/serviceaccount"
    ) throws(KubeClientError) -> ClusterAccess {
        guard let host = environment["KUBERNETES_SERVICE_HOST"], !host.isEmpty, let port = environment["KUBERNETES_SERVICE_PORT"], !port.isEmpty
        else {
            throw KubeClientError(
                code: .environment,
                message: "no kubeconfig is given and this is no pod (KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set): "
                    + "name a kubeconfig in the configuration (kubeAPIConfig.kubeConfig)")
        }
        let authority = try AccessFile.text("\(directory)/ca.crt", for: "the cluster's certificate authority")
        _ = try AccessFile.text("\(directory)/token", for: "the service account token")
        let namespace = try? AccessFile.text("\(directory)/namespace", for: "the namespace")
        return ClusterAccess(
            server: host.contains(":") ? "https://[\(host)]:\(port)" : "https://\(host):\(port)", trust: .authorities(authority),
            credential: .tokenFile("\(directory)/token"),
            namespace: namespace?.split(whereSeparator: \.isWhitespace).first.map(String.init) ?? "default")
    }
}

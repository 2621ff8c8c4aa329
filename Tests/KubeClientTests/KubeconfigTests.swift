import FoundationEssentials
import Primitives
import Testing

@testable import KubeClient

@Suite struct KubeconfigTests {
    private func text(cluster: String = "server: https://10.0.0.1:6443/", user: String = "token: t", context: String = "") -> String {
        """
        apiVersion: v1
        kind: Config
        current-context: main
        contexts:
        - name: main
          context: {cluster: c, user: u\(context)}
        clusters:
        - name: c
          cluster: {\(cluster)}
        users:
        - name: u
          user: {\(user)}
        """
    }

    private func access(_ text: String, context: String? = nil, server: String? = nil) throws -> ClusterAccess {
        try .kubeconfig(text: text, directory: "/nowhere", context: context, server: server)
    }

    @Test func `the current context leads to server, token and namespace`() throws {
        let access = try access(text(context: ", namespace: edge"))
        #expect(access.server == "https://10.0.0.1:6443")
        #expect(access.namespace == "edge")
        guard case .token(let token) = access.credential else { throw KubeClientError(code: .kubeconfig, message: "no token") }
        #expect(token.exposed == "t")
        #expect(!"\(access)".contains("\"t\""))
    }

    @Test func `a server given beside the file wins`() throws {
        #expect(try access(text(), server: "https://other:1").server == "https://other:1")
    }

    @Test func `certificates stand in the file as base64`() throws {
        let data = Data("PEM".utf8).base64EncodedString()
        let access = try access(
            text(
                cluster: "server: 'https://h', certificate-authority-data: \(data)",
                user: "client-certificate-data: \(data), client-key-data: \(data)"))
        guard case .authorities("PEM") = access.trust else { throw KubeClientError(code: .kubeconfig, message: "no authority") }
        #expect(access.certificate == "PEM")
        #expect(access.key?.exposed == "PEM")
    }

    @Test func `files count from the directory of the kubeconfig`() throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: UniqueID.next())
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        try Data("CA".utf8).write(to: directory.appending(path: "ca.crt"))
        try Data("secret\n".utf8).write(to: directory.appending(path: "token"))
        try Data(text(cluster: "server: 'https://h', certificate-authority: ca.crt", user: "tokenFile: token").utf8)
            .write(to: directory.appending(path: "config"))
        let access = try ClusterAccess.kubeconfig(at: directory.appending(path: "config").path)
        guard case .authorities("CA") = access.trust else { throw KubeClientError(code: .kubeconfig, message: "no authority") }
        #expect(try CredentialSource(access.credential, clock: SystemClock()).authorization() == "Bearer secret")
    }

    @Test(arguments: [
        ("exec plugin", "user: {exec: {command: aws}}", "not supported"),
        ("auth provider", "user: {auth-provider: {name: gcp}}", "not supported"),
        ("impersonation", "user: {token: t, as: root}", "not supported"),
        ("key without certificate", "user: {client-key-data: UEVN}", "only one of"),
        ("certificate that is no base64", "user: {client-certificate-data: '*'}", "client-certificate-data"),
        ("missing token file", "user: {tokenFile: t}", "/nowhere/t"),
    ])
    func `what cannot be used is refused with its name`(_ name: String, user: String, expected: String) {
        let config = text().replacing("user: {token: t}", with: user)
        let error = #expect(throws: KubeClientError.self) { try access(config) }
        #expect(error?.message.contains(expected) == true, "\(name): \(error?.message ?? "")")
    }

    @Test(arguments: [
        ("", "empty"), ("a: [", "line "), ("current-context: x", "context \"x\" is not there"), ("kind: Config", "current-context is not set"),
        ("current-context: x\ncontexts: [{name: x, context: {cluster: gone}}]", "cluster \"gone\" is not there"),
        ("current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\nclusters: [{name: c, cluster: {}}]", "no server"),
    ])
    func `a broken kubeconfig says what is missing`(_ text: String, expected: String) {
        let error = #expect(throws: KubeClientError.self) { try access(text) }
        #expect(error?.message.contains(expected) == true, "\(error?.message ?? "")")
    }

    @Test func `outside a pod without a kubeconfig the error says what to set`() {
        let error = #expect(throws: KubeClientError.self) { try ClusterAccess.resolve(kubeconfig: "", server: "", environment: [:]) }
        #expect(error?.code == .environment)
        #expect(error?.message.contains("kubeConfig") == true)
    }

    @Test func `a pod finds its cluster by environment and files`() throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: UniqueID.next())
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        for (file, content) in [("ca.crt", "CA"), ("token", "one"), ("namespace", "kubeedge\n")] {
            try Data(content.utf8).write(to: directory.appending(path: file))
        }
        let access = try ClusterAccess.inCluster(
            environment: ["KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"], directory: directory.path)
        #expect(access.server == "https://[fd00::1]:443")
        #expect(access.namespace == "kubeedge")
    }
}

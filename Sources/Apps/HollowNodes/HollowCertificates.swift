import DeliveryCore
import EdgeHub
package import EdgeTransport
import Glibc
package import Logging
package import Primitives
package import Trust

/// Certificates of hollow nodes: each applies for its own with the join token, as an edge does (`spec/01 §2.6`), and keeps it in a folder.
package struct HollowCertificates: Sendable {
    let server: PeerAddress
    let token: Redacted<String>
    let folder: String
    let clock: any MomentSource
    let logger: Logger

    /// `server` is the certificate service; `folder` is made where it is missing.
    package init(server: PeerAddress, token: Redacted<String>, folder: String, clock: any MomentSource = SystemClock(), logger: Logger) {
        self.server = server
        self.token = token
        self.folder = folder
        self.clock = clock
        self.logger = logger
    }

    /// The certificate of a node: the one of an earlier run while it is good, or a new one.
    package func content(of node: String) async throws -> CertificateFiles.Content {
        let path = "\(folder)/\(node)"
        mkdir(folder, 0o700)
        mkdir(path, 0o700)
        var configuration = CertificateApplication.Configuration(
            nodeName: node, files: CertificateFiles(authority: "\(path)/ca.crt", certificate: "\(path)/edge.crt", key: "\(path)/edge.key"),
            token: token)
        configuration.tokenFile = "\(path)/token"
        configuration.rotates = false
        let application = CertificateApplication(configuration, clock: clock, logger: logger) { question in
            let trust: ServerTrust =
                switch question.peer {
                case .unverified: .unverified
                case .authority(let der): .pinned(authority: der)
                }
            var exchange = HTTPSExchange(to: server.at(question.path), trust: trust)
            for (name, value) in question.headers { exchange.headers[name] = value }
            exchange.body = question.body
            let answer = try await exchange.send()
            return CertificateReply(status: answer.status, body: answer.body)
        }
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run {} }
            defer { group.cancelAll() }
            return try await application.current()
        }
    }
}

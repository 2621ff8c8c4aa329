import DeliveryCore
import EdgeHub
import Glibc
import Primitives
import Testing
import Trust

/// A node joins a cloud over real sockets and real TLS: token, CA, certificate, message line, renewal.
@Suite("A node and a cloud on the loopback", .timeLimit(.minutes(1)))
struct JoinTests {
    @Test("join with a token and exchange messages under the certificate that came of it")
    func join() async throws {
        let folder = "/tmp/loopback-\(UniqueID.next())"
        let files = CertificateFiles(authority: folder + "/ca.crt", certificate: folder + "/node.crt", key: folder + "/node.key")
        defer {
            for path in [files.authority, files.certificate, files.key] { unlink(path) }
            rmdir(folder)
        }
        try await CloudBed.run { cloud in
            let application = CertificateApplication(
                CertificateApplication.Configuration(nodeName: "edge-1", files: files, token: cloud.token.text), logger: CloudBed.quiet
            ) { try await CloudBed.ask(cloud.address(.certificates), $0) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await application.run {} }
                let content = try await application.current()
                #expect(content.authority == cloud.authority.certificate)
                let channel = try await cloud.line("edge-1", as: content.pair)
                #expect(channel.capabilities == Set(PeerCapability.allCases.map(\.rawValue)))
                try await channel.send(Array("hello".utf8))
                var messages = channel.messages().makeAsyncIterator()
                let answer = try await messages.next()
                #expect(answer == Array("edge-1: hello".utf8))
                await channel.close("")
                group.cancelAll()
                while let result = await group.nextResult() { _ = result }
            }
        }
    }
}

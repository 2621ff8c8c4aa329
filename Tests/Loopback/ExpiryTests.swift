import EdgeHub
import EdgeTransport
import Glibc
import Primitives
import Testing
import Trust

/// Certificates that end, over real sockets and real TLS.
@Suite("A node whose certificate has ended, on the loopback", .timeLimit(.minutes(1)))
struct ExpiryTests {
    @Test("T50 a certificate that ended while the cloud was away is refused by it; the token gets another one, and the line is there again")
    func expiry() async throws {
        let folder = "/tmp/loopback-\(UniqueID.next())"
        let files = CertificateFiles(authority: folder + "/ca.crt", certificate: folder + "/node.crt", key: folder + "/node.key")
        defer {
            for path in [files.authority, files.certificate, files.key] { unlink(path) }
            rmdir(folder)
        }
        try await CloudBed.run { cloud in
            let ended = try cloud.authority.issue(.node("edge-1", lifetime: .seconds(60)), now: SystemClock().now().wall + .seconds(-61))
            try files.save(CertificateFiles.Content(authority: cloud.authority.certificate, pair: ended))
            let refused = await #expect(throws: TransportError.self) {
                let channel = try await cloud.line("edge-1", as: ended)
                // With TLS 1.3 a client learns of it with the first bytes that it reads.
                for try await _ in channel.messages() {}
            }
            #expect(refused?.code != .unreachable)
            let application = CertificateApplication(
                CertificateApplication.Configuration(nodeName: "edge-1", files: files, token: cloud.token.text), logger: CloudBed.quiet
            ) { try await CloudBed.ask(cloud.address(.certificates), $0) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { do { try await application.run {} } catch is CancellationError {} }
                let content = try await application.current()
                #expect(content.pair.certificate != ended.certificate)
                let channel = try await cloud.line("edge-1", as: content.pair)
                try await channel.send(Array("hello".utf8))
                var messages = channel.messages().makeAsyncIterator()
                let answer = try await messages.next()
                #expect(answer == Array("edge-1: hello".utf8))
                await channel.close("")
                group.cancelAll()
            }
        }
    }
}

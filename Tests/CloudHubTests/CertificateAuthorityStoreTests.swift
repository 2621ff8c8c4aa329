import EdgeTesting
import Glibc
import KubeMachinery
import KubeResources
import Logging
import Primitives
import Testing
import Trust

@testable import CloudHub

private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

@Suite("The store of the certificate authority")
struct CertificateAuthorityStoreTests {
    private let api = FakeKubeAPI()
    private let clock = ManualClock()

    private func store(names: [String] = ["127.0.0.1"], _ change: (inout CertificateAuthorityStore.Configuration) -> Void = { _ in })
        -> CertificateAuthorityStore
    {
        var configuration = CertificateAuthorityStore.Configuration()
        configuration.names = names
        change(&configuration)
        return CertificateAuthorityStore(api: api, configuration: configuration, clock: clock, logger: quiet)
    }

    private func bytes(_ secret: String, _ field: String) async -> [UInt8] {
        let object = await api.object(Resources.secrets, ObjectKey(namespace: "kubeedge", name: secret))
        return object?.json["data"][field].string.flatMap { Base64.decode($0) } ?? []
    }

    @Test("makes both pairs once, as upstream stores them, and finds them again")
    func once() async throws {
        let first = try await store().prepare()
        await #expect(bytes("casecret", "cadata") == first.authority.certificate)
        await #expect(bytes("casecret", "cakeydata") == first.authority.key.der.exposed)
        await #expect(bytes("cloudcoresecret", "cloudcoredata") == first.server.certificate)
        await #expect(bytes("cloudcoresecret", "cloudcorekeydata") == first.server.key.der.exposed)
        let secret = try #require(await api.object(Resources.secrets, ObjectKey(namespace: "kubeedge", name: "casecret")))
        #expect(secret.json["type"].string == "Opaque")
        let second = try await store().prepare()
        #expect(second.authority.certificate == first.authority.certificate)
        #expect(second.server.certificate == first.server.certificate)
    }

    @Test("takes the authority of an instance that was faster")
    func race() async throws {
        let other = try await store().prepare()
        // What this instance saw before the other one wrote.
        await api.fail(.get, Resources.secrets, times: 1, with: KubeStatus(code: 404, reason: "NotFound", message: "not found"))
        let own = try await store().prepare()
        #expect(own.authority.certificate == other.authority.certificate)
    }

    @Test("T55 never makes a new authority because of a failed read or a broken secret")
    func neverAgain() async throws {
        let good = try await store().prepare()
        await api.fail(.get, Resources.secrets, times: 1, with: KubeStatus(code: 504, reason: "Timeout", message: "timeout"))
        await #expect(throws: KubeStatus.self) { try await store().prepare() }
        await #expect(bytes("casecret", "cadata") == good.authority.certificate)
        var secret = try #require(await api.object(Resources.secrets, ObjectKey(namespace: "kubeedge", name: "casecret")))
        secret.json["data"]["cakeydata"] = "AAAA"
        await api.put(Resources.secrets, secret)
        let error = await #expect(throws: CloudHubError.self) { try await store().prepare() }
        #expect(error?.message.contains("casecret") == true)
        await #expect(bytes("casecret", "cadata") == good.authority.certificate)
    }

    @Test("issues a new server certificate when a name is missing, and keeps the names of other instances")
    func names() async throws {
        let first = try await store(names: ["192.0.2.1"]).prepare()
        let second = try await store(names: ["192.0.2.2", "", "cloud.example"]).prepare()
        #expect(second.authority.certificate == first.authority.certificate)
        let facts = try CertificateFacts(der: second.server.certificate)
        #expect(facts.ipAddresses == ["192.0.2.1", "192.0.2.2"])
        #expect(facts.dnsNames == ["cloud.example"])
        let third = try await store(names: ["192.0.2.1"]).prepare()
        #expect(third.server.certificate == second.server.certificate)
    }

    @Test("prefers local files, writes them to the secret, and wants both of a pair")
    func files() async throws {
        let folder = "/tmp/authority-store-\(UniqueID.next())"
        let (certificate, key) = (folder + "/rootCA.crt", folder + "/rootCA.key")
        defer {
            unlink(certificate)
            unlink(key)
            rmdir(folder)
        }
        _ = try await store().prepare()
        let local = try CertificateAuthority(now: clock.now().wall)
        try DurableFile.write(PEMBlock.text(certificate: local.certificate), to: certificate, mode: 0o644)
        let subject = store {
            $0.authorityFile = certificate
            $0.authorityKeyFile = key
        }
        let error = await #expect(throws: CloudHubError.self) { try await subject.prepare() }
        #expect(error?.message.hasPrefix("\(certificate) exists but \(key) does not") == true)
        try DurableFile.write(local.key.pem.exposed, to: key, mode: 0o600)
        let credentials = try await subject.prepare()
        #expect(credentials.authority.certificate == local.certificate)
        await #expect(bytes("casecret", "cakeydata") == local.key.der.exposed)
        _ = try local.verify(credentials.server.certificate, for: .server, at: clock.now().wall)
    }

    @Test("makes the namespace where it is missing")
    func namespace() async throws {
        let missing = KubeStatus(code: 404, reason: "NotFound", message: "namespaces \"kubeedge\" not found")
        await api.fail(.create, Resources.secrets, times: 1, with: missing)
        _ = try await store().prepare()
        await #expect(api.object(Resources.namespaces, ObjectKey(namespace: nil, name: "kubeedge")) != nil)
        await #expect(bytes("casecret", "cadata") != [])
    }

    @Test("keeps a token that never expires while the API works again in time")
    func tokens() async throws {
        let credentials = try await store().prepare()
        let hour = Duration.seconds(3600)
        let keeper = CertificateTokenKeeper(api: api, authority: credentials.authority, interval: hour * 12, clock: clock, logger: quiet)
        func token() async throws -> JoinToken { try JoinToken(parsing: String(decoding: await bytes("tokensecret", "tokendata"), as: UTF8.self)) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await keeper.run() }
            try await api.wait { $0.objects(Resources.secrets).contains { $0.name == "tokensecret" } }
            let first = try await token()
            #expect(first.expiry == clock.now().wall + hour * 24)
            try first.checkAuthority(credentials.authority.certificate)
            try JoinToken.verify(webToken: first.webToken.exposed, authority: credentials.authority, at: clock.now().wall)
            group.cancelAll()
            while let _ = try? await group.next() {}
        }
        clock.advance(by: hour * 13)
        try await keeper.refresh()
        let second = try await token()
        #expect(second.expiry == clock.now().wall + hour * 24)
    }
}

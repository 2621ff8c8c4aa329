import EdgeTesting
import FoundationEssentials
import KubeMachinery
import KubeResources
import Logging
import Primitives
import Testing
import Trust

@testable import CloudHub

private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
private let day = Duration.seconds(86400)

@Suite("Join tokens", .timeLimit(.minutes(1)))
struct JoinTokensTests {
    private let clock = ManualClock()
    private let api: FakeKubeAPI
    private let authority: CertificateAuthority
    private let tokens: JoinTokens

    init() throws {
        api = FakeKubeAPI(clock: clock)
        authority = try CertificateAuthority(now: clock.now().wall)
        tokens = JoinTokens(api: api, authority: authority, clock: clock, logger: quiet)
    }

    private func request(_ name: String, node: String? = nil, ttl: String? = nil) async throws -> KubeObject {
        var secret = KubeObject(apiVersion: "v1", kind: "Secret", namespace: "kubeedge", name: name)
        secret.json["type"] = .string(JoinTokens.secretType)
        secret.json["data"] = [:]
        for (key, value) in [("node", node), ("ttl", ttl)] {
            if let value { secret.json["data"][key] = .string(Base64.encode(Array(value.utf8))) }
        }
        return try await api.create(Resources.secrets, secret)
    }

    private func secret(_ name: String) async throws -> KubeObject {
        try #require(await api.object(Resources.secrets, ObjectKey(namespace: "kubeedge", name: name)))
    }

    private func text(_ secret: KubeObject, _ key: String) throws -> String {
        String(decoding: try #require(secret.json["data"][key].string.flatMap { Base64.decode($0) }), as: UTF8.self)
    }

    private func token(_ name: String) async throws -> String {
        let token = try JoinToken(parsing: text(try await secret(name), "token"))
        try token.checkAuthority(authority.certificate)
        return token.webToken.exposed
    }

    /// The status and the words of a refusal; nil where the node may join.
    private func refusal(_ webToken: String, _ node: String) async throws -> String? {
        do { try await tokens.admit(webToken, node: node) } catch let refusal as JoinTokens.Refusal { return "\(refusal.status) \(refusal.message)" }
        return nil
    }

    @Test func `a secret of the type asks for a token, which is for its node, for its time, and until the secret is gone`() async throws {
        try await tokens.take(try await request("line-3", node: "edge-3", ttl: "1h30m"))
        let expiry = clock.now().wall + .seconds(5400)
        #expect(try text(try await secret("line-3"), "expiration") == expiry.rfc3339)
        let token = try await token("line-3")
        #expect(try await refusal(token, "edge-3") == nil)
        #expect(try await refusal(token, "edge-4") == "403 Invalid authorization token: it is for the node edge-3, not for edge-4")
        clock.advance(by: .seconds(5400))
        #expect(try await refusal(token, "edge-3") == "400 Invalid authorization token: the token expired at \(expiry.rfc3339)")

        try await tokens.take(try await request("any"))
        let other = try await self.token("any")
        #expect(try JoinToken(parsing: text(try await secret("any"), "token")).expiry == clock.now().wall + day)
        #expect(try await refusal(other, "edge-4") == nil)
        try await api.delete(Resources.secrets, ObjectKey(namespace: "kubeedge", name: "any"))
        let revoked = "401 Invalid authorization token: it has been revoked, its secret in the cluster is gone"
        #expect(try await refusal(other, "edge-4") == revoked)
        try await tokens.take(try await request("any"))
        #expect(try await refusal(other, "edge-4") == revoked, "a new secret of the same name does not bring back the old token")
        #expect(try await refusal(try await self.token("any"), "edge-4") == nil)
    }

    @Test func `a request that cannot be answered says why, and is answered once it is mended`() async throws {
        for (node, ttl, words) in [
            ("Edge_1", "1h", "is no name of a node"), ("edge-1", "soon", "is no duration"), ("edge-1", "-1h", "is no duration"),
        ] {
            try await tokens.take(try await request("bad", node: node, ttl: ttl))
            var secret = try await secret("bad")
            #expect(secret.metadata["annotations"][JoinTokens.problemAnnotation].string?.contains(words) == true)
            #expect(secret.json["data"]["token"].isNull)
            secret.json["data"]["node"] = .string(Base64.encode(Array("edge-1".utf8)))
            secret.json["data"]["ttl"] = .string(Base64.encode(Array("10m".utf8)))
            try await tokens.take(try await api.update(Resources.secrets, secret))
            #expect(try await refusal(try await token("bad"), "edge-1") == nil)
            #expect(try await self.secret("bad").metadata["annotations"].members.isEmpty)
            try await api.delete(Resources.secrets, secret.key)
        }
    }

    @Test func `a token that was copied into another secret is replaced, and one that stands is left alone`() async throws {
        try await tokens.take(try await request("first"))
        let before = try await secret("first")
        try await tokens.take(before)
        #expect(try await secret("first").version == before.version)
        var second = try await request("second")
        second.json["data"]["token"] = before.json["data"]["token"]
        try await tokens.take(try await api.update(Resources.secrets, second))
        #expect(try await secret("second").json["data"]["token"] != before.json["data"]["token"])
        #expect(try await refusal(try await token("second"), "edge-1") == nil)
    }

    @Test func `while the API is away nobody is told that a good token is bad`() async throws {
        try await tokens.take(try await request("first"))
        let token = try await token("first")
        await api.fail(.get, Resources.secrets, times: 1, with: KubeStatus.serviceUnavailable("etcd is away"))
        #expect(try await refusal(token, "edge-1")?.hasPrefix("503 ") == true)
        #expect(try await refusal(token, "edge-1") == nil)
    }

    @Test func `the shared tokens are good until they expire, and all revoked by deleting their secret, which comes anew`() async throws {
        let keeper = CertificateTokenKeeper(api: api, authority: authority, interval: day / 2, clock: clock, logger: quiet)
        let controller = JoinTokenController(tokens: tokens, api: api, clock: clock, logger: quiet)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await keeper.run(revoked: tokens.sharedRevoked) }
            group.addTask { try await controller.run() }
            try await api.wait { $0.objects(Resources.secrets).contains { $0.name == "tokensecret" } }
            let first = try JoinToken(parsing: text(try await secret("tokensecret"), "tokendata")).webToken.exposed
            try await keeper.refresh()
            let second = try JoinToken(parsing: text(try await secret("tokensecret"), "tokendata")).webToken.exposed
            #expect(first != second)
            for token in [first, second] { #expect(try await refusal(token, "edge-1") == nil) }
            // The watch must have seen the secret before its deletion can be seen.
            let request = try await request("marker")
            try await api.wait { !($0.object(Resources.secrets, request.key)?.json["data"]["token"].isNull ?? true) }
            let old = try await secret("tokensecret").uid
            try await api.delete(Resources.secrets, ObjectKey(namespace: "kubeedge", name: "tokensecret"))
            try await api.wait { $0.objects(Resources.secrets).contains { $0.name == "tokensecret" && $0.uid != old } }
            for token in [first, second] { #expect(try await refusal(token, "edge-1")?.hasPrefix("401 ") == true) }
            let third = try JoinToken(parsing: text(try await secret("tokensecret"), "tokendata")).webToken.exposed
            #expect(try await refusal(third, "edge-1") == nil)
            let stock = JoinToken(authority: authority, expiry: clock.now().wall + day)
            #expect(try await refusal(stock.webToken.exposed, "edge-1") == nil, "a Go cloudcore's tokens have no number")
            group.cancelAll()
            while let _ = try? await group.next() {}
        }
    }
}

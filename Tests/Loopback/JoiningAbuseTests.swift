import EdgeHub
import EdgeTransport
import Glibc
import Primitives
import Synchronization
import Testing
import Trust

/// Certificate requests and join tokens that are not what they should be, at the real certificate service and at the edge.
@Suite("Abuse of joining", .timeLimit(.minutes(3)))
struct JoiningAbuseTests {
    // MARK: - T21

    /// Requests that no certificate may come of: name, DER, and what the refusal says.
    private static func requests() throws -> [(name: String, der: [UInt8], cause: String)] {
        let good = try SigningRequest.make(node: "edge-1", key: SigningKey())
        func other(_ commonName: String, _ organizations: [String]) throws -> [UInt8] {
            try SigningRequest.make(commonName: commonName, organizations: organizations, key: SigningKey())
        }
        let unreadable = "the certificate request cannot be read"
        let subject = "may only ask for CN=system:node:edge-1, O=system:nodes"
        return [
            ("nothing", [], unreadable), ("garbage", [1, 2, 3], unreadable), ("PEM", Array(PEMBlock(label: "X", bytes: good).text.utf8), unreadable),
            ("a length of 4 GiB", [0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF], unreadable), ("no length", [0x30, 0x80], unreadable),
            ("nested without end", [UInt8](repeating: 0x30, count: 16000), unreadable), ("cut", good.dropLast(10), unreadable),
            ("more behind it", good + [0], unreadable), ("too large", good + [UInt8](repeating: 0, count: 16384), "larger than 16 KiB"),
            ("another node", try SigningRequest.make(node: "edge-2", key: SigningKey()), subject),
            ("no prefix", try other("edge-1", ["system:nodes"]), subject), ("no node", try other("system:node:", ["system:nodes"]), subject),
            ("an administrator", try other("system:node:edge-1", ["system:masters"]), subject),
            ("one too many", try other("system:node:edge-1", ["system:nodes", "system:masters"]), subject),
            ("no organization", try other("system:node:edge-1", []), subject),
            ("another's signature", try CertificateRequestForge.signedByAnother("edge-1"), "is not signed with its own key"),
            ("an RSA key of 16384 bits", try CertificateRequestForge.rsa("edge-1", bits: 16384), "certificate request"),
            ("an RSA key of 1024 bits", try CertificateRequestForge.rsa("edge-1", bits: 1024), "certificate request"),
        ]
    }

    @Test("T21 a certificate request that is none, or is for anything but the node's own certificate, is refused with its cause")
    func signingRequests() async throws {
        try await CloudBed.run { cloud in
            let token = cloud.token.webToken.exposed
            for request in try Self.requests() {
                let answer = try await cloud.apply(request.der, node: "edge-1", token: token)
                #expect(answer.status == 400, "\(request.name): \(answer.text)")
                #expect(answer.text.contains(request.cause), "\(request.name): \(answer.text)")
            }
            let large = try await cloud.apply([UInt8](repeating: 0x30, count: 2 << 20), node: "edge-1", token: token)
            #expect(large.status == 413)
            let key = SigningKey()
            let good = try await cloud.apply(try SigningRequest.make(node: "edge-1", key: key), node: "edge-1", token: token)
            #expect(good.status == 200)
            try KeyPair(certificate: good.body, key: key).checkMatch()
        }
    }

    // MARK: - T22

    /// Tokens that open nothing, made from the claims of a good one.
    private static func tokens(
        _ good: String, _ authority: CertificateAuthority, _ now: Timestamp
    ) throws -> [(name: String, text: String, cause: String)] {
        let claims = try JSONWebToken(parsing: good).claims
        let parts = good.split(separator: ".").map(String.init)
        let secret = authority.key.der.exposed
        func signed(_ change: (inout JSONValue) -> Void) -> String {
            var changed = claims
            change(&changed)
            return JSONWebToken.sign(changed, secret: secret)
        }
        func header(_ text: String) -> String { Base64.encodeURL(text.utf8) }
        let hour = Duration.seconds(3600)
        let (past, future) = (now + .seconds(-5), now + hour)
        let signature = "the signature of the token does not hold"
        let longer = Base64.encodeURL((["exp": .integer((now + hour * 1000).seconds)] as JSONValue).encoded())
        let foreign = try CertificateAuthority(now: now)
        let publicKey = JSONWebToken.PublicKey(authority.key)
        return [
            ("none", "\(header(#"{"alg":"none"}"#)).\(parts[1]).", signature),
            ("nOnE", "\(header(#"{"alg":"nOnE"}"#)).\(parts[1]).\(parts[2])", signature),
            ("no algorithm", "\(header("{}")).\(parts[1]).\(parts[2])", signature),
            ("expired", signed { $0["exp"] = .integer(past.seconds) }, "expired at \(Timestamp(seconds: past.seconds).rfc3339)"),
            ("not yet valid", signed { $0["nbf"] = .integer(future.seconds) }, "valid from \(Timestamp(seconds: future.seconds).rfc3339) on"),
            ("made in the future", signed { $0["iat"] = .integer(future.seconds) }, "check the clocks"),
            ("a time that is none", signed { $0["exp"] = "tomorrow" }, "exp of the token is no time"),
            ("a time beyond all", signed { $0["exp"] = .decimal("1e300") }, "exp of the token is no time"),
            ("cut", String(good.dropLast(8)), "token"), ("no signature", "\(parts[0]).\(parts[1]).", signature),
            ("two parts", "\(parts[0]).\(parts[1])", "no JSON web token"), ("five parts", good + ".a.b", "no JSON web token"),
            ("with the hash", CertificateAuthority.fingerprint(of: authority.certificate) + "." + good, "no JSON web token"),
            ("16 KiB", signed { $0["x"] = .string(String(repeating: "x", count: 16384)) }, "no JSON web token"),
            ("longer than signed", "\(parts[0]).\(longer).\(parts[2])", signature),
            ("the key of another cluster", JSONWebToken.sign(claims, secret: foreign.key.der.exposed), signature),
            // Who knows the public half has no secret: under the name of an HMAC it is worth nothing.
            ("the certificate as secret", JSONWebToken.sign(claims, secret: authority.certificate), signature),
            ("the public key as secret", JSONWebToken.sign(claims, secret: authority.key.publicKeyInfo), signature),
            ("the PEM of it as secret", JSONWebToken.sign(claims, secret: Array(publicKey.pem.utf8)), signature),
            ("no secret", JSONWebToken.sign(claims, secret: []), signature),
            ("ES256", try JSONWebToken.sign(claims, key: SigningKey()), signature),
            ("another node's", signed { $0["sub"] = "system:node:edge-2" }, "it is for the node edge-2, not for edge-1"),
            ("an administrator's", signed { $0["sub"] = "system:masters" }, "for something that is no node"),
            ("revoked", signed { $0["jti"] = "bootstrap/gone" }, "it has been revoked"),
            ("RS256", "\(header(#"{"alg":"RS256","typ":"JWT"}"#)).\(parts[1]).\(parts[2])", signature),
        ]
    }

    @Test("T22 a token that is unsigned, expired, early, cut or signed with any other key gets no certificate, and is told why")
    func joinTokens() async throws {
        try await CloudBed.run { cloud in
            let good = cloud.token.webToken.exposed
            for token in try Self.tokens(good, cloud.authority, SystemClock().now().wall) {
                let request = try SigningRequest.make(node: "edge-1", key: SigningKey())
                let answer = try await cloud.apply(request, node: "edge-1", token: token.text)
                #expect([400, 401, 403].contains(answer.status), "\(token.name): \(answer.status) \(answer.text)")
                #expect(answer.text.contains(token.cause), "\(token.name): \(answer.text)")
            }
            let answer = try await cloud.apply(try SigningRequest.make(node: "edge-1", key: SigningKey()), node: "edge-1", token: good)
            #expect(answer.status == 200)
        }
    }

    // MARK: - T23

    @Test("T23 an edge with the token of another cluster says so, and never shows the token to the cloud it reached")
    func otherCluster() async throws {
        let folder = "/tmp/loopback-foreign-\(UniqueID.next())"
        let files = CertificateFiles(authority: folder + "/ca.crt", certificate: folder + "/node.crt", key: folder + "/node.key")
        let log = CapturedLog()
        let asked = Mutex<[String]>([])
        try await CloudBed.run { other in
            let token = other.token.text
            try await CloudBed.run { cloud in
                let application = CertificateApplication(
                    CertificateApplication.Configuration(nodeName: "edge-1", files: files, token: token), logger: log.logger
                ) { question in
                    asked.withLock { $0.append("\(question.path) \(question.headers.map(\.name))") }
                    return try await CloudBed.ask(cloud.address(.certificates), question)
                }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await application.run {} }
                    let line = try #require(await log.line(with: "certificate application failed"))
                    #expect(line.contains("the token is of another cluster, or somebody is in between"), "\(line)")
                    #expect(line.contains("keadm gettoken"), "\(line)")
                    #expect(!line.contains(token.exposed.suffix(43)))
                    group.cancelAll()
                    while let result = await group.nextResult() { _ = result }
                }
            }
        }
        #expect(asked.withLock { Set($0) } == ["/ca.crt []"])
        #expect(access(folder, F_OK) != 0)
    }
}

/// PKCS#10 requests that no honest library makes.
private enum CertificateRequestForge {
    /// The request of one key with the signature of another.
    static func signedByAnother(_ node: String) throws -> [UInt8] {
        let victim = parts(try SigningRequest.make(node: node, key: SigningKey()))
        let thief = parts(try SigningRequest.make(node: node, key: SigningKey()))
        return value(0x30, victim[0] + victim[1] + thief[2])
    }

    /// A request with an RSA key of any size, signed with noise.
    static func rsa(_ node: String, bits: Int) throws -> [UInt8] {
        let subject = parts(parts(try SigningRequest.make(node: node, key: SigningKey()))[0])[1]
        var modulus = (0..<(bits / 8)).map { _ in UInt8.random(in: 0...255) }
        modulus[0] |= 0x80
        modulus[modulus.count - 1] |= 1
        let key = value(0x30, value(0x02, [0] + modulus) + value(0x02, [1, 0, 1]))
        func algorithm(_ last: UInt8) -> [UInt8] {
            value(0x30, value(0x06, [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, last]) + [5, 0])
        }
        let info = value(0x30, value(0x02, [0]) + subject + value(0x30, algorithm(1) + value(0x03, [0] + key)) + [0xA0, 0])
        return value(0x30, info + algorithm(11) + value(0x03, [0] + modulus.map { $0 & 0x7F }))
    }

    private static func value(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        guard content.count > 127 else { return [tag, UInt8(content.count)] + content }
        return [tag, 0x82, UInt8(content.count >> 8), UInt8(content.count & 0xFF)] + content
    }

    /// The elements of a value, each with its tag and length.
    private static func parts(_ der: [UInt8]) -> [[UInt8]] {
        var parts: [[UInt8]] = []
        var index = content(der, 0).lowerBound
        while index < der.count {
            let end = content(der, index).upperBound
            parts.append(Array(der[index..<end]))
            index = end
        }
        return parts
    }

    private static func content(_ der: [UInt8], _ start: Int) -> Range<Int> {
        let first = Int(der[start + 1])
        guard first > 127 else { return (start + 2)..<(start + 2 + first) }
        let octets = first & 0x7F
        let length = der[(start + 2)..<(start + 2 + octets)].reduce(0) { $0 << 8 | Int($1) }
        return (start + 2 + octets)..<(start + 2 + octets + length)
    }
}

import Primitives
import Testing
import Trust

let noon = Timestamp(seconds: 1_717_200_000)
let day = Duration.seconds(86400)

@Suite("A certificate authority")
struct CertificateAuthorityTests {
    @Test("has the properties of a stock one")
    func properties() throws {
        let authority = try CertificateAuthority(now: noon)
        let facts = try CertificateFacts(der: authority.certificate)
        #expect(facts.commonName == "KubeEdge")
        #expect(facts.organizations == [])
        #expect(facts.serialNumber == "0400")
        #expect(facts.isAuthority)
        #expect(facts.usages == [.server, .client])
        #expect(facts.notBefore == noon)
        #expect(facts.notAfter == noon + .seconds(100 * 365 * 86400))
        #expect(authority.fingerprint.count == 64)
        // The same length as the CA of a Go cloudcore in the captures, up to the varying length of the signature.
        #expect(abs(authority.certificate.count - Captured.authority.count) <= 3)
    }

    @Test("keeps its key byte for byte through DER and PEM")
    func keys() throws {
        let key = SigningKey()
        #expect(key.der.exposed.count == 121)
        #expect(try SigningKey(der: key.der.exposed).der.exposed == key.der.exposed)
        #expect(key.pem.exposed.hasPrefix("-----BEGIN EC PRIVATE KEY-----\n"))
        #expect(try SigningKey(pem: key.pem.exposed).der.exposed == key.der.exposed)
        #expect("\(key.pem)" == "<redacted>")
        #expect(throws: TrustError.self) { try SigningKey(der: Array("nonsense".utf8)) }
        #expect(throws: TrustError.self) { try SigningKey(pem: "") }
    }

    @Test("signs leaves that verify for their use, in their time, by this authority only")
    func leaves() throws {
        let authority = try CertificateAuthority(now: noon)
        let other = try CertificateAuthority(now: noon)
        let pair = try authority.issue(.node("edge-1", lifetime: day), now: noon)
        let facts = try authority.verify(pair.certificate, for: .client, at: noon)
        #expect(NodeSubject.node(of: facts) == "edge-1")
        #expect(facts.dnsNames == [] && facts.ipAddresses == [])
        try pair.checkMatch()
        func code(_ body: () throws -> Void) -> TrustError.Code? {
            do { try body() } catch { return (error as? TrustError)?.code }
            return nil
        }
        #expect(code { _ = try authority.verify(pair.certificate, for: .server, at: noon) } == .wrongUsage)
        #expect(code { _ = try authority.verify(pair.certificate, for: .client, at: noon + day + .seconds(1)) } == .expired)
        #expect(code { _ = try authority.verify(pair.certificate, for: .client, at: noon + .seconds(-1)) } == .notYetValid)
        #expect(code { _ = try other.verify(pair.certificate, for: .client, at: noon) } == .wrongAuthority)
        #expect(code { _ = try authority.verify(Array("x".utf8), for: .client, at: noon) } == .malformedCertificate)
        #expect(code { _ = try authority.verify(authority.certificate, for: .client, at: noon) } == .wrongUsage)
    }

    @Test("puts addresses, names and nothing empty into a server certificate")
    func names() throws {
        let authority = try CertificateAuthority(now: noon)
        let profile = LeafProfile.cloudServer(names: ["", "127.0.0.1", "cloud.example", "fd00::1", ""])
        let facts = try CertificateFacts(der: try authority.issue(profile, now: noon).certificate)
        #expect(facts.dnsNames == ["cloud.example"])
        #expect(facts.ipAddresses == ["127.0.0.1", "fd00::1"])
        #expect(facts.usages == [.server])
        #expect(facts.organizations == ["KubeEdge"])
    }

    @Test("draws the rotation time between seven and nine tenths of the lifetime")
    func rotation() throws {
        let authority = try CertificateAuthority(now: noon)
        let facts = try CertificateFacts(der: try authority.issue(.node("a", lifetime: .seconds(1000)), now: noon).certificate)
        #expect(facts.rotationTime(share: 0.7) == noon + .seconds(700))
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<100 {
            let time = facts.rotationTime(using: &generator)
            #expect(time >= noon + .seconds(700) && time < noon + .seconds(900))
        }
    }
}

@Suite("A certificate request")
struct SigningRequestTests {
    @Test("of a Go edge is accepted for its node and no other")
    func stock() throws {
        let request = try SigningRequest(der: Captured.request)
        try request.checkSubject(node: "edge-node")
        #expect(throws: TrustError.self) { try request.checkSubject(node: "other") }
        let authority = try CertificateAuthority(now: noon)
        let leaf = try authority.issue(.node("edge-node", lifetime: day), for: request, now: noon)
        #expect(abs(leaf.count - Captured.leaf.count) <= 3)
        let ours = try CertificateFacts(der: leaf)
        let theirs = try CertificateFacts(der: Captured.leaf)
        #expect(ours.commonName == theirs.commonName)
        #expect(ours.organizations == theirs.organizations)
        #expect(ours.usages == theirs.usages)
        #expect(ours.publicKeyInfo == theirs.publicKeyInfo)
    }

    @Test("of ours has the form of a Go edge's, up to key and signature")
    func form() throws {
        let request = try SigningRequest.make(node: "edge-node", key: SigningKey())
        let subject = Captured.request[6..<115]
        #expect(request[6..<115].elementsEqual(subject) || request[7..<116].elementsEqual(subject))
        #expect(abs(request.count - Captured.request.count) <= 3)
    }

    @Test("that was tampered with, cut or made up is refused")
    func refused() throws {
        var tampered = Captured.request
        tampered[100] ^= 1
        #expect(throws: TrustError.self) { try SigningRequest(der: tampered) }
        for length in stride(from: 0, to: Captured.request.count, by: 7) {
            #expect(throws: TrustError.self) { try SigningRequest(der: Array(Captured.request[0..<length])) }
        }
        #expect(throws: TrustError.self) { try SigningRequest(der: [UInt8](repeating: 0x30, count: 20000)) }
    }

    @Test("for another organization than system:nodes is refused")
    func organization() throws {
        let request = try SigningRequest(
            der: try SigningRequest.make(commonName: "system:node:a", organizations: ["system:masters"], key: SigningKey()))
        #expect(throws: TrustError.self) { try request.checkSubject(node: "a") }
    }
}

@Suite("PEM")
struct PEMTests {
    @Test("finds blocks among other text")
    func parse() {
        let block = PEMBlock(label: "CERTIFICATE", bytes: (0..<100).map { UInt8($0) })
        let text = "Certificate:\n  Data\n" + block.text + "\n# a note\r\n" + PEMBlock(label: "X", bytes: [1]).text
        #expect(PEMBlock.parse(text) == [block, PEMBlock(label: "X", bytes: [1])])
        #expect(PEMBlock.parse(block.text.split(separator: "\n").joined(separator: "\r\n")) == [block])
    }

    @Test(
        "skips what is broken",
        arguments: [
            "", "-----BEGIN A-----\nAQ==\n", "-----BEGIN A-----\nAQ==\n-----END B-----\n", "-----BEGIN A-----\n%%\n-----END A-----\n",
            "-----BEGIN ", "-----END A-----",
        ])
    func broken(text: String) { #expect(PEMBlock.parse(text) == []) }
}

import Primitives
import Testing
import Trust

@Suite("A join token")
struct JoinTokenTests {
    @Test("has four parts, the first of them the fingerprint of the CA, and verifies")
    func form() throws {
        let authority = try CertificateAuthority(now: noon)
        let token = JoinToken(authority: authority, expiry: noon + day)
        let text = token.text.exposed
        #expect(text.split(separator: ".").count == 4)
        #expect(text.hasPrefix(authority.fingerprint + ".eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."))
        #expect(token.expiry == noon + day)
        let read = try JoinToken(parsing: "\n " + text + "\r\n")
        #expect(read.text.exposed == text)
        try read.checkAuthority(authority.certificate)
        try JoinToken.verify(webToken: read.webToken.exposed, authority: authority, at: noon)
        #expect("\(token.webToken) \(token)".contains("eyJ") == false)
    }

    @Test("of another cluster, expired, cut or unsigned is refused")
    func refused() throws {
        let authority = try CertificateAuthority(now: noon)
        let other = try CertificateAuthority(now: noon)
        let token = JoinToken(authority: authority, expiry: noon + day)
        func code(_ text: String, at time: Timestamp = noon, _ authority: CertificateAuthority) -> TrustError.Code? {
            do { try JoinToken.verify(webToken: text, authority: authority, at: time) } catch { return (error as? TrustError)?.code }
            return nil
        }
        let text = token.webToken.exposed
        #expect(code(text, authority) == nil)
        #expect(code(text, other) == .badSignature)
        #expect(code(text, at: noon + day, authority) == .expired)
        #expect(code(String(text.dropLast()), authority) != nil)
        #expect(code("", authority) == .malformedToken)
        #expect(code("a.b", authority) == .malformedToken)
        #expect(code(Captured.webToken, authority) == .badSignature)
        let parts = text.split(separator: ".")
        let none = Base64.encodeURL(#"{"alg":"none","typ":"JWT"}"#.utf8)
        #expect(code("\(none).\(parts[1]).", authority) == .badSignature)
        #expect(code("\(none).\(parts[1]).\(parts[2])", authority) == .badSignature)
        #expect(throws: TrustError.self) { try token.checkAuthority(other.certificate) }
    }

    @Test("must have exactly four parts", arguments: ["", "a.b.c.d", "a.b.c", String(repeating: "0", count: 64) + ".a..c"])
    func malformed(text: String) { #expect(throws: TrustError.self) { try JoinToken(parsing: text) } }

    @Test("of a Go cloudcore is read")
    func stock() throws {
        let token = try JoinToken(parsing: CertificateAuthority.fingerprint(of: Captured.authority) + "." + Captured.webToken)
        try token.checkAuthority(Captured.authority)
        #expect(token.expiry == Timestamp(seconds: 1_795_518_765))
    }
}

@Suite("A JSON web token")
struct JSONWebTokenTests {
    @Test("signed with a P-256 key verifies with that key only and names it")
    func ecdsa() throws {
        let key = SigningKey()
        let text = try JSONWebToken.sign(["sub": "system:serviceaccount:default:default", "exp": 1_717_200_100, "nbf": 1_717_200_000], key: key)
        let token = try JSONWebToken(parsing: text)
        let publicKey = JSONWebToken.PublicKey(key)
        #expect(token.header["kid"].string == publicKey.identifier)
        #expect(token.header["alg"].string == "ES256")
        try token.verify(publicKey)
        try token.verifyTimes(at: noon)
        #expect(throws: TrustError.self) { try token.verifyTimes(at: noon + .seconds(100)) }
        #expect(throws: TrustError.self) { try token.verifyTimes(at: noon + .seconds(-1)) }
        #expect(throws: TrustError.self) { try token.verify(JSONWebToken.PublicKey(SigningKey())) }
        #expect(throws: TrustError.self) { try token.verify(secret: Array(publicKey.pem.utf8)) }
        #expect(publicKey.webKey["kty"].string == "EC")
        #expect(publicKey.pem.hasPrefix("-----BEGIN PUBLIC KEY-----\n"))
    }

    @Test("takes HS256, HS384 and HS512 with a secret, and checks the content")
    func hmac() throws {
        let secret = Array("secret".utf8)
        let text = JSONWebToken.sign(["exp": 1], secret: secret)
        try JSONWebToken(parsing: text).verify(secret: secret)
        // Made elsewhere: {"alg":"HS512"}.{}
        let strong =
            "eyJhbGciOiJIUzUxMiJ9.e30.P_BilX5OMTZKsBDTFb9h2C5aNxDSLeVYdFVlW-kFPt8qhmCbCCSc59tt4AGdEHRhjIdKjE-Q-d0Se3XEk0_EuQ"
        let forged = text.split(separator: ".")[0] + "." + Base64.encodeURL(#"{"exp":99999999999}"#.utf8) + "." + text.split(separator: ".")[2]
        #expect(throws: TrustError.self) { try JSONWebToken(parsing: forged).verify(secret: secret) }
        #expect(throws: Never.self) { try JSONWebToken(parsing: strong).verify(secret: secret) }
    }
}

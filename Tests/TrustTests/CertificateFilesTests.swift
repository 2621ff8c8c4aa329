import Glibc
import Primitives
import Testing
import Trust

@Suite("The certificate files of a node")
struct CertificateFilesTests {
    private let folder: String
    private let files: CertificateFiles
    private let authority: CertificateAuthority

    init() throws {
        folder = "/tmp/certificate-files-\(UniqueID.next())"
        files = CertificateFiles(authority: folder + "/ca/rootCA.crt", certificate: folder + "/certs/server.crt", key: folder + "/certs/server.key")
        authority = try CertificateAuthority(now: noon)
    }

    private func content() throws -> CertificateFiles.Content {
        CertificateFiles.Content(
            authority: authority.certificate, pair: try authority.issue(.node("edge", lifetime: day), now: noon))
    }

    private func remove() {
        for path in [files.authority, files.certificate, files.key, files.certificate + ".new"] { unlink(path) }
        for path in ["/ca", "/certs", ""] { rmdir(folder + path) }
    }

    @Test("are read as they were saved, the key for its owner only")
    func roundTrip() throws {
        defer { remove() }
        let content = try content()
        try files.save(content)
        let read = try files.load()
        #expect(read.authority == content.authority)
        #expect(read.pair.certificate == content.pair.certificate)
        #expect(read.pair.key.der.exposed == content.pair.key.der.exposed)
        var info = stat()
        #expect(stat(files.key, &info) == 0 && info.st_mode & 0o777 == 0o600)
        #expect(stat(files.certificate, &info) == 0 && info.st_mode & 0o777 == 0o644)
        #expect(try DurableFile.read(files.key).hasPrefix("-----BEGIN EC PRIVATE KEY-----"))
    }

    @Test("complete a replacement that stopped between key and certificate")
    func interrupted() throws {
        defer { remove() }
        let old = try content()
        let new = try content()
        try files.save(old)
        // What save leaves when the machine stops before its last rename.
        try DurableFile.write(PEMBlock.text(certificate: new.pair.certificate), to: files.certificate + ".new", mode: 0o644)
        try DurableFile.write(new.pair.key.pem.exposed, to: files.key, mode: 0o600)
        #expect(try files.load().pair.certificate == new.pair.certificate)
        #expect(access(files.certificate + ".new", F_OK) != 0)
        #expect(try files.load().pair.certificate == new.pair.certificate)
    }

    @Test("that are missing or do not match say so")
    func broken() throws {
        defer { remove() }
        #expect(throws: TrustError.self) { try files.load() }
        try files.save(try content())
        try DurableFile.write(SigningKey().pem.exposed, to: files.key, mode: 0o600)
        let error = #expect(throws: TrustError.self) { try files.load() }
        #expect(error?.code == .mismatchedPair)
        unlink(files.key)
        let missing = #expect(throws: TrustError.self) { try files.load() }
        #expect(missing?.code == .missingFile)
        #expect(missing?.message.contains(files.key) == true)
    }
}

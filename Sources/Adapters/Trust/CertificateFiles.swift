import Glibc
import Primitives

/// The three PEM files of a node: CA, certificate and key, in the stock edge's encodings (`spec/01 §2.6`).
package struct CertificateFiles: Sendable, Hashable {
    package var authority: String
    package var certificate: String
    package var key: String

    package init(authority: String, certificate: String, key: String) {
        self.authority = authority
        self.certificate = certificate
        self.key = key
    }

    /// What the files hold.
    package struct Content: Sendable {
        /// DER of the CA certificate.
        package var authority: [UInt8]
        package var pair: KeyPair

        package init(authority: [UInt8], pair: KeyPair) {
            self.authority = authority
            self.pair = pair
        }
    }

    /// Reads the files; key and certificate belong together, but may be out of date.
    ///
    /// A replacement that was cut off between its two renames is completed. Throws `missingFile`, `malformedCertificate`, `malformedKey`
    /// or `mismatchedPair`.
    package func load() throws -> Content {
        let authority = try PEMBlock.certificate(try DurableFile.read(authority))
        let key = try SigningKey(pem: try DurableFile.read(key))
        let current = KeyPair(certificate: try PEMBlock.certificate(try DurableFile.read(certificate)), key: key)
        do {
            try current.checkMatch()
            return Content(authority: authority, pair: current)
        } catch {
            let path = DurableFile.pendingPath(certificate)
            guard let text = try? DurableFile.read(path), let der = try? PEMBlock.certificate(text) else { throw error }
            let completed = KeyPair(certificate: der, key: key)
            try completed.checkMatch()
            try DurableFile.rename(path, to: certificate)
            return Content(authority: authority, pair: completed)
        }
    }

    /// Replaces all three files so that a crash at any point leaves an old or a new pair, never a mixture that `load` cannot mend.
    package func save(_ content: Content) throws {
        try content.pair.checkMatch()
        try DurableFile.write(PEMBlock.text(certificate: content.authority), to: authority, mode: 0o644)
        try DurableFile.writePending(PEMBlock.text(certificate: content.pair.certificate), to: certificate, mode: 0o644)
        try DurableFile.write(content.pair.key.pem.exposed, to: key, mode: 0o600)
        try DurableFile.rename(DurableFile.pendingPath(certificate), to: certificate)
    }
}

/// Small files that are replaced whole and are on the disk when a call returns.
package enum DurableFile {
    /// Reads a text file of up to 1 MiB. Throws `missingFile` or `storage`.
    package static func read(_ path: String) throws -> String {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            throw TrustError(
                code: errno == ENOENT ? .missingFile : .storage, message: errno == ENOENT ? "there is no file \(path)" : failure("read", path))
        }
        defer { close(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16384)
        while bytes.count <= 1 << 20 {
            let count = Glibc.read(file, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw TrustError(code: .storage, message: failure("read", path)) }
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[0..<count]
        }
        throw TrustError(code: .storage, message: "\(path) is larger than 1 MiB, which no file of this kind is")
    }

    /// Writes a file beside `path`, syncs it, renames it over `path` and syncs the directory; directories are made with 0755.
    package static func write(_ text: String, to path: String, mode: UInt32) throws {
        try writePending(text, to: path, mode: mode)
        try rename(pendingPath(path), to: path)
    }

    static func pendingPath(_ path: String) -> String { path + ".new" }

    static func writePending(_ text: String, to path: String, mode: UInt32) throws {
        try makeDirectory(directory(of: path))
        let pending = pendingPath(path)
        unlink(pending)
        let file = open(pending, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard file >= 0 else { throw TrustError(code: .storage, message: failure("write", pending)) }
        defer { close(file) }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw TrustError(code: .storage, message: failure("write", pending)) }
            rest = rest.dropFirst(count)
        }
        guard fchmod(file, mode) == 0, fsync(file) == 0 else { throw TrustError(code: .storage, message: failure("sync", pending)) }
    }

    static func rename(_ old: String, to new: String) throws {
        guard Glibc.rename(old, new) == 0 else { throw TrustError(code: .storage, message: failure("replace", new)) }
        let folder = open(directory(of: new), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if folder >= 0 {
            fsync(folder)
            close(folder)
        }
    }

    private static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func makeDirectory(_ path: String) throws {
        var info = stat()
        if path.isEmpty || stat(path, &info) == 0 { return }
        try makeDirectory(directory(of: path))
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw TrustError(code: .storage, message: failure("make", path)) }
    }

    private static func failure(_ verb: String, _ path: String) -> String { "cannot \(verb) \(path): \(String(cString: strerror(errno)))" }
}

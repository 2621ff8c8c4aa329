import FoundationEssentials
import Primitives
import Synchronization

/// The `Authorization` header; a token file is read again when what was read is older than 10 s.
final class CredentialSource: Sendable {
    private struct Cached {
        var header: String
        var read: Duration
    }

    private let credential: ClusterAccess.Credential
    private let clock: any MomentSource
    private let cached = Mutex<Cached?>(nil)

    init(_ credential: ClusterAccess.Credential, clock: any MomentSource) {
        self.credential = credential
        self.clock = clock
    }

    /// nil where the certificate alone speaks for the client. A token file that cannot be read now leaves the last token in use.
    func authorization() throws(KubeClientError) -> String? {
        switch credential {
        case .none: return nil
        case .token(let token): return "Bearer \(token.exposed)"
        case .password(let user, let password): return "Basic \(Data("\(user):\(password.exposed)".utf8).base64EncodedString())"
        case .tokenFile(let path): return try fileToken(path)
        }
    }

    private func fileToken(_ path: String) throws(KubeClientError) -> String {
        let now = clock.now().uptime
        let last = cached.withLock { $0 }
        if let last, now - last.read < .seconds(10) { return last.header }
        do throws(KubeClientError) {
            let token = try AccessFile.text(path, for: "the token").trimmingSpaces()
            guard !token.isEmpty else { throw KubeClientError(code: .file, message: "\(path), which should hold the token, is empty") }
            let fresh = Cached(header: "Bearer \(token)", read: now)
            cached.withLock { $0 = fresh }
            return fresh.header
        } catch {
            if let last { return last.header }
            throw error
        }
    }
}

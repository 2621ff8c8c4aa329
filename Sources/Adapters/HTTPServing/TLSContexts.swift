import NIOCore
package import NIOSSL
import Primitives
import Synchronization

/// Cipher suites for TLS 1.2; those of 1.3 are all good and need no list. The first is what Go peers have in common (`spec/01 §2.8`).
package let modernCipherSuites = [
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305",
].joined(separator: ":")

/// Makes the TLS context of a server and keeps it until the certificate changes.
final class TLSServerContexts: Sendable {
    private let source: @Sendable () throws -> HTTPServerTLS
    private let last = Mutex<(HTTPServerTLS, NIOSSLContext)?>(nil)

    init(_ source: @escaping @Sendable () throws -> HTTPServerTLS) { self.source = source }

    func makeHandler() throws -> NIOSSLServerHandler {
        let wanted = try source()
        let context = try last.withLock { last in
            if let last, last.0.isSame(as: wanted) { return last.1 }
            let context = try Self.makeContext(wanted)
            last = (wanted, context)
            return context
        }
        guard case .requested = wanted.clientCertificates else { return NIOSSLServerHandler(context: context) }
        return NIOSSLServerHandler(context: context, customVerificationCallback: { _, promise in promise.succeed(.certificateVerified) })
    }

    private static func makeContext(_ wanted: HTTPServerTLS) throws -> NIOSSLContext {
        do {
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: try TLSMaterial.certificates(wanted.certificateChain).map { .certificate($0) },
                privateKey: .privateKey(try TLSMaterial.privateKey(wanted.privateKey.exposed)))
            configuration.minimumTLSVersion = .tlsv12
            configuration.cipherSuites = modernCipherSuites
            configuration.applicationProtocols = ["http/1.1"]
            configuration.shutdownTimeout = .seconds(2)
            configuration.trustRoots = .certificates([])
            switch wanted.clientCertificates {
            case .none: configuration.certificateVerification = .none
            case .requested: configuration.certificateVerification = .optionalVerification
            case .required(let authorities):
                configuration.certificateVerification = .noHostnameVerification
                configuration.trustRoots = .certificates(try TLSMaterial.certificates(authorities))
            }
            return try NIOSSLContext(configuration: configuration)
        } catch let error as HTTPServingError {
            throw error
        } catch {
            throw HTTPServingError(
                code: .invalidCertificate,
                message: "the server certificate and its key cannot be used together: \(error); check that they belong together")
        }
    }
}

/// Reads certificates and keys for TLS, PEM or DER as their first bytes tell.
package enum TLSMaterial {
    /// Throws `HTTPServingError` with code `invalidCertificate`.
    package static func certificates(_ bytes: [UInt8]) throws -> [NIOSSLCertificate] {
        do {
            return isPEM(bytes) ? try NIOSSLCertificate.fromPEMBytes(bytes) : [try NIOSSLCertificate(bytes: bytes, format: .der)]
        } catch {
            throw HTTPServingError(code: .invalidCertificate, message: "the certificate cannot be read (\(error)): it must be PEM or DER")
        }
    }

    /// Throws `HTTPServingError` with code `invalidCertificate`.
    package static func privateKey(_ bytes: [UInt8]) throws -> NIOSSLPrivateKey {
        do {
            return try NIOSSLPrivateKey(bytes: bytes, format: isPEM(bytes) ? .pem : .der)
        } catch {
            throw HTTPServingError(
                code: .invalidCertificate, message: "the private key cannot be read (\(error)): it must be PEM or DER without a password")
        }
    }

    private static func isPEM(_ bytes: [UInt8]) -> Bool {
        bytes.first { $0 > 32 } == UInt8(ascii: "-")
    }
}

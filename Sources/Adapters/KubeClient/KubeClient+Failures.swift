import AsyncHTTPClient
import KubeMachinery
import NIOCore
import NIOPosix
import NIOSSL

extension KubeClient {
    /// What a caller sees where there was no answer: 503 or 504 with the server and the cause. Throws where the task was cancelled.
    func unreachable(_ error: any Error) throws -> KubeStatus {
        if let status = error as? KubeStatus { return status }
        if error is CancellationError || Task.isCancelled { throw CancellationError() }
        if let error = error as? HTTPClientError {
            switch error {
            case .cancelled: throw CancellationError()
            case .deadlineExceeded, .readTimeout:
                return KubeStatus(code: 504, reason: "Timeout", message: "\(server) did not answer in time")
            default: break
            }
        }
        return .serviceUnavailable("cannot reach the Kubernetes API at \(server): \(Self.cause(error))")
    }

    private static func cause(_ error: any Error) -> String {
        switch error {
        case let error as HTTPClientError:
            switch error {
            case .connectTimeout: return "no connection in time; check the address and the firewall"
            case .remoteConnectionClosed: return "the server closed the connection"
            case .tlsHandshakeTimeout: return "no TLS handshake in time; check that the port speaks TLS"
            case .alreadyShutdown: return "this client is shut down"
            default: return error.shortDescription
            }
        case let error as NIOConnectionError:
            if let first = error.connectionErrors.first { return cause(first.error) }
            return "the host name \(error.host) has no address"
        case let error as IOError:
            return error.errnoCode == ECONNREFUSED ? "connection refused; is the server running?" : error.description
        case let error as KubeClientError: return error.message
        case let error as NIOSSLError: return tlsCause("\(error)")
        case let error as BoringSSLError: return tlsCause("\(error)")
        case let error as NIOSSLExtraError: return tlsCause("\(error)")
        default: return "\(error)"
        }
    }

    private static func tlsCause(_ text: String) -> String {
        if text.contains("CERTIFICATE_VERIFY_FAILED") {
            return "the server's certificate is not signed by an authority that the configuration trusts, or has expired"
        }
        if text.contains("failedToValidateHostname") { return "the server's certificate is for another host name" }
        if text.contains("WRONG_VERSION_NUMBER") { return "the port does not speak TLS" }
        return "TLS failed: \(text)"
    }
}

import HTTPServing
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
package import Primitives

/// The certificate with which a client shows who it is.
package struct ClientIdentity: Sendable {
    /// PEM chain, or the DER of the leaf.
    package var certificate: [UInt8]
    /// PEM or DER.
    package var privateKey: Redacted<[UInt8]>

    package init(certificate: [UInt8], privateKey: Redacted<[UInt8]>) {
        self.certificate = certificate
        self.privateKey = privateKey
    }
}

/// Whom a client believes.
package enum ServerTrust: Sendable {
    /// Servers whose certificate chains to this authority (PEM or DER), is in date and names the host or the address that was dialled.
    case pinned(authority: [UInt8])
    /// Servers whose certificate chains to one of these authorities (PEM) and is in date, whatever name it has: for peers that are dialled by
    /// an address that they do not know.
    case issued(by: [UInt8])
    /// Any server. For fetching `/ca.crt` alone, whose content the join token vouches for (`spec/01 §2.6`).
    case unverified
}

/// Makes TLS handlers for one address and puts network errors into words.
struct ClientTLS {
    let address: PeerAddress
    private let context: NIOSSLContext
    /// Whether the server must have the name that is dialled.
    private let checksName: Bool

    init(address: PeerAddress, trust: ServerTrust, identity: ClientIdentity?) throws {
        self.address = address
        do {
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.minimumTLSVersion = .tlsv12
            configuration.cipherSuites = modernCipherSuites
            configuration.shutdownTimeout = .seconds(2)
            switch trust {
            case .pinned(let authority):
                configuration.trustRoots = .certificates(try TLSMaterial.certificates(authority))
                configuration.certificateVerification = .fullVerification
                checksName = true
            case .issued(let authorities):
                configuration.trustRoots = .certificates(try TLSMaterial.certificates(authorities))
                configuration.certificateVerification = .noHostnameVerification
                checksName = false
            case .unverified:
                configuration.trustRoots = .certificates([])
                configuration.certificateVerification = .none
                checksName = false
            }
            if let identity {
                configuration.certificateChain = try TLSMaterial.certificates(identity.certificate).map { .certificate($0) }
                configuration.privateKey = .privateKey(try TLSMaterial.privateKey(identity.privateKey.exposed))
            }
            context = try NIOSSLContext(configuration: configuration)
        } catch {
            throw TransportError(
                code: .tls, message: "the certificates for \(address.authority) cannot be used: \(error); renew them or join the node again")
        }
    }

    func makeHandler() throws -> NIOSSLClientHandler {
        let isAddress = (try? SocketAddress(ipAddress: address.host, port: address.port)) != nil
        guard checksName, !isAddress else { return try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : address.host) }
        // NIOSSL takes a certificate for the address that the name has led to as well: that address is whoever's who answers for names.
        return try NIOSSLClientHandler._makeSSLClientHandler(context: context, serverHostname: address.host) { [address] certificate, channel in
            channel.eventLoop.makeCompletedFuture {
                guard Self.isNamed(address.host, by: certificate) else { throw Self.foreignName(address) }
            }
        }
    }

    /// Whether a certificate is for a host name, by itself or with a wildcard for its first label.
    private static func isNamed(_ host: String, by certificate: NIOSSLCertificate) -> Bool {
        let host = canonical(host)
        let parent = host.firstIndex(of: ".").map { "*" + host[$0...] }
        return certificate._subjectAlternativeNames().contains { name in
            guard name.nameType == .dnsName else { return false }
            let name = canonical(String(decoding: name.contents, as: UTF8.self))
            return name == host || name == parent
        }
    }

    private static func canonical(_ name: String) -> String { (name.hasSuffix(".") ? String(name.dropLast()) : name).lowercased() }

    private static func foreignName(_ address: PeerAddress) -> TransportError {
        TransportError(
            code: .tls,
            message: "the certificate of \(address.authority) is not for \(address.host): "
                + "add it to advertiseAddress or dnsNames of cloudcore, or dial a name that the certificate has")
    }

    /// A network error as a user can act on it.
    static func explain(_ error: any Error, _ address: PeerAddress) -> TransportError {
        switch error {
        case let error as TransportError: return error
        case let error as HTTPServingError: return TransportError(error)
        case let error as NIOSSLExtraError where error == .failedToValidateHostname: return foreignName(address)
        case NIOSSLError.uncleanShutdown: return TransportError(code: .closed, message: "\(address.authority) closed the connection")
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError:
            return TransportError(
                code: .tls, message: "no trusted connection to \(address.authority): \(error); compare the CA, the dates and the clocks of both sides"
            )
        case is HTTPParserError, is NIOHTTPDecoderError:
            return TransportError(
                code: .protocolViolation, message: "\(address.authority) does not answer in proper HTTP: \(error); check the address and the port")
        case ChannelError.connectTimeout:
            return TransportError(code: .timedOut, message: "\(address.authority) did not answer in time: check the address and the firewall")
        case let error as NIOConnectionError:
            let cause = error.connectionErrors.first.map { "\($0.error)" } ?? "its name cannot be resolved"
            return TransportError(
                code: .unreachable, message: "cannot reach \(address.authority): \(cause); check the address, and that cloudcore runs there")
        default: return TransportError(code: .unreachable, message: "cannot reach \(address.authority): \(error)")
        }
    }
}

extension TransportError {
    /// What an HTTP or WebSocket error means to the user of a channel.
    init(_ error: HTTPServingError) {
        let code: Code =
            switch error.code {
            case .timedOut: .timedOut
            case .messageTooLarge, .bodyTooLarge: .messageTooLarge
            case .protocolViolation, .badRequest, .headerTooLarge: .protocolViolation
            case .invalidCertificate: .tls
            case .addressInUse, .addressUnavailable: .unreachable
            case .connectionClosed: .closed
            }
        self.init(code: code, message: error.message)
    }
}

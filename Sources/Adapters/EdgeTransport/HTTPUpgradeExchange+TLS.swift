package import HTTPServing
import NIOCore

extension HTTPUpgradeExchange {
    /// A request over TLS to the path and query of an address. Throws `TransportError` for certificates that cannot be used.
    package init(
        _ method: String, _ address: PeerAddress, headers: HTTPFields, trust: ServerTrust, identity: ClientIdentity?
    ) throws(TransportError) {
        self.init(method: method, host: address.host, port: address.port, target: address.path, headers: headers)
        let tls: ClientTLS
        do {
            tls = try ClientTLS(address: address, trust: trust, identity: identity)
        } catch {
            throw ClientTLS.explain(error, address)
        }
        prepareChannel = { channel in try channel.pipeline.syncOperations.addHandler(try tls.makeHandler()) }
    }
}

package import HTTPServing
import NIOCore
import NIOHTTP1
import NIOPosix
import Primitives

/// Opens WebSockets over TLS, as an edge node does to the cloud (`spec/01 §3.1`).
package enum WebSocketClient {
    /// Times and limits of a connection.
    package struct Configuration: Sendable {
        /// For connecting, the TLS handshake and the upgrade together.
        package var handshakeTime: Duration = .seconds(30)
        /// Pings every 15 s and an end after 30 s of silence, which the next look sees, notice a link that died without a word within 45 s.
        package var connection: WebSocketConnection.Configuration = {
            var connection = WebSocketConnection.Configuration()
            connection.pingInterval = .seconds(15)
            connection.readTime = .seconds(30)
            return connection
        }()

        package init() {}
    }

    /// Connects to an address with request headers; the server must chain to `authority` (PEM or DER) and name the dialled host.
    /// `capabilities` are announced to it.
    ///
    /// Throws `TransportError`: `unreachable`, `tls`, `timedOut`, or `handshake` with the server's own words where it refused.
    package static func connect(
        to address: PeerAddress, headers: [(String, String)] = [], capabilities: [String] = [], authority: [UInt8],
        identity: ClientIdentity? = nil, configuration: Configuration = .init()
    ) async throws -> any MessageChannel {
        let announcement = capabilities.isEmpty ? [] : [(CapabilityHeader.name, capabilities.joined(separator: ", "))]
        let tls = try ClientTLS(address: address, trust: .pinned(authority: authority), identity: identity)
        let attempt = ConnectionAttempt<WebSocketMessageChannel>(address: address)
        return try await attempt.run(within: configuration.handshakeTime) { channel, promise in
            let handler = UpgradeHandler(
                address: address, headers: headers + announcement, configuration: configuration.connection, promise: promise)
            let encoder = HTTPRequestEncoder()
            let decoder = ByteToMessageHandler(HTTPResponseDecoder(leftOverBytesStrategy: .forwardBytes))
            handler.encoders = [encoder]
            handler.decoder = decoder
            try channel.pipeline.syncOperations.addHandlers([try tls.makeHandler(), encoder, decoder, handler] as [any ChannelHandler])
        }
    }
}

/// Sends the upgrade request, judges the answer, and makes the WebSocket.
private final class UpgradeHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let address: PeerAddress
    private let headers: [(String, String)]
    private let configuration: WebSocketConnection.Configuration
    private let promise: EventLoopPromise<WebSocketMessageChannel>
    private let key: String
    private var answer: HTTPResponseHead?
    private var refusal: [UInt8] = []
    private var isDecided = false
    var encoders: [any RemovableChannelHandler] = []
    var decoder: (any RemovableChannelHandler)?

    init(
        address: PeerAddress, headers: [(String, String)], configuration: WebSocketConnection.Configuration,
        promise: EventLoopPromise<WebSocketMessageChannel>
    ) {
        self.address = address
        self.headers = headers
        self.configuration = configuration
        self.promise = promise
        key = Base64.encode((0..<16).map { _ in UInt8.random(in: 0...255) })
    }

    func channelActive(context: ChannelHandlerContext) {
        var fields: [(String, String)] = [
            ("Host", address.authority), ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Key", key),
            ("Sec-WebSocket-Version", "13"),
        ]
        fields += headers
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: address.path, headers: HTTPHeaders(fields))
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): answer = head
        case .body(let bytes):
            refusal += Array(bytes.readableBytesView.prefix(max(0, 1024 - refusal.count)))
            // Enough to say why; the rest may have no end.
            if refusal.count == 1024 { decide(context) }
        case .end: decide(context)
        }
    }

    private func decide(_ context: ChannelHandlerContext) {
        guard let answer, !isDecided else { return }
        isDecided = true
        guard answer.status == .switchingProtocols, answer.headers.first(name: "Upgrade")?.lowercased() == "websocket",
            answer.headers.first(name: "Sec-WebSocket-Accept") == WebSocketHandshake.acceptKey(for: key)
        else {
            let words = String(decoding: refusal, as: UTF8.self).split(whereSeparator: \.isNewline).first.map { ": \($0)" } ?? ""
            return fail(
                context,
                TransportError(code: .handshake, message: "\(address.authority) refused the connection with \(answer.status.code)\(words)"))
        }
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        let channel = context.channel
        // The decoder is at work here; it has stopped reading and gives up its bytes once it is removed.
        context.eventLoop.execute { handler.value.install(channel) }
    }

    private func install(_ channel: any Channel) {
        guard let decoder else { return }
        let address = address
        let configuration = configuration
        let capabilities = CapabilityHeader.read(answer?.headers[CapabilityHeader.name].joined(separator: ",") ?? "")
        let made = ProtocolSwitch.perform(on: channel, removing: [self] + encoders, decoder: decoder) { channel in
            try WebSocketConnection(channel: channel, side: .client, configuration: configuration)
        }
        made.map { WebSocketMessageChannel(connection: $0, capabilities: capabilities) }
            .flatMapErrorThrowing { throw ClientTLS.explain($0, address) }.cascade(to: promise)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { fail(context, ClientTLS.explain(error, address)) }

    func channelInactive(context: ChannelHandlerContext) {
        fail(context, TransportError(code: .closed, message: "\(address.authority) closed the connection before it was open"))
        context.fireChannelInactive()
    }

    private func fail(_ context: ChannelHandlerContext, _ error: TransportError) {
        promise.fail(error)
        context.close(promise: nil)
    }
}

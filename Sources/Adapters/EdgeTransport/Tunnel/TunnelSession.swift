import DeliveryCore
package import EdgeMessages
package import Logging
package import Primitives

/// One end of a tunnel over a message channel: many streams at once, each with its own reader and writer.
package actor TunnelSession {
    /// Serves a stream that the peer has opened; the stream is finished when this returns.
    package typealias Accept = @Sendable (TunnelFrame.Kind, TunnelConnector, TunnelStream) async -> Void

    /// How long a tunnel is held up for the reader of one stream before that stream is given up.
    static let patience = Duration.seconds(10)

    private struct Wakers {
        let readable = Signal()
        let writable = Signal()
    }

    private let channel: any MessageChannel
    private let clock: any MomentSource
    private let logger: Logger
    private var streams: TunnelStreams
    private var wakers: [UInt64: Wakers] = [:]
    private let roomMade = Signal()
    private var isOver = false

    /// `usesCredit`: the peer is known to read credit frames.
    package init(channel: any MessageChannel, usesCredit: Bool, clock: any MomentSource, logger: Logger) {
        self.channel = channel
        self.clock = clock
        self.logger = logger
        streams = TunnelStreams(usesCredit: usesCredit)
    }

    package var streamCount: Int { streams.count }

    /// Reads until the tunnel ends; all streams end with it. Throws `TransportError` where it broke or the peer refused it.
    ///
    /// - Parameter accept: nil where the peer may open none.
    package func run(accept: Accept?) async throws {
        defer { end() }
        try await withThrowingDiscardingTaskGroup { group in
            for try await message in channel.messages() {
                let frame: TunnelFrame
                do {
                    frame = try TunnelFrame(decoding: message)
                } catch {
                    logger.warning("tunnel message dropped", metadata: ["error": "\(error)"])
                    continue
                }
                switch streams.receive(frame) {
                case .none, .stray: break
                case .readable(let id):
                    wakers[id]?.readable.set()
                    await waitForRoom(id)
                case .writable(let id): wakers[id]?.writable.set()
                case .refused(let cause): throw TransportError(code: .handshake, message: "cloudcore refused the tunnel: \(cause)")
                case .opened(let kind, let id, let data):
                    guard let accept, let connector = try? TunnelConnector(decoding: data) else {
                        await finish(id)
                        continue
                    }
                    let stream = keep(id)
                    group.addTask {
                        await accept(kind, connector, stream)
                        await stream.finish()
                    }
                }
            }
            group.cancelAll()
        }
    }

    /// Opens a stream of this end's number. Throws `TransportError`.
    package func open(_ kind: TunnelFrame.Kind, _ connector: TunnelConnector) async throws -> TunnelStream {
        guard !isOver else { throw TransportError(code: .closed, message: "the tunnel is closed") }
        streams.open(connector.stream)
        let stream = keep(connector.stream)
        do {
            try await channel.send(TunnelFrame(stream: connector.stream, kind: kind, data: connector.json.encoded()).encoded)
        } catch {
            await finish(connector.stream)
            throw error
        }
        return stream
    }

    /// Tells the peer that this end speaks of credit.
    package func announceCredit() async throws { try await channel.send(TunnelFrame.credit(TunnelStreams.window, stream: 0).encoded) }

    /// Refuses the tunnel with a cause and closes it.
    package func refuse(_ cause: String) async {
        try? await channel.send(TunnelFrame(stream: 0, kind: .close, data: Array(cause.utf8)).encoded)
        await channel.close(cause)
    }

    package func close(_ reason: String) async { await channel.close(reason) }

    private func keep(_ id: UInt64) -> TunnelStream {
        wakers[id] = Wakers()
        return TunnelStream(id: id, session: self)
    }

    private func end() {
        isOver = true
        streams.end()
        for waker in wakers.values {
            waker.readable.set()
            waker.writable.set()
        }
        roomMade.set()
    }

    /// A peer that knows no credit can only be stopped as a whole: for a while, then the slow stream goes.
    private func waitForRoom(_ id: UInt64) async {
        let deadline = clock.now().uptime + Self.patience
        while streams.isOverfull(id), !isOver, !Task.isCancelled {
            guard clock.now().uptime < deadline else {
                logger.warning("stream given up: its reader does not keep up", metadata: ["stream": "\(id)"])
                await finish(id)
                return
            }
            await roomMade.wait(until: deadline, clock: clock)
        }
    }

    // MARK: - What streams ask

    func receive(_ id: UInt64) async throws -> [UInt8]? {
        while true {
            let (reading, frame) = streams.read(id)
            if let frame { try await channel.send(frame.encoded) }
            switch reading {
            case .bytes(let bytes):
                roomMade.set()
                return bytes
            case .ended: return nil
            case .wait:
                guard let waker = wakers[id] else { return nil }
                await waker.readable.wait()
                try Task.checkCancellation()
            }
        }
    }

    func send(_ bytes: [UInt8], on id: UInt64) async throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            guard !isOver, let allowance = streams.allowance(id) else {
                throw TransportError(code: .closed, message: "the other end of the stream is gone")
            }
            if allowance == 0 {
                guard let waker = wakers[id] else { throw TransportError(code: .closed, message: "the stream is closed") }
                await waker.writable.wait()
                try Task.checkCancellation()
                continue
            }
            let piece = rest.prefix(allowance)
            rest = rest.dropFirst(piece.count)
            streams.sent(piece.count, on: id)
            try await channel.send(TunnelFrame(stream: id, kind: .data, data: Array(piece)).encoded)
        }
    }

    func finish(_ id: UInt64) async {
        let frame = streams.finish(id)
        if let waker = wakers.removeValue(forKey: id) {
            waker.readable.set()
            waker.writable.set()
        }
        roomMade.set()
        guard let frame, !isOver else { return }
        do { try await channel.send(frame.encoded) } catch {
            logger.debug("end of a stream not told", metadata: ["stream": "\(id)", "error": "\(error)"])
        }
    }
}

/// One stream of a tunnel: for one reader and one writer at a time.
package struct TunnelStream: Sendable {
    package let id: UInt64
    let session: TunnelSession

    /// The next bytes; nil once the peer has finished or the tunnel is gone. Throws `CancellationError` and `TransportError`.
    package func receive() async throws -> [UInt8]? { try await session.receive(id) }

    /// Returns when the tunnel has taken the bytes, which is the backpressure. Throws `TransportError`.
    package func send(_ bytes: [UInt8]) async throws { try await session.send(bytes, on: id) }

    /// Ends the stream at both ends. Safe to call more than once.
    package func finish() async { await session.finish(id) }
}

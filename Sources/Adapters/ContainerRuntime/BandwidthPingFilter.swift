import NIOCore

/// Takes the pings out of what a Go server sends with which it measures the bandwidth.
///
/// It sends one behind each request of a client that answers them. The HTTP/2 client takes more than 200 pings within 30 s for an attack and
/// closes the connection with all calls in it, in the middle of starting some twenty pods. A server whose first such ping stays unanswered
/// sends no other and keeps the window it has. Its pings that ask whether the client is alive carry other bytes and pass.
final class BandwidthPingFilter: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// The beginning of a frame that is not whole enough to tell what it is.
    private var held: ByteBuffer?
    /// How much of the current frame is still to come.
    private var passing = 0

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if var whole = held {
            whole.writeBuffer(&bytes)
            bytes = whole
            held = nil
        }
        var start = bytes.readerIndex
        var index = start
        while index < bytes.writerIndex {
            if passing > 0 {
                let count = min(passing, bytes.writerIndex - index)
                passing -= count
                index += count
                continue
            }
            guard let frame = Frame(bytes, at: index) else {
                held = bytes.getSlice(at: index, length: bytes.writerIndex - index)
                break
            }
            if frame.isBandwidthPing {
                pass(bytes, start..<index, context)
                index += frame.size
                start = index
            } else {
                passing = frame.size
            }
        }
        pass(bytes, start..<index, context)
    }

    private func pass(_ bytes: ByteBuffer, _ range: Range<Int>, _ context: ChannelHandlerContext) {
        guard !range.isEmpty, let slice = bytes.getSlice(at: range.lowerBound, length: range.count) else { return }
        context.fireChannelRead(wrapInboundOut(slice))
    }

    /// The head of a frame (RFC 9113 §4.1): length (24 bits), type, flags, stream; for a ping its eight bytes too.
    private struct Frame {
        let size: Int
        let isBandwidthPing: Bool

        /// nil where more bytes are needed.
        init?(_ bytes: ByteBuffer, at index: Int) {
            guard bytes.writerIndex - index >= 9, let word = bytes.getInteger(at: index, as: UInt32.self),
                let flags = bytes.getInteger(at: index + 4, as: UInt8.self)
            else { return nil }
            size = 9 + Int(word >> 8)
            guard word == 0x0000_0806, flags == 0 else {
                isBandwidthPing = false
                return
            }
            guard let payload = bytes.getInteger(at: index + 9, as: UInt64.self) else { return nil }
            isBandwidthPing = payload == 0x0204_1010_090E_0707
        }
    }
}

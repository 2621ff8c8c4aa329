import DeliveryCore
import EdgeMessages
import Testing

@Suite("The streams of a tunnel")
struct TunnelStreamsTests {
    private static func data(_ count: Int, on stream: UInt64 = 1) -> TunnelFrame {
        TunnelFrame(stream: stream, kind: .data, data: [UInt8](repeating: 7, count: count))
    }

    @Test("a reader gets what came before the end, then the end")
    func order() {
        var streams = TunnelStreams()
        #expect(streams.receive(TunnelFrame(stream: 1, kind: .logs, data: [1])) == .opened(.logs, 1, data: [1]))
        #expect(streams.read(1).0 == .wait)
        #expect(streams.receive(Self.data(2)) == .readable(1))
        #expect(streams.receive(Self.data(1)) == .readable(1))
        #expect(streams.receive(TunnelFrame(stream: 1, kind: .remove)) == .readable(1))
        #expect(streams.read(1).0 == .bytes([7, 7, 7]))
        #expect(streams.read(1).0 == .ended)
        #expect(streams.finish(1) == TunnelFrame(stream: 1, kind: .remove), "a Go cloud repeats its remove until it is answered")
        #expect(streams.finish(1) == nil)
        #expect(streams.count == 0)
    }

    @Test("whoever has opened a stream does not answer the peer's end")
    func openedHere() {
        var streams = TunnelStreams()
        streams.open(1)
        #expect(streams.receive(TunnelFrame(stream: 1, kind: .remove)) == .readable(1))
        #expect(streams.finish(1) == nil)
    }

    @Test("an end is told to the peer once, and what comes late is a stray")
    func finishing() {
        var streams = TunnelStreams()
        streams.open(5)
        #expect(streams.finish(5) == TunnelFrame(stream: 5, kind: .remove))
        #expect(streams.finish(5) == nil)
        #expect(streams.receive(Self.data(1, on: 5)) == .stray(5))
        #expect(streams.receive(TunnelFrame(stream: 5, kind: .remove)) == .stray(5))
        #expect(streams.allowance(5) == nil)
    }

    @Test("without credit a chunk may always be sent; with credit one window, and what the reader has taken comes back")
    func credit() {
        var plain = TunnelStreams()
        plain.open(1)
        #expect(plain.allowance(1) == TunnelStreams.chunk)

        var sender = TunnelStreams(usesCredit: true)
        var receiver = TunnelStreams()
        #expect(receiver.receive(.credit(TunnelStreams.window, stream: 0)) == .none)
        #expect(receiver.usesCredit)
        sender.open(1)
        receiver.open(1)
        var sent = 0
        while let allowance = sender.allowance(1), allowance > 0 {
            sender.sent(allowance, on: 1)
            #expect(receiver.receive(Self.data(allowance)) == .readable(1))
            sent += allowance
        }
        #expect(sent == TunnelStreams.window)
        let (reading, grant) = receiver.read(1)
        #expect(reading == .bytes([UInt8](repeating: 7, count: sent)))
        #expect(grant == .credit(sent, stream: 1))
        #expect(grant.map { sender.receive($0) } == .writable(1))
        #expect(sender.allowance(1) == TunnelStreams.chunk)
    }

    @Test("a number that is open is not opened again, and 0 is no stream")
    func misuse() {
        var streams = TunnelStreams()
        streams.open(1)
        #expect(streams.receive(TunnelFrame(stream: 1, kind: .exec)) == .stray(1))
        #expect(streams.receive(TunnelFrame(stream: 0, kind: .exec)) == .stray(0))
        #expect(streams.receive(TunnelFrame(stream: 9, kind: .data, data: [1])) == .stray(9))
        #expect(streams.receive(TunnelFrame(stream: 1, kind: .credit, data: [0x80])) == .none)
        #expect(streams.receive(TunnelFrame(stream: 0, kind: .close, data: Array("no".utf8))) == .refused("no"))
    }

    @Test("only a stream that cannot be stopped alone can be overfull")
    func overfull() {
        var streams = TunnelStreams()
        streams.open(1)
        for _ in 0..<4 { _ = streams.receive(Self.data(TunnelStreams.window)) }
        #expect(!streams.isOverfull(1))
        _ = streams.receive(Self.data(1))
        #expect(streams.isOverfull(1))
        _ = streams.read(1)
        #expect(!streams.isOverfull(1))
    }

    @Test("when the tunnel goes every reader sees the end")
    func end() {
        var streams = TunnelStreams()
        streams.open(1)
        _ = streams.receive(Self.data(1))
        streams.end()
        #expect(streams.read(1).0 == .bytes([7]))
        #expect(streams.read(1).0 == .ended)
    }
}

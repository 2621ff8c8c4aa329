import EdgeMessages
import Primitives
import Testing

@Suite("Tunnel frames")
struct TunnelFrameTests {
    @Test("are a stream, a kind and bytes", arguments: [(1, [1, 3, 9]), (300, [0xAC, 0x02, 3, 9])] as [(UInt64, [UInt8])])
    func encoding(_ stream: UInt64, _ bytes: [UInt8]) throws {
        let frame = TunnelFrame(stream: stream, kind: .data, data: [9])
        #expect(frame.encoded == bytes)
        #expect(try TunnelFrame(decoding: bytes) == frame)
    }

    @Test(
        "that are none are told apart",
        arguments: [
            ([], TunnelFrameError.truncated), ([0x80], .truncated), ([1], .truncated), ([1, 0x80], .truncated),
            ([1, 8], .unknownKind(8, stream: 1)), ([UInt8](repeating: 0xFF, count: 10) + [1], .truncated),
        ] as [([UInt8], TunnelFrameError)])
    func refusal(_ bytes: [UInt8], _ error: TunnelFrameError) { #expect(throws: error) { try TunnelFrame(decoding: bytes) } }

    @Test("of more than a mebibyte are refused whole instead of being cut")
    func length() throws {
        let most = TunnelFrame(stream: 1, kind: .data, data: [UInt8](repeating: 0, count: TunnelFrame.dataLimit))
        #expect(try TunnelFrame(decoding: most.encoded) == most)
        #expect(throws: TunnelFrameError.tooLong(TunnelFrame.dataLimit + 1, stream: 1)) { try TunnelFrame(decoding: most.encoded + [0]) }
    }

    @Test("no bytes bring the decoder down")
    func fuzz() {
        var generator = SeededGenerator(seed: 4)
        for _ in 0..<5000 {
            let bytes = (0..<Int.random(in: 0...40, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) }
            guard let frame = try? TunnelFrame(decoding: bytes) else { continue }
            #expect((try? TunnelFrame(decoding: frame.encoded)) == frame)
            _ = try? TunnelConnector(decoding: frame.data)
        }
    }

    @Test("a connector's target is percent-encoded where its path is not")
    func target() {
        #expect(TunnelConnector(stream: 1, path: "/containerLogs/n/p/c", query: "follow=true").target == "/containerLogs/n/p/c?follow=true")
        #expect(TunnelConnector(stream: 1, path: "/logs/a b").target == "/logs/a%20b")
        #expect(TunnelConnector(stream: 1, path: "/logs/a/b", rawPath: "/logs/a%2Fb").target == "/logs/a%2Fb")
    }
}

package import EdgeMessages

/// The streams of one tunnel end: what waits for their readers, what may be sent, when a stream is over (`spec/01 §9`).
///
/// A stream between two ends that speak of credit holds at most one window of bytes for its reader, and a slow reader stops its own
/// sender alone. Towards a Go peer nothing but the tunnel as a whole can be stopped: `isOverfull` says when.
///
///     opened ──▶ data both ways ──▶ the peer's remove ──▶ what waits is read ──▶ finished here: forgotten
package struct TunnelStreams: Sendable {
    /// Bytes that a sender may be ahead of the reader.
    package static let window = 256 << 10
    /// The longest data of one frame that this house sends.
    package static let chunk = 16 << 10

    /// What came of a frame.
    package enum Event: Sendable, Hashable {
        case none
        /// The peer opens a stream.
        case opened(TunnelFrame.Kind, UInt64, data: [UInt8])
        /// The reader of a stream has something to see.
        case readable(UInt64)
        /// The writer of a stream may go on.
        case writable(UInt64)
        /// The peer refuses the tunnel.
        case refused(String)
        /// A frame for a stream that is not open here.
        case stray(UInt64)
    }

    /// What a reader gets.
    package enum Reading: Sendable, Hashable {
        case bytes([UInt8])
        case ended
        case wait
    }

    private struct Stream: Sendable {
        var waiting: [[UInt8]] = []
        var waitingBytes = 0
        /// Bytes the reader took since credit was last given.
        var taken = 0
        /// Bytes that may be sent; nil without a limit.
        var credit: Int?
        var isPeerDone = false
        /// The peer has opened it.
        var isAccepted = false
    }

    private var streams: [UInt64: Stream] = [:]
    /// Whether the peer speaks of credit.
    package private(set) var usesCredit: Bool

    package init(usesCredit: Bool = false) { self.usesCredit = usesCredit }

    package var count: Int { streams.count }
    package var ids: [UInt64] { Array(streams.keys) }

    package mutating func open(_ id: UInt64) { streams[id] = Stream(credit: usesCredit ? Self.window : nil) }

    /// Takes in a frame of the peer.
    package mutating func receive(_ frame: TunnelFrame) -> Event {
        switch frame.kind {
        case .logs, .exec, .metrics, .attach:
            guard streams[frame.stream] == nil, frame.stream != 0 else { return .stray(frame.stream) }
            open(frame.stream)
            streams[frame.stream]?.isAccepted = true
            return .opened(frame.kind, frame.stream, data: frame.data)
        case .data:
            guard var stream = streams[frame.stream], !stream.isPeerDone else { return .stray(frame.stream) }
            guard !frame.data.isEmpty else { return .none }
            stream.waiting.append(frame.data)
            stream.waitingBytes += frame.data.count
            streams[frame.stream] = stream
            return .readable(frame.stream)
        case .remove:
            guard streams[frame.stream] != nil else { return .stray(frame.stream) }
            streams[frame.stream]?.isPeerDone = true
            return .readable(frame.stream)
        case .close: return .refused(String(decoding: frame.data, as: UTF8.self))
        case .credit:
            guard let bytes = frame.creditBytes, bytes > 0 else { return .none }
            if frame.stream == 0 {
                usesCredit = true
                return .none
            }
            guard let credit = streams[frame.stream]?.credit else { return .stray(frame.stream) }
            streams[frame.stream]?.credit = min(credit.addingReportingOverflow(bytes).partialValue, 64 << 20)
            return .writable(frame.stream)
        }
    }

    /// Gives a reader what waits, and the frame that lets the peer send more, where one is due.
    package mutating func read(_ id: UInt64) -> (Reading, TunnelFrame?) {
        guard var stream = streams[id] else { return (.ended, nil) }
        guard !stream.waiting.isEmpty else { return (stream.isPeerDone ? .ended : .wait, nil) }
        let bytes = stream.waiting.count == 1 ? stream.waiting[0] : Array(stream.waiting.joined())
        stream.waiting = []
        stream.waitingBytes = 0
        stream.taken += bytes.count
        var frame: TunnelFrame?
        if stream.credit != nil, stream.taken >= Self.window / 2, !stream.isPeerDone {
            frame = .credit(stream.taken, stream: id)
            stream.taken = 0
        }
        streams[id] = stream
        return (.bytes(bytes), frame)
    }

    /// How many bytes of a stream may be sent now, at most one chunk; nil where nobody takes them any more.
    package func allowance(_ id: UInt64) -> Int? {
        guard let stream = streams[id], !stream.isPeerDone else { return nil }
        return max(0, min(stream.credit ?? Self.chunk, Self.chunk))
    }

    package mutating func sent(_ count: Int, on id: UInt64) {
        if let credit = streams[id]?.credit { streams[id]?.credit = credit - count }
    }

    /// This end is through with a stream; returns the frame that says so. What the peer still sends for it is a stray.
    ///
    /// Whoever has accepted a stream answers the peer's remove as well: a Go cloud repeats its own without a pause until then (`spec/01` D-54), and nothing else
    /// comes through the tunnel meanwhile.
    package mutating func finish(_ id: UInt64) -> TunnelFrame? {
        guard let stream = streams.removeValue(forKey: id), stream.isAccepted || !stream.isPeerDone else { return nil }
        return TunnelFrame(stream: id, kind: .remove)
    }

    /// The tunnel is gone: readers see the end once they have read what came.
    package mutating func end() { for id in streams.keys { streams[id]?.isPeerDone = true } }

    /// A stream that cannot be stopped alone holds too much for a reader that does not come.
    package func isOverfull(_ id: UInt64) -> Bool { (streams[id]?.waitingBytes ?? 0) > 4 * Self.window }
}

/// One message of the tunnel that carries logs, commands and metrics between cloud and edge (`spec/01 §9.2`).
///
/// On the wire: `uvarint stream | uvarint kind | data`, in one WebSocket message.
package struct TunnelFrame: Sendable, Hashable {
    package enum Kind: UInt64, Sendable {
        /// Cloud to edge, with a `TunnelConnector`: a request whose answer's body comes back, without status and headers.
        case logs = 0
        /// Cloud to edge, with a `TunnelConnector`: a request whose whole answer comes back byte by byte, and that takes bytes in turn.
        case exec = 1
        case metrics = 2
        case data = 3
        /// Either end of a stream: nothing comes any more.
        case remove = 4
        /// Cloud to edge: the whole tunnel is refused, with the cause.
        case close = 5
        case attach = 6
        /// Bytes that the receiver of a stream takes in addition, as an uvarint. Stream 0 tells that the sender speaks of credit at all.
        /// Sent only between ends of this house: a Go edge cannot read it (D-55).
        case credit = 7
    }

    /// Counted by the cloud, unique within one instance of it; 0 is the tunnel itself.
    package var stream: UInt64
    package var kind: Kind
    package var data: [UInt8]

    package init(stream: UInt64, kind: Kind, data: [UInt8] = []) {
        self.stream = stream
        self.kind = kind
        self.data = data
    }

    /// A frame that adds credit.
    package static func credit(_ bytes: Int, stream: UInt64) -> TunnelFrame {
        var data: [UInt8] = []
        UVarint.append(UInt64(bytes), to: &data)
        return TunnelFrame(stream: stream, kind: .credit, data: data)
    }

    /// What a credit frame adds; nil for other frames and for one that cannot be read.
    package var creditBytes: Int? {
        guard kind == .credit, let (value, _) = UVarint.read(data, at: 0) else { return nil }
        return Int(exactly: value)
    }

    /// The longest data of a frame; a Go peer cuts off what is beyond.
    package static let dataLimit = 1 << 20

    /// Reads one message of the tunnel.
    package init(decoding message: [UInt8]) throws(TunnelFrameError) {
        guard let (stream, kindStart) = UVarint.read(message, at: 0), let (number, dataStart) = UVarint.read(message, at: kindStart) else {
            throw .truncated
        }
        guard let kind = Kind(rawValue: number) else { throw .unknownKind(number, stream: stream) }
        guard message.count - dataStart <= Self.dataLimit else { throw .tooLong(message.count - dataStart, stream: stream) }
        self.init(stream: stream, kind: kind, data: Array(message[dataStart...]))
    }

    package var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(data.count + 12)
        UVarint.append(stream, to: &bytes)
        UVarint.append(kind.rawValue, to: &bytes)
        bytes += data
        return bytes
    }
}

/// Why a message of the tunnel is no frame.
package enum TunnelFrameError: Error, Sendable, Hashable, CustomStringConvertible {
    case truncated
    case unknownKind(UInt64, stream: UInt64)
    case tooLong(Int, stream: UInt64)

    package var description: String {
        switch self {
        case .truncated: "a tunnel message ends within its header"
        case .unknownKind(let number, let stream): "a tunnel message for stream \(stream) is of kind \(number), which nobody here knows"
        case .tooLong(let count, let stream): "a tunnel message for stream \(stream) holds \(count) bytes, more than \(TunnelFrame.dataLimit)"
        }
    }
}

/// Little-endian base-128 numbers.
enum UVarint {
    static func append(_ value: UInt64, to bytes: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    /// The number at an index and the index behind it; nil where it is cut off or larger than 64 bits.
    static func read(_ bytes: [UInt8], at start: Int) -> (UInt64, Int)? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        var index = start
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            guard shift < 63 || (shift == 63 && byte <= 1) else { return nil }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return (value, index) }
            shift += 7
        }
        return nil
    }
}

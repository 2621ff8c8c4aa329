import DevCluster
import Dispatch
import Glibc
import Primitives
import Synchronization

/// A link of IP packets between the two ends of a line on this machine, on which packets can be lost, doubled, delayed, overtaken and held back.
///
/// The usual tool would be `tc netem`, but kernels are built without it. So the link is a TUN device whose far end is this object: every packet of
/// either end comes by here. TCP on both ends is the kernel's own, and sees all of it as on a real line. The device vanishes with the test's process.
///
/// Each end has an address of its own on the device and knows the other end by a shadow address, which is one higher:
///
///     edge .3 ──▶ .2, the shadow of the cloud ══ link ══▶ as from .4, the shadow of the edge ──▶ cloud .1
///
/// As one address grows by one and the other shrinks by one, no checksum changes. The addresses are of 198.18.0.0/15, which is set apart for such tests.
final class PacketLink: Sendable {
    enum Way: Sendable, CaseIterable { case up, down }

    private struct State {
        var up = LinkDirection()
        var down = LinkDirection()
        var generator: SeededGenerator
        /// Packets under way, the next one last.
        var waiting: [(due: Duration, packet: [UInt8])] = []
        /// When the edge began a connection.
        var dials: [Duration] = []
    }

    /// Beside the programs this needs root and `/dev/net/tun`.
    static let isPossible = geteuid() == 0 && access("/dev/net/tun", R_OK | W_OK) == 0 && ChildProcess.find("ip") != nil

    private static let network = UInt8.random(in: 0...255)
    private static let taken = Atomic<Int>(0)
    /// How many links a process may make.
    private static let limit = 31

    private let name: String
    private let base: UInt8
    private let device: Int32
    /// A pipe whose closing ends the far end.
    private let stop: (reader: Int32, writer: Int32)
    private let state: Mutex<State>
    private let ended = DispatchSemaphore(value: 0)
    private let clock = SystemClock()
    private let edgeNumber = Mutex<UInt8>(3)

    /// The addresses by which edges know the cloud, of all links that will ever be made: its certificate names them.
    static var cloudAddresses: [String] { (0..<limit).map { address(UInt8($0 * 8 + 2)) } }

    /// The address by which the edge knows the cloud.
    var cloudAddress: String { Self.address(base + 2) }
    /// The address by which the cloud knows the edge.
    var edgeAddress: String { Self.address(base + edgeNumber.withLock { $0 } + 1) }

    private static func address(_ last: UInt8) -> String { "198.18.\(network).\(last)" }

    /// Makes a link, and unmakes it when the body is done.
    static func with<Result: Sendable>(_ body: (PacketLink) async throws -> Result) async throws -> Result {
        let link = try PacketLink()
        DispatchQueue(label: link.name).async { link.carry() }
        defer { link.end() }
        try await link.configure([
            "link set \(link.name) up mtu 1400", "addr add \(address(link.base + 1))/32 dev \(link.name)",
            "addr add \(address(link.base + 3))/32 dev \(link.name)",
            "route add \(address(link.base + 2))/32 dev \(link.name) src \(address(link.base + 3))",
            "route add \(address(link.base + 4))/32 dev \(link.name) src \(address(link.base + 1))",
        ])
        return try await body(link)
    }

    private init() throws {
        let number = Self.taken.add(1, ordering: .relaxed).oldValue
        guard number < Self.limit else { throw LinkFailure("more than \(Self.limit) links") }
        base = UInt8(number * 8)
        name = "kenet\(getpid())-\(number)"
        device = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK)
        var ends: [Int32] = [-1, -1]
        if pipe(&ends) == 0 { for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) } }
        stop = (ends[0], ends[1])
        state = Mutex(State(generator: SeededGenerator(seed: UInt64(number))))
        // struct ifreq: the name, then the flags IFF_TUN and IFF_NO_PI.
        var request = [UInt8](repeating: 0, count: 40)
        request.replaceSubrange(0..<name.utf8.count, with: name.utf8)
        (request[16], request[17]) = (0x01, 0x10)
        guard device >= 0, stop.reader >= 0, ioctl(device, 0x4004_54CA, &request) == 0 else {
            throw LinkFailure("no TUN device: \(String(cString: strerror(errno)))")
        }
    }

    // MARK: - What a test does to it

    func change(_ ways: [Way] = Way.allCases, _ change: (inout LinkConditions) -> Void) {
        state.withLock { state in
            if ways.contains(.up) { change(&state.up.conditions) }
            if ways.contains(.down) { change(&state.down.conditions) }
        }
    }

    /// The edge's address is taken away and another one given to it, as after a change of networks.
    func changeEdgeAddress() async throws {
        let (old, new) = edgeNumber.withLock { number in
            defer { number = 5 }
            return (base + number, base + 5)
        }
        try await configure([
            "addr del \(Self.address(old))/32 dev \(name)", "addr add \(Self.address(new))/32 dev \(name)",
            "route replace \(Self.address(base + 2))/32 dev \(name) src \(Self.address(new))",
            "route add \(Self.address(new + 1))/32 dev \(name) src \(Self.address(base + 1))",
        ])
    }

    func counts(_ way: Way) -> LinkDirection.Counts { state.withLock { way == .up ? $0.up.counts : $0.down.counts } }

    /// When the edge began connections, as the uptime of the machine.
    var dials: [Duration] { state.withLock(\.dials) }

    private func configure(_ lines: [String]) async throws {
        let file = "/tmp/\(name)-\(UniqueID.next())"
        defer { for suffix in ["", ".log"] { unlink(file + suffix) } }
        try HostFile.write(Array(lines.joined(separator: "\n").utf8), to: file)
        let status = try await ChildProcess("ip", ["-batch", file], logFile: file + ".log").wait(for: .seconds(30))
        guard status == 0 else {
            throw LinkFailure("ip refuses: " + String(decoding: (try? HostFile.read(file + ".log")) ?? [], as: UTF8.self))
        }
    }

    // MARK: - The far end of the device

    private func end() {
        close(stop.writer)
        ended.wait()
        close(stop.reader)
        close(device)
    }

    private func carry() {
        var watched = [pollfd(fd: device, events: Int16(POLLIN), revents: 0), pollfd(fd: stop.reader, events: Int16(POLLIN), revents: 0)]
        var buffer = [UInt8](repeating: 0, count: 65536)
        while watched[1].revents == 0 {
            poll(&watched, 2, pause)
            while true {
                let count = read(device, &buffer, buffer.count)
                guard count > 0 else { break }
                take(Array(buffer[..<count]))
            }
            for packet in due() { write(device, packet, packet.count) }
        }
        ended.signal()
    }

    /// Milliseconds until the next packet is due; -1 where none is under way.
    private var pause: Int32 {
        let now = clock.now().uptime
        return state.withLock { state in
            guard let next = state.waiting.last else { return -1 }
            return Int32(max(0, ((next.due - now) / .milliseconds(1)).rounded(.up)))
        }
    }

    private func due() -> [[UInt8]] {
        let now = clock.now().uptime
        return state.withLock { state in
            var packets: [[UInt8]] = []
            while let next = state.waiting.last, next.due <= now {
                packets.append(next.packet)
                state.waiting.removeLast()
            }
            return packets
        }
    }

    private func take(_ packet: [UInt8]) {
        // IPv4 alone; the kernel also speaks IPv6 on a new device.
        guard packet.count >= 20, packet[0] >> 4 == 4 else { return }
        var packet = packet
        let isUp = packet[19] == base + 2
        packet[15] &+= 1
        packet[19] &-= 1
        let now = clock.now().uptime
        state.withLock { state in
            if isUp, Self.opensConnection(packet) { state.dials.append(now) }
            let times =
                isUp
                ? state.up.arrivals(bytes: packet.count, now: now, using: &state.generator)
                : state.down.arrivals(bytes: packet.count, now: now, using: &state.generator)
            for time in times {
                let index = state.waiting.lastIndex { $0.due > time }.map { $0 + 1 } ?? 0
                state.waiting.insert((time, packet), at: index)
            }
        }
    }

    private static func opensConnection(_ packet: [UInt8]) -> Bool {
        let header = Int(packet[0] & 15) * 4
        // TCP with SYN and without ACK.
        return packet[9] == 6 && packet.count > header + 13 && packet[header + 13] & 0x12 == 0x02
    }
}

/// Why a link could not be made.
struct LinkFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

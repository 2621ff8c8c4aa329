import EdgeTesting
import Primitives
import Testing

/// What a broken link does to a line that has the times it has in the field: a keepalive every 15 s, pings, and an end after 30 s of silence.
@Suite("The line on a link that breaks", .enabled(if: PacketLink.isPossible, "needs root, /dev/net/tun and iproute2"), .timeLimit(.minutes(5)))
struct SilenceTests {
    /// Three heartbeats.
    private static let limit = Duration.seconds(45)
    private let clock = SystemClock()

    /// Until both ends have seen that the line is gone: from `cut` on.
    private func bothSee(_ edge: LineEdge, since cut: Moment) async throws -> (edge: Duration, cloud: Duration) {
        let bound = Self.limit * 2
        async let atEdge = edge.history.change(to: false, after: cut.uptime, within: bound)
        async let atCloud = edge.cloudSays("node disconnected", after: cut.wall, within: bound)
        let times = (edge: try await atEdge, cloud: try await atCloud)
        print("\(edge.name): the edge saw it after \(times.edge), the cloud after \(times.cloud); this process was \(edge.history.lateness) late")
        let allowed = Self.limit + edge.history.lateness
        #expect(times.edge <= allowed)
        #expect(times.cloud <= allowed)
        return times
    }

    /// Until the line is there again by itself, and what was written meanwhile has arrived.
    private func comesBack(_ edge: LineEdge, _ map: String, _ version: UInt64, since: Moment) async throws {
        _ = try await edge.history.change(to: true, after: since.uptime, within: .seconds(75))
        try await edge.arrives(map, version, within: .seconds(60))
        try await eventually("\(edge.name) is ready again", within: .seconds(60)) { try await edge.cloud.isReady(edge.name) }
        let versions = edge.memory.all("default/configmap/\(map)")
        #expect(versions == versions.sorted())
    }

    @Test("T40 a line on which all packets vanish is seen within three heartbeats, on both sides, and comes back by itself")
    func halfOpen() async throws {
        try await LineEdge.with("t40") { edge, link in
            let map = try await edge.makeMaps(1)[0]
            link.change { $0.isCut = true }
            let cut = clock.now()
            let version = try await edge.write(map, "written while the line is dead")
            _ = try await bothSee(edge, since: cut)
            try await eventually("the cluster sees that the node is silent", within: .seconds(60)) { try await !edge.cloud.isReady(edge.name) }
            #expect(edge.memory.last("default/configmap/\(map)") < version)
            link.change { $0.isCut = false }
            try await comesBack(edge, map, version, since: cut)
        }
    }

    @Test(
        "T41 a line on which the packets of one direction vanish is seen within three heartbeats, on both sides",
        arguments: PacketLink.Way.allCases)
    func oneWay(way: PacketLink.Way) async throws {
        try await LineEdge.with("t41-\(way)") { edge, link in
            let map = try await edge.makeMaps(1)[0]
            link.change([way]) { $0.isCut = true }
            let cut = clock.now()
            let version = try await edge.write(map, "written while the line is cut")
            _ = try await bothSee(edge, since: cut)
            link.change { $0.isCut = false }
            try await comesBack(edge, map, version, since: cut)
        }
    }

    @Test("T42 an edge whose address changes is back by itself, under the new one")
    func addressChange() async throws {
        try await LineEdge.with("t42") { edge, link in
            let map = try await edge.makeMaps(1)[0]
            let old = link.edgeAddress
            try await link.changeEdgeAddress()
            let change = clock.now()
            let version = try await edge.write(map, "written for the new address")
            _ = try await edge.history.change(to: true, after: change.uptime, within: .seconds(90))
            try await edge.arrives(map, version, within: .seconds(60))
            let connections = edge.cloud.said("node connected", of: edge.name)
            #expect(connections.first?.line.contains("remote=\(old):") == true)
            #expect(connections.last?.line.contains("remote=\(link.edgeAddress):") == true)
            #expect(link.edgeAddress != old)
            try await eventually("t42 is ready again", within: .seconds(60)) { try await edge.cloud.isReady(edge.name) }
        }
    }
}
